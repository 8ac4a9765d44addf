from django.db import migrations, models

# Of django-axes, which versions before this one use: they find the tables, empty.
TABLES = (
    "axes_accessattemptexpiration",
    "axes_accessattempt",
    "axes_accessfailurelog",
    "axes_accesslog",
)


def forget_sign_ins(apps, schema_editor):
    """Delete names and addresses that nobody looks at any more."""
    there = schema_editor.connection.introspection.table_names()
    for table in TABLES:
        if table in there:
            schema_editor.execute(f"DELETE FROM {table}")  # noqa: S608


class Migration(migrations.Migration):

    dependencies = [
        ('coc_admin', '0009_bulk_replace'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignInCount',
            fields=[
                ('key', models.CharField(max_length=120, primary_key=True, serialize=False)),
                ('level', models.FloatField()),
                ('at', models.FloatField(db_index=True)),
                ('leak', models.FloatField()),
                ('name_hash', models.CharField(blank=True, db_index=True, max_length=64)),
                ('address', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.RunPython(forget_sign_ins, migrations.RunPython.noop),
    ]

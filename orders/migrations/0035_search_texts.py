from django.db import migrations, models

from orders.search import index


def install(apps, schema_editor):
    index.install(schema_editor.connection)


def remove(apps, schema_editor):
    index.remove(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0034_figures_added_up"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderText",
            fields=[
                ("order_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("site_id", models.CharField(max_length=32)),
                ("text", models.TextField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["site_id", "order_id"], name="order_texts_of_site")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProductText",
            fields=[
                ("record_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("list_id", models.CharField(max_length=256)),
                ("text", models.TextField()),
                ("is_named", models.BooleanField()),
            ],
        ),
        migrations.RunPython(install, remove, elidable=True),
    ]

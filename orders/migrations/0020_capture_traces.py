from django.db import migrations, models

import orders.fields
from orders import capture_trace


def install(apps, schema_editor):
    capture_trace.install(schema_editor.connection)


def remove(apps, schema_editor):
    capture_trace.remove(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0019_site_id_validators"),
    ]

    operations = [
        migrations.CreateModel(
            name="CaptureTrace",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("site_id", models.CharField(max_length=32)),
                ("order_no", models.CharField(max_length=50)),
                ("captured_at", models.DateTimeField()),
                ("currency", models.CharField(max_length=3)),
                ("order_total", orders.fields.MoneyField()),
                ("payload_hash", models.CharField(max_length=64)),
            ],
        ),
        migrations.RunPython(install, remove, elidable=True),
    ]

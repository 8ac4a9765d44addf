from django.db import migrations

from orders import capture_trace


def note_existing(apps, schema_editor):
    capture_trace.note_existing(apps, schema_editor.connection.alias)


class Migration(migrations.Migration):
    # Shoppers go on ordering: a transaction for each few thousand orders.
    atomic = False

    dependencies = [
        ("orders", "0020_capture_traces"),
    ]

    operations = [
        migrations.RunPython(note_existing, migrations.RunPython.noop, elidable=True),
    ]

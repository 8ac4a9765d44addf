from django.db import migrations

from orders.search import index


def fill(apps, schema_editor):
    index.fill(schema_editor.connection)


class Migration(migrations.Migration):
    # Shoppers go on ordering: a transaction for each few thousand orders. The index of fragments is
    # built after the migrations, while others write.
    atomic = False

    dependencies = [
        ("orders", "0035_search_texts"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]

"""The roles of the console, as groups."""

from django.db import migrations

from coc_admin.accounts.roles import make_roles


def make(apps, schema_editor):
    make_roles(apps, alias=schema_editor.connection.alias)


class Migration(migrations.Migration):

    dependencies = [
        ("coc_admin", "0001_initial"),
        ("orders", "0001_initial"),
        ("reconciliation", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    # Going back keeps the groups: people may be in them.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]

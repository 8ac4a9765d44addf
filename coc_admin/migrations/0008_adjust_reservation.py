"""Operators may give a reservation back at OCI by hand."""

from django.db import migrations

from coc_admin.accounts.roles import make_roles


def make(apps, schema_editor):
    make_roles(apps, alias=schema_editor.connection.alias)


class Migration(migrations.Migration):

    dependencies = [
        ("coc_admin", "0007_stock_upload"),
        ("reconciliation", "0006_adjust_reservation"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]

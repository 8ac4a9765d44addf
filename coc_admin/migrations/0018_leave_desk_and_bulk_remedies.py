"""The tables of the desk and of bulk remedies stay; `orders` and `reconciliation` have them now."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('coc_admin', '0017_profile_first_run'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(name='BulkLine'),
                migrations.DeleteModel(name='BulkRemedy'),
                migrations.DeleteModel(name='DeskEntry'),
            ],
        ),
    ]

"""The document of an adjustment becomes a foreign key, in the column that it has.

Adjustments are few, so checking them is short. Code of the version before goes on writing the
number of a document there. A number without a document stops the migration, and changes nothing.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0043_note_expected_deliveries"),
        ("reconciliation", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="adjustment",
            name="document",
            field=models.ForeignKey(
                db_column="document",
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="reconciliation.reservationdocument",
            ),
        ),
    ]

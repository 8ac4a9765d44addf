"""Adjustments get the name that everybody uses; no table and no column changes.

Code of the version before goes on with the same tables and columns.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0021_capture_traces_of_existing_orders"),
    ]

    operations = [
        # To the tables that they have: renaming the models leaves them alone then.
        migrations.AlterModelTable(name="rearrangement", table="orders_rearrangement"),
        migrations.AlterModelTable(name="rearrangedline", table="orders_rearrangedline"),
        migrations.RenameModel(old_name="Rearrangement", new_name="Adjustment"),
        migrations.RenameModel(old_name="RearrangedLine", new_name="AdjustmentLine"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="adjustment",
                    name="order",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="orders.order",
                    ),
                ),
                migrations.RemoveConstraint(
                    model_name="adjustmentline", name="one_line_per_sku_and_list"
                ),
                migrations.AlterField(
                    model_name="adjustmentline",
                    name="rearrangement",
                    field=models.ForeignKey(
                        db_column="rearrangement_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="orders.adjustment",
                    ),
                ),
                migrations.RenameField(
                    model_name="adjustmentline", old_name="rearrangement", new_name="adjustment"
                ),
                migrations.AddConstraint(
                    model_name="adjustmentline",
                    constraint=models.UniqueConstraint(
                        fields=("adjustment", "inventory_list", "sku"),
                        name="one_line_per_sku_and_list",
                    ),
                ),
            ],
        ),
    ]

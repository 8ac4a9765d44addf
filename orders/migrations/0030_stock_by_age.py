"""Indexes of stock by age and of figures to ask for again, built while others write."""

from django.db import migrations, models

from orders.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("orders", "0029_skus_gone_at_oci"),
    ]

    operations = [
        AddIndexOnline(
            model_name="inventoryrecord",
            index=models.Index(
                fields=["inventory_list", "snapshot_at"], name="records_by_list_and_age"
            ),
        ),
        AddIndexOnline(
            model_name="inventoryrecord",
            index=models.Index(
                condition=models.Q(recheck_at__isnull=False),
                fields=["recheck_at"],
                name="records_to_recheck",
            ),
        ),
    ]

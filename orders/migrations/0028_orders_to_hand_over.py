"""Indexes of orders that are due for order management, and of those that it could not take."""

from django.db import migrations, models

from orders.online import AddIndexOnline


class Migration(migrations.Migration):
    # PostgreSQL builds it while orders are captured.
    atomic = False

    dependencies = [
        ("orders", "0027_handover_to_order_management"),
    ]

    operations = [
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("export_due_at__isnull", False)),
                fields=["export_due_at"],
                name="orders_to_hand_over",
            ),
        ),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("export_status", "failed")),
                fields=["site", "id"],
                name="orders_to_resubmit",
            ),
        ),
    ]

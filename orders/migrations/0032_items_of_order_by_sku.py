"""An item's SKU is found within its order; an index by list alone, which nobody asks, goes."""

import django.db.models.deletion
from django.db import migrations, models

from orders.online import AddIndexOnline, DropForeignKeyIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("orders", "0031_queue_of_promises"),
    ]

    operations = [
        AddIndexOnline(
            model_name="orderitem",
            index=models.Index(fields=["order", "sku"], name="items_of_order_by_sku"),
        ),
        DropForeignKeyIndexOnline(
            model_name="orderitem",
            name="inventory_list",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="orders.inventorylist",
            ),
        ),
    ]

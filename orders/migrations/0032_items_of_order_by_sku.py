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
        migrations.AlterField(
            model_name="movement",
            name="reason",
            field=models.CharField(
                choices=[
                    ("captured", "Order captured"),
                    ("asked_again", "Asked of OCI again for an order that is short"),
                    ("released", "Hold given back"),
                    ("snapshot", "New figure from OCI"),
                    ("imported", "New figure from a file"),
                    ("hold_dropped", "Hold ended: OCI has given a newer figure"),
                    ("repaired", "Put right by a person (coc_repair)"),
                ],
                max_length=12,
            ),
        ),
    ]

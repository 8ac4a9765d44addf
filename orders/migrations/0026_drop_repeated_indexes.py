import django.db.models.deletion
from django.db import migrations, models

from orders.online import DropForeignKeyIndexOnline, DropLikeIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("orders", "0025_codes_of_stored_reasons"),
    ]

    operations = [
        DropForeignKeyIndexOnline(
            model_name="order",
            name="site",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="orders.site",
            ),
        ),
        DropForeignKeyIndexOnline(
            model_name="orderitem",
            name="order",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="orders.order",
            ),
        ),
        DropForeignKeyIndexOnline(
            model_name="inventoryrecord",
            name="inventory_list",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="orders.inventorylist",
            ),
        ),
        DropForeignKeyIndexOnline(
            model_name="movement",
            name="record",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="movements",
                to="orders.inventoryrecord",
            ),
        ),
        DropLikeIndexOnline(model_name="orderitem", name="inventory_list"),
    ]

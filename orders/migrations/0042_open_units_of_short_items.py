"""What is open of short items, as a column of them, and an index of all that a desk sums up.

Null, so that neither database writes the table anew. What the version before settles while both run
is found by the nightly check (fault `open`), and corrected by `coc_repair`.
"""

from django.db import migrations, models

import orders.fields
from orders.online import AddIndexOnline

_CHUNK = 500


def note_open(apps, schema_editor):
    """Note what is open of orders that are short and not settled; of any other one it is later."""
    alias = schema_editor.connection.alias
    orders = apps.get_model("orders", "Order").objects.using(alias)
    items = apps.get_model("orders", "OrderItem").objects.using(alias)
    short = models.Q(reservation_state="PARTIALLY_RESERVED") | models.Q(
        reservation_state="NOTHING_RESERVED"
    )
    found = orders.filter(short, status="new", resolution="").order_by("pk")
    left = (
        models.F("quantity")
        - models.F("reserved_quantity")
        - models.F("cancelled_quantity")
        - models.F("replaced_quantity")
    )
    last = 0
    while ids := list(found.filter(pk__gt=last).values_list("pk", flat=True)[:_CHUNK]):
        rows = items.filter(order__in=ids, open_short=None).order_by().alias(left=left)
        rows.filter(left__gt=0).update(open_short=left)
        last = ids[-1]


class Migration(migrations.Migration):
    # Shoppers go on ordering: a transaction for each few hundred orders, and an index that keeps
    # nobody from writing.
    atomic = False

    dependencies = [
        ("orders", "0041_what_orders_lacked_first"),
    ]

    operations = [
        migrations.AddField(
            model_name="orderitem",
            name="open_short",
            field=orders.fields.QuantityField(null=True),
        ),
        migrations.RunPython(note_open, migrations.RunPython.noop, elidable=True),
        AddIndexOnline(
            model_name="orderitem",
            index=models.Index(
                condition=models.Q(("open_short__isnull", False)),
                fields=["sku", "order", "inventory_list", "open_short", "unit_price"],
                name="short_items",
            ),
        ),
    ]

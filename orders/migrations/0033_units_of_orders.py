from django.db import migrations, models

import orders.fields
from orders.online import AddIndexOnline, RemoveIndexOnline

_CHUNK = 500


def add_up_what_waits(apps, schema_editor):
    """Add up the orders that wait; of any other one the items are read when it is summed up."""
    order = apps.get_model("orders", "Order")
    item = apps.get_model("orders", "OrderItem")
    orders = order._default_manager.using(schema_editor.connection.alias)
    items = item._default_manager.using(schema_editor.connection.alias)
    waiting = orders.filter(
        status="new", reservation_state="RESERVATION_MISSING", needs_review_since=None, units=None
    )
    last = 0
    while ids := list(
        waiting.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_CHUNK]
    ):
        rows = items.filter(order__in=ids, replaces=None).order_by()
        for pk, units in rows.values_list("order").annotate(n=models.Sum("quantity")):
            orders.filter(pk=pk, units=None).update(units=units)
        last = ids[-1]


class Migration(migrations.Migration):
    # Shoppers go on ordering: each order on its own, and indexes that keep nobody from writing.
    atomic = False

    dependencies = [
        ("orders", "0032_items_of_order_by_sku"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="units",
            field=orders.fields.QuantityField(null=True),
        ),
        migrations.RunPython(add_up_what_waits, migrations.RunPython.noop, elidable=True),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(
                    ("needs_review_since__isnull", True),
                    ("reservation_state", "RESERVATION_MISSING"),
                    ("status", "new"),
                ),
                fields=["captured_at", "id", "site", "currency", "order_total", "units"],
                name="waiting_by_capture",
            ),
        ),
        RemoveIndexOnline(model_name="order", name="missing_by_capture"),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("captured_offline", True)),
                fields=["captured_at", "id", "site", "currency", "order_total", "units"],
                name="accepted_offline",
            ),
        ),
        RemoveIndexOnline(model_name="order", name="offline_by_capture"),
    ]

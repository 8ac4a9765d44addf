"""Mark the few orders that have an open remedy now, and index these.

What the version before opens or ends while both run is corrected by the sweep.
"""

from django.db import migrations, models

from orders.online import AddIndexOnline


def mark(apps, schema_editor):
    alias = schema_editor.connection.alias
    orders = apps.get_model("orders", "Order").objects.using(alias)
    for model, remedy in (("Adjustment", "adjustment"), ("Replacement", "replacement")):
        rows = apps.get_model("orders", model).objects.using(alias)
        still_open = rows.filter(models.Q(state="reserving") | models.Q(state="giving_back"))
        for order_id in list(still_open.order_by("order").values_list("order_id", flat=True)):
            orders.filter(pk=order_id, open_remedy=None).update(open_remedy=remedy)


class Migration(migrations.Migration):
    # PostgreSQL builds the index while orders are captured.
    atomic = False

    dependencies = [
        ("orders", "0038_open_remedy_of_orders"),
    ]

    operations = [
        migrations.RunPython(mark, migrations.RunPython.noop, elidable=True),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("open_remedy__isnull", False)),
                fields=["id"],
                name="orders_with_open_remedy",
            ),
        ),
    ]

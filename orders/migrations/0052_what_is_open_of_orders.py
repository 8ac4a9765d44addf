"""Store the open units and value of short orders, with an index by value; widen that of outages.

The columns are nullable, so neither database rewrites the table. If the previous version settles
orders while both run, the nightly check finds them (fault `open`) and `coc_repair` corrects them.
"""

from django.db import migrations, models, transaction
from django.db.models import F, FloatField, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce

import orders.fields
from orders.online import AddIndexOnline, RemoveIndexOnline

_CHUNK = 500
_SHORT = Q(reservation_state="PARTIALLY_RESERVED") | Q(reservation_state="NOTHING_RESERVED")
_UNSETTLED = _SHORT & Q(status="new", resolution="")


def add_up(apps, schema_editor):
    """Add up what is open of orders that are short and not settled."""
    alias = schema_editor.connection.alias
    orders_ = apps.get_model("orders", "Order").objects.using(alias)
    items = apps.get_model("orders", "OrderItem").objects.using(alias)
    short = items.filter(order=OuterRef("pk"), open_short__gt=0).order_by().values("order")
    worth = Cast(F("open_short"), FloatField()) * Cast(F("unit_price"), FloatField())
    units = Subquery(short.annotate(n=Sum("open_short")).values("n"))
    value = Subquery(short.annotate(n=Sum(worth)).values("n"), output_field=FloatField())
    found = orders_.filter(_UNSETTLED, open_units=None).order_by("pk")
    last = 0
    while ids := list(found.filter(pk__gt=last).values_list("pk", flat=True)[:_CHUNK]):
        with transaction.atomic(using=alias):
            # Locked in the order in which everybody locks them. Those that were settled meanwhile
            # have their sums from that.
            locked = found.filter(pk__in=ids).select_for_update()
            orders_.filter(pk__in=list(locked.values_list("pk", flat=True))).update(
                open_units=Coalesce(units, Value(0), output_field=orders.fields.QuantityField()),
                open_value=Coalesce(value, Value(0.0)),
            )
        last = ids[-1]


class Migration(migrations.Migration):
    # Shoppers go on ordering: a transaction for each few hundred orders, and indexes that keep
    # nobody from writing.
    atomic = False

    dependencies = [
        ("orders", "0051_languages_of_messages"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="open_units",
            field=orders.fields.QuantityField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="open_value",
            field=models.FloatField(null=True),
        ),
        migrations.RunPython(add_up, migrations.RunPython.noop, elidable=True),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                models.Func(
                    models.F("open_value"),
                    output_field=models.FloatField(),
                    template="COALESCE(%(expressions)s, 0.0)",
                ),
                models.F("id"),
                models.F("site"),
                models.F("currency"),
                models.F("open_units"),
                models.F("open_value"),
                condition=_UNSETTLED,
                name="oversold_by_value",
            ),
        ),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("captured_offline", True)),
                fields=[
                    "captured_at",
                    "id",
                    "site",
                    "currency",
                    "order_total",
                    "units",
                    "status",
                    "reservation_state",
                    "needs_review_since",
                    "reconciled_at",
                    "resolution_at",
                    "short_at",
                    "lacked_units",
                    "lacked_value",
                ],
                name="accepted_with_outcome",
            ),
        ),
        RemoveIndexOnline(model_name="order", name="accepted_offline"),
    ]

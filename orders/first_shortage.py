"""What orders lacked when OCI first had less: units, and their value at the shopper's prices.

Remedies change what is missing of an order; what an outage cost stays as it was written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import (
    Aggregate,
    BooleanField,
    Count,
    ExpressionWrapper,
    F,
    FloatField,
    Q,
    QuerySet,
    Sum,
)
from django.db.models.functions import Cast

from orders.desk.shortages import money_of
from orders.fields import ZERO, ScaledDecimalField
from orders.models import SHORT_STATES, Order, OrderItem, OrderStatus
from orders.models.orders import SHORT
from orders.units import open_of, open_units

# Short now or ever: as the oversold report counts, whatever became of the order later.
EVER_SHORT = SHORT | Q(short_at__isnull=False)

_CENT = Decimal("0.0001")
_UNRESERVED = F("items__quantity") - F("items__reserved_quantity")
_PRICE = Cast(F("items__unit_price"), FloatField())


def note(order_ids: Collection[int]) -> None:
    """Write down what orders lack that have just become short; in the transaction that says so.

    The caller has locked the orders and written their items. One that was short before keeps what
    it lacked first.
    """
    short = Order.objects.filter(pk__in=order_ids, reservation_state__in=SHORT_STATES)
    new = short.filter(lacked_units=None)
    items = OrderItem.objects.alias(open_units=open_units()).filter(open_units__gt=0)
    units: dict[int, Decimal] = defaultdict(lambda: ZERO)
    value: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for item in items.filter(order__in=new.order_by().values("pk")).order_by():
        lacking = open_of(item)
        units[item.order_id] += lacking
        value[item.order_id] += (lacking * (item.unit_price or ZERO)).quantize(_CENT)
    rows = [
        Order(pk=pk, lacked_units=_storable(units[pk]), lacked_value=_storable(value[pk]))
        for pk in sorted(units)
    ]
    if rows:
        Order.objects.bulk_update(rows, ["lacked_units", "lacked_value"])


def _storable(amount: Decimal) -> Decimal:
    """Return the most that a column holds for what is more; no shop has such an order."""
    return min(amount, ScaledDecimalField.max_abs)


@dataclass(frozen=True, slots=True)
class Missed:
    """What orders were short of at first: units, and value by currency."""

    units: Decimal
    value: Mapping[str, Decimal]


def sums() -> dict[str, Aggregate]:
    """Return what `missed_in` needs of groups of orders, to be annotated.

    The groups are by currency and by whether orders were `ever_short`: to find that out once for
    each order takes less time than once for each sum.
    """
    return {
        "missed_units": Sum("lacked_units"),
        "missed_value": Sum("lacked_value"),
        "missed_known": Count("lacked_units"),
    }


def with_ever_short(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` with `ever_short`."""
    return orders.annotate(ever_short=ExpressionWrapper(EVER_SHORT, output_field=BooleanField()))


def missed_in(groups: Iterable[Mapping[str, Any]], *, orders: QuerySet[Order]) -> Missed:
    """Return what groups of `orders` with `sums` and their `number` were short of.

    Mostly no query: of orders that an earlier version settled one reads what OCI has not reserved.
    """
    units, value, unknown = ZERO, dict[str, Decimal](), 0
    for group in groups:
        if not group["ever_short"]:
            continue
        units += group["missed_units"] or ZERO
        code = group["currency"]
        value[code] = value.get(code, ZERO) + (group["missed_value"] or ZERO)
        unknown += group["number"] - group["missed_known"]
    if unknown:
        for row in _unreserved(orders):
            units += row["missing"] or ZERO
            value[row["currency"]] += money_of(row["worth"] or 0.0)
    return Missed(units, {code: amount for code, amount in value.items() if amount})


def _unreserved(orders: QuerySet[Order]) -> Iterable[Mapping[str, Any]]:
    # A cancelled order has lost what it had reserved: nobody knows what it was short of.
    rows = orders.order_by().filter(EVER_SHORT, lacked_units=None, status=OrderStatus.NEW)
    worth = Cast(_UNRESERVED, FloatField()) * _PRICE
    return (
        rows.filter(items__replaces=None)
        .values("currency")
        .annotate(missing=Sum(_UNRESERVED), worth=Sum(worth))
        .order_by("currency")
    )

"""How many units of an order are ordered, reserved, short, cancelled and replaced.

Every page, API answer, file and metric takes its units from here:

- *ordered*: what the shopper ordered. An item that stands in for another one was not ordered; its
  units are those of the item that it replaces.
- *reserved*: what OCI holds, items that stand in included.
- *short*: what is still open. Only an accepted order that OCI has answered and nobody has settled
  can be short; units of any other order are not.
- *cancelled*: short units that will not be delivered, while the rest of the order is.
- *replaced*: ordered units that are delivered as another item.

An order that is or was short has ordered = reserved + cancelled + short. An item alone has
quantity = reserved + cancelled + replaced + open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isclose
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import (
    Aggregate,
    Count,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast, Coalesce, NullIf

from orders.fields import ZERO, QuantityField

if TYPE_CHECKING:
    from orders.models import Order, OrderItem

# As in orders.models: the models take the units of an item from here.
_NEW, _MISSING = "new", "RESERVATION_MISSING"
_SHORT = ("PARTIALLY_RESERVED", "NOTHING_RESERVED")
# Items that the shopper ordered.
_ORDERED = Q(replaces=None)
# What is open (alias `open`) is not what is kept in `open_short`.
_NOT_NOTED = (Q(open__gt=0) & (Q(open_short=None) | ~Q(open_short=F("open")))) | (
    Q(open=0) & Q(open_short__isnull=False)
)


@dataclass(frozen=True, slots=True)
class Units:
    """Units of one order; `is_answered` is true once its short units are known."""

    ordered: Decimal = ZERO
    reserved: Decimal = ZERO
    short: Decimal = ZERO
    cancelled: Decimal = ZERO
    replaced: Decimal = ZERO
    is_answered: bool = False


def open_units(items: str = "") -> CombinedExpression:
    """Return the open units of an item as SQL; `items` is the prefix, such as `items__`."""
    return (
        F(f"{items}quantity")
        - F(f"{items}reserved_quantity")
        - F(f"{items}cancelled_quantity")
        - F(f"{items}replaced_quantity")
    )


def note_open(items: QuerySet[OrderItem]) -> None:
    """Let all items of some orders keep what is open of them, and the orders the sums of that.

    Two statements. Everything that changes the units of an order which OCI has answered calls it in
    the same transaction, after its writes; it has locked the order.
    """
    wrongly_noted(items.order_by()).update(
        open_short=NullIf(open_units(), Value(ZERO, output_field=QuantityField()))
    )
    short = _items().filter(order=OuterRef("pk"), open_short__gt=0).order_by().values("order")
    worth = Cast(F("open_short"), FloatField()) * Cast(F("unit_price"), FloatField())
    orders = apps.get_model("orders", "Order")._default_manager
    orders.filter(pk__in=items.order_by().values("order")).update(
        open_units=Coalesce(
            Subquery(short.annotate(n=Sum("open_short")).values("n")),
            Value(ZERO),
            output_field=QuantityField(),
        ),
        open_value=Coalesce(
            Subquery(short.annotate(n=Sum(worth)).values("n"), output_field=FloatField()),
            Value(0.0),
        ),
    )


def keeps_sums(order: Order, items: Iterable[OrderItem]) -> bool:
    """Whether a loaded order keeps the sums of its open units that `note_open` would write."""
    short = [(open_of(item), item.unit_price or ZERO) for item in items]
    units = sum((left for left, _ in short if left > ZERO), ZERO)
    worth = sum(float(left.scaleb(3)) * float(price.scaleb(4)) for left, price in short if left > 0)
    # Above 2^53 small units a sum depends on the order in which it is added up.
    return order.open_units == units and isclose(order.open_value or 0.0, worth)


def wrongly_noted(items: QuerySet[OrderItem]) -> QuerySet[OrderItem]:
    """Return those of `items` that keep another figure than `note_open` would write."""
    return items.alias(open=open_units()).filter(_NOT_NOTED)


def open_of(item: OrderItem) -> Decimal:
    """Return the units of a loaded item that are neither reserved, cancelled nor replaced."""
    return left_of(
        unreserved_of(item), cancelled=item.cancelled_quantity, replaced=item.replaced_quantity
    )


def unreserved_of(item: OrderItem) -> Decimal:
    """Return ordered minus reserved of a loaded item, whatever people did about it."""
    unreserved: Decimal = item.quantity - item.reserved_quantity
    return unreserved


def left_of(unreserved: Decimal, *, cancelled: Decimal, replaced: Decimal) -> Decimal:
    """Return the open units of an item, given its unreserved ones."""
    return unreserved - cancelled - replaced


def to_deliver_of(item: OrderItem) -> Decimal:
    """Return the units of a loaded item left to deliver as that item."""
    left: Decimal = item.quantity - item.cancelled_quantity - item.replaced_quantity
    return left


def is_answered(order: Order) -> bool:
    """Whether OCI has answered for an accepted order, so that its short units are known."""
    return order.status == _NEW and order.reservation_state != _MISSING


def is_short(*, reservation_state: str, resolution: str) -> bool:
    """Whether open units of an order in this state are short: it is neither settled nor cancelled.

    An order that is not accepted has no such state, or a resolution.
    """
    return reservation_state in _SHORT and not resolution


def units_of(order: Order, items: Iterable[OrderItem]) -> Units:
    """Return the units of a loaded order with all its items; no query."""
    items = list(items)
    ordered = [item for item in items if item.replaces_id is None]
    return _units(
        order,
        ordered=sum((item.quantity for item in ordered), ZERO),
        reserved=sum((item.reserved_quantity for item in items), ZERO),
        cancelled=sum((item.cancelled_quantity for item in items), ZERO),
        replaced=sum((item.replaced_quantity for item in ordered), ZERO),
        left=sum((open_of(item) for item in items), ZERO),
    )


def units_of_orders(orders: Iterable[Order]) -> dict[int, Units]:
    """Return the units of each loaded order by its primary key; one query."""
    by_key = {order.pk: order for order in orders}
    rows = _items().filter(order__in=list(by_key)).order_by().values("order")
    sums = rows.annotate(
        ordered=Sum("quantity", filter=_ORDERED),
        reserved=Sum("reserved_quantity"),
        cancelled=Sum("cancelled_quantity"),
        replaced=Sum("replaced_quantity", filter=_ORDERED),
        left=Sum(open_units()),
    )
    found = {row["order"]: row for row in sums}
    return {pk: _units(order, **_sums(found.get(pk))) for pk, order in by_key.items()}


def _sums(row: Mapping[str, Any] | None) -> dict[str, Decimal]:
    names = ("ordered", "reserved", "cancelled", "replaced", "left")
    return {name: (row[name] if row else None) or ZERO for name in names}


def with_units(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` with `ordered_units` and `reserved_units`; no query of its own."""
    of_order = _items().filter(order=OuterRef("pk")).order_by().values("order")
    ordered = of_order.annotate(n=Sum("quantity", filter=_ORDERED)).values("n")
    reserved = of_order.annotate(n=Sum("reserved_quantity")).values("n")
    return orders.annotate(ordered_units=Subquery(ordered), reserved_units=Subquery(reserved))


def unit_sums() -> dict[str, Aggregate]:
    """Return what `ordered_of` needs of groups of orders, to be annotated or aggregated."""
    return {"known_units": Sum("units"), "without_units": Count("pk", filter=Q(units=None))}


def ordered_of(groups: Iterable[Mapping[str, Any]], *, orders: QuerySet[Order]) -> Decimal:
    """Return what was ordered in groups of `orders` that have `unit_sums`; mostly no query.

    Orders that an earlier version captured have no sum of their own: one query reads their items.
    """
    groups = list(groups)
    known = sum((group["known_units"] or ZERO for group in groups), ZERO)
    if not any(group["without_units"] for group in groups):
        return known
    items = _items().filter(order__in=orders.filter(units=None).order_by().values("pk"))
    # Not a condition of the rows: with stale statistics PostgreSQL would look through the index of
    # `replaces`, in which nearly every item is null, once for each order.
    total: Decimal | None = items.aggregate(n=Sum("quantity", filter=_ORDERED))["n"]
    return known + (total or ZERO)


def _units(order: Order, *, left: Decimal, **units: Decimal) -> Units:
    state, resolution = order.reservation_state, order.resolution
    answered = is_answered(order)
    counts = answered and is_short(reservation_state=state, resolution=resolution)
    return Units(short=left if counts else ZERO, is_answered=answered, **units)


def _items() -> QuerySet[OrderItem]:
    return apps.get_model("orders", "OrderItem")._default_manager.all()

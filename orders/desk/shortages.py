"""What is short of orders, what that is worth, and what stock says now.

Values of shortages are sorted and added up as floats of whole small units, which both databases
compute exactly up to 900 million of a currency.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import (
    Count,
    Exists,
    F,
    FloatField,
    Func,
    QuerySet,
    Sum,
)
from django.db.models.functions import Cast

from orders.fields import ZERO
from orders.models import InventoryRecord, Order, OrderItem
from orders.units import open_units

# The same, asked of orders with their items, as these keep it: an index has all of it.
OPEN_UNITS_OF_ORDER = F("items__open_short")
# Quantities are kept in thousandths, prices in ten-thousandths.
OPEN_VALUE_OF_ORDER = Cast(OPEN_UNITS_OF_ORDER, FloatField()) * Cast(
    F("items__unit_price"), FloatField()
)
# What an order keeps of that, as the index `oversold_by_value` has it: the number stands in the
# statement, since SQLite takes no index for a parameter. Null of an order that keeps none.
KEPT_VALUE = Func(
    F("open_value"), template="COALESCE(%(expressions)s, 0.0)", output_field=FloatField()
)
_SMALL_UNITS = Decimal(10) ** 7
_CENT = Decimal("0.0001")
_SKUS_SHOWN = 3

Key = tuple[str, str]
"""Inventory list id and SKU."""


@dataclass(slots=True)
class Shortage:
    """The open units of one order, and whether last known stock is enough for it alone."""

    units: Decimal = ZERO
    value: Decimal = ZERO
    has_price: bool = True
    by_key: dict[Key, Decimal] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # product names by SKU
    stock: str = "unknown"

    @property
    def first_skus(self) -> list[tuple[str, Decimal, str]]:
        """The first SKUs with their units and product names, as many as a list shows."""
        first = islice(self.by_key.items(), _SKUS_SHOWN)
        return [(sku, units, self.names[sku]) for (_list, sku), units in first]

    @property
    def has_more_skus(self) -> bool:
        """Whether there are more than `first_skus`."""
        return len(self.by_key) > _SKUS_SHOWN


def open_items() -> QuerySet[OrderItem]:
    """Return the items with open short units, neither cancelled nor replaced."""
    return OrderItem.objects.order_by().alias(open_units=open_units()).filter(open_units__gt=0)


def open_items_of(orders: QuerySet[Order]) -> Any:
    """Return a query with a row for each short item of `orders`.

    The item is named by annotations alone: a condition on `items__` would join the items twice.
    """
    rows = orders.order_by().alias(open_short=OPEN_UNITS_OF_ORDER)
    named = rows.annotate(list_id=F("items__inventory_list"), sku=F("items__sku"))
    return named.filter(open_short__gt=0)


def with_value(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` with `short_value`, what is open of each in small units.

    An order without short items stays.
    """
    return orders.annotate(short_value=KEPT_VALUE)


def shortages_of(order_ids: Collection[int]) -> dict[int, Shortage]:
    """Return the open units of each order with current stock; two queries."""
    found: dict[int, Shortage] = {pk: Shortage() for pk in order_ids}
    for item in open_items().filter(order__in=order_ids):
        shortage = found[item.order_id]
        shortage.units += item.open_quantity
        key = (item.inventory_list_id, item.sku)
        shortage.by_key[key] = shortage.by_key.get(key, ZERO) + item.open_quantity
        shortage.names.setdefault(item.sku, item.product_name)
        if item.unit_price is None:
            shortage.has_price = False
        else:
            shortage.value += (item.open_quantity * item.unit_price).quantize(_CENT)
    stock = stock_of({key for shortage in found.values() for key in shortage.by_key})
    for shortage in found.values():
        shortage.stock = _stock_for(shortage.by_key, stock)
    return found


def stock_of(keys: Iterable[Key]) -> dict[Key, Decimal]:
    """Return the ATO of SKUs that are counted; one query."""
    wanted = set(keys)
    records = InventoryRecord.objects.filter(
        inventory_list__in={list_id for (list_id, sku) in wanted},
        sku__in={sku for (list_id, sku) in wanted},
        snapshot_ato__isnull=False,
    )
    return {
        (list_id, sku): ato
        for list_id, sku, ato in records.values_list("inventory_list", "sku", "ato")
        if (list_id, sku) in wanted
    }


def _stock_for(needed: Mapping[Key, Decimal], stock: Mapping[Key, Decimal]) -> str:
    known = {key: units for key, units in needed.items() if key in stock}
    if not known:
        return "unknown"
    if len(known) == len(needed) and all(stock[key] >= units for key, units in known.items()):
        return "enough"
    return "part" if any(stock[key] > 0 for key in known) else "none"


def money_of(small_units: float) -> Decimal:
    """Return an amount that was added up in small units, as Decimal."""
    return (Decimal(small_units) / _SMALL_UNITS).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class Sums:
    """Open units and value of many orders."""

    orders: int
    units: Decimal
    value: Mapping[str, Decimal]  # by currency


def sums_up_to(orders: QuerySet[Order], most: int) -> tuple[int, Sums | None]:
    """Return the number of `orders`, at most `most`, and their sums; None if there are more.

    One query, or two for none and for too many, which are not summed up.
    """
    keys = orders.order_by().values("pk")
    wanted = Order.objects.order_by().filter(~Exists(keys[most:]), pk__in=keys[: most + 1])
    sums = sums_of(wanted)
    if not sums.orders and keys[most:].exists():
        return most, None
    return sums.orders, sums


def sums_of(orders: QuerySet[Order], *, number: int | None = None) -> Sums:
    """Return the `number` of `orders`, counted unless it is given, and their sums.

    Mostly one query. Orders that never were short keep no sums: one query more reads their items.
    """
    groups: list[Mapping[str, Any]] = list(
        orders.order_by()
        .values("currency")
        .annotate(
            number=Count("pk"),
            kept=Count("open_units"),
            units=Sum("open_units"),
            worth=Sum("open_value"),
        )
        .order_by("currency")
    )
    rows = groups
    if any(group["kept"] < group["number"] for group in groups):
        rows = [*groups, *_sums_of_items(orders.filter(open_units=None))]
    worth: dict[str, float] = {}
    for row in rows:
        if row["units"]:
            worth[row["currency"]] = worth.get(row["currency"], 0.0) + (row["worth"] or 0.0)
    return Sums(
        orders=sum(group["number"] for group in groups) if number is None else number,
        units=sum((row["units"] or ZERO for row in rows), ZERO),
        value={code: money_of(amount) for code, amount in sorted(worth.items())},
    )


def _sums_of_items(orders: QuerySet[Order]) -> list[Mapping[str, Any]]:
    """Return units and worth by currency of the short items of `orders`; one query."""
    return list(
        open_items_of(orders)
        .values("currency")
        .annotate(units=Sum(OPEN_UNITS_OF_ORDER), worth=Sum(OPEN_VALUE_OF_ORDER))
        .order_by("currency")
    )

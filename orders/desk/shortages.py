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
    FilteredRelation,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce

from orders.fields import ZERO
from orders.models import InventoryRecord, Order, OrderItem
from orders.units import open_units

# The same, asked of orders with their items, as these keep it: an index has all of it.
OPEN_UNITS_OF_ORDER = F("items__open_short")
# Quantities are kept in thousandths, prices in ten-thousandths.
OPEN_VALUE_OF_ORDER = Cast(OPEN_UNITS_OF_ORDER, FloatField()) * Cast(
    F("items__unit_price"), FloatField()
)
_WORTH_OF_SHORT_ITEM = Cast(F("short_item__open_short"), FloatField()) * Cast(
    F("short_item__unit_price"), FloatField()
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


def value_of_order() -> Coalesce:
    """Return the expression for what is open of an order, in small units, for whole orders.

    The items of each are looked up: grouping whole orders would sort all their columns.
    """
    items = OrderItem.objects.order_by().filter(order=OuterRef("pk"), open_short__gt=0)
    worth = Cast(F("open_short"), FloatField()) * Cast(F("unit_price"), FloatField())
    value = Subquery(
        items.values("order").annotate(n=Sum(worth)).values("n"), output_field=FloatField()
    )
    return Coalesce(value, Value(0.0))


def with_value(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` with `short_value` as in `value_of_order`, for keys and values alone.

    An order without short items stays.
    """
    valued: QuerySet[Any] = _with_short_items(orders).annotate(
        short_value=Coalesce(Sum(_WORTH_OF_SHORT_ITEM), Value(0.0))
    )
    return valued


def _with_short_items(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` with `short_item`: only short items are joined, for their index's sake."""
    joined: QuerySet[Any] = orders.alias(
        short_item=FilteredRelation("items", condition=Q(items__open_short__gt=0))
    )
    return joined


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
    joined: QuerySet[Any] = _with_short_items(wanted)
    rows = list(
        joined.values("currency")
        .annotate(
            # An order has one currency.
            number=Count("pk", distinct=True),
            units=Sum("short_item__open_short"),
            worth=Sum(_WORTH_OF_SHORT_ITEM),
        )
        .order_by("currency")
    )
    if not rows and keys[most:].exists():
        return most, None
    number = sum(row["number"] for row in rows)
    return number, Sums(
        orders=number,
        units=sum((row["units"] or ZERO for row in rows), ZERO),
        value={row["currency"]: money_of(row["worth"] or 0.0) for row in rows},
    )


def sums_of(orders: QuerySet[Order], *, number: int | None = None) -> Sums:
    """Return the sums over `orders`; two queries, or one if their `number` is known."""
    rows = list(
        open_items_of(orders)
        .values("currency")
        .annotate(units=Sum(OPEN_UNITS_OF_ORDER), worth=Sum(OPEN_VALUE_OF_ORDER))
        .order_by("currency")
    )
    return Sums(
        orders=orders.count() if number is None else number,
        units=sum((row["units"] for row in rows), ZERO),
        value={row["currency"]: money_of(row["worth"] or 0.0) for row in rows},
    )

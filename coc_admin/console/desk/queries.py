"""What the oversold desk reads: pages of short orders and of short SKUs, and what stock says now.

Values of shortages are sorted and added up as floats of whole small units, which both databases
compute exactly up to 900 million of a currency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import (
    Count,
    F,
    FloatField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import gettext_lazy as _

from coc_admin.console.queries import PAGE, Page
from orders.fields import ZERO
from orders.models import InventoryRecord, Order, OrderItem
from orders.models.orders import OPEN_UNITS

# Quantities are kept in thousandths, prices in ten-thousandths.
_OPEN_VALUE = Cast(OPEN_UNITS, FloatField()) * Cast(F("unit_price"), FloatField())
# The same, asked of orders with their items: naming the orders once in a query is far cheaper than
# items of orders that are among others.
_OPEN_UNITS_OF_ORDER = (
    F("items__quantity")
    - F("items__reserved_quantity")
    - F("items__cancelled_quantity")
    - F("items__replaced_quantity")
)
_OPEN_VALUE_OF_ORDER = Cast(_OPEN_UNITS_OF_ORDER, FloatField()) * Cast(
    F("items__unit_price"), FloatField()
)
_SMALL_UNITS = Decimal(10) ** 7
_CENT = Decimal("0.0001")

Key = tuple[str, str]
"""Inventory list id and SKU."""

STOCK_WORDS = {
    "enough": ("ok", _("Enough")),
    "part": ("warn", _("A part")),
    "none": ("bad", _("None")),
    "unknown": ("quiet", _("Not known")),
}


@dataclass(slots=True)
class Shortage:
    """What is open of one order, and whether last known stock would do for it alone."""

    units: Decimal = ZERO
    value: Decimal = ZERO
    has_price: bool = True
    by_key: dict[Key, Decimal] = field(default_factory=dict)
    stock: str = "unknown"

    @property
    def stock_words(self) -> tuple[str, Any]:
        """Tone and word for `stock`."""
        return STOCK_WORDS[self.stock]


@dataclass(frozen=True, slots=True)
class ShortSku:
    """What is short of one SKU of one list over all orders, and how much of it there is now."""

    list_id: str
    sku: str
    name: str
    orders: int
    units: Decimal
    oldest: datetime
    value: Mapping[str, Decimal]  # by currency
    ato: Decimal | None  # None: not counted


def open_items() -> QuerySet[OrderItem]:
    """Return the items of which something is short, neither cancelled nor replaced."""
    return OrderItem.objects.order_by().alias(open_units=OPEN_UNITS).filter(open_units__gt=0)


def _open_items_of(orders: QuerySet[Order]) -> Any:
    """Return a query with a row for each item of `orders` of which something is short.

    The item is named by annotations alone: a condition on `items__` would join the items anew.
    """
    rows = orders.order_by().alias(open_units=_OPEN_UNITS_OF_ORDER)
    named = rows.annotate(list_id=F("items__inventory_list"), sku=F("items__sku"))
    return named.filter(open_units__gt=0)


def page_of_short_orders(orders: QuerySet[Order], *, cursor: str, sort: str) -> Page[Order]:
    """Return the page after `cursor`, by `oldest` or `highest`; a cursor that is none is the start.

    Each order comes with its site, its desk entry and that one's assignee.
    """
    column, sign = ("captured_at", "") if sort == "oldest" else ("short_value", "-")
    orders = orders.select_related("site", "desk_entry__assignee")
    if sort != "oldest":
        orders = orders.annotate(short_value=_value_of_order())
    after = _read_cursor(cursor, column)
    if after:
        value, pk = after
        side = "lt" if sign else "gt"
        further = Q((f"{column}__{side}", value)) | Q((f"pk__{side}", pk))
        orders = orders.filter(Q((f"{column}__{side}e", value)) & further)
    rows = list(orders.order_by(f"{sign}{column}", f"{sign}id")[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    next_cursor = f"{_text(getattr(rows[-1], column))}~{rows[-1].pk}" if more else ""
    return Page(rows, next_cursor, is_first=after is None)


def _value_of_order() -> Coalesce:
    items = open_items().filter(order=OuterRef("pk")).values("order")
    value = Subquery(items.annotate(n=Sum(_OPEN_VALUE)).values("n"), output_field=FloatField())
    return Coalesce(value, Value(0.0))


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(float(value))


def _read_cursor(text: str, column: str) -> tuple[datetime | float, int] | None:
    place, _, number = text.partition("~")
    value = _read_place(place, column)
    is_key = number.isascii() and number.isdecimal() and 0 < len(number) < 19
    return (value, int(number)) if value is not None and is_key else None


def _read_place(text: str, column: str) -> datetime | float | None:
    try:
        if column == "captured_at":
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo and 2000 <= moment.year <= 2200 else None
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e30 else None


def shortages_of(order_ids: Collection[int]) -> dict[int, Shortage]:
    """Return what is open of each order, with what stock says now; two queries."""
    found: dict[int, Shortage] = {pk: Shortage() for pk in order_ids}
    for item in open_items().filter(order__in=order_ids):
        shortage = found[item.order_id]
        shortage.units += item.open_quantity
        key = (item.inventory_list_id, item.sku)
        shortage.by_key[key] = shortage.by_key.get(key, ZERO) + item.open_quantity
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


def page_of_short_skus(
    orders: QuerySet[Order], *, sku: str, cursor: str, sort: str
) -> Page[ShortSku]:
    """Return the short SKUs of `orders`, or the one named, after `cursor`; three queries.

    They come by `oldest` promise or by `highest` value.
    """
    column, sign = ("oldest", "") if sort == "oldest" else ("worth", "-")
    items = _open_items_of(orders)
    groups = (
        (items.filter(sku=sku) if sku else items)
        .values("list_id", "sku")
        .annotate(
            number=Count("pk", distinct=True),
            units=Sum(_OPEN_UNITS_OF_ORDER),
            oldest=Min("captured_at"),
            worth=Coalesce(Sum(_OPEN_VALUE_OF_ORDER), Value(0.0)),
            name=Min("items__product_name"),
        )
    )
    after = _read_sku_cursor(cursor, column)
    if after:
        groups = groups.filter(_after(column, "lt" if sign else "gt", *after))
    rows = list(groups.order_by(f"{sign}{column}", "list_id", "sku")[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    next_cursor = ""
    if more:
        last: Mapping[str, Any] = rows[-1]
        next_cursor = f"{_text(last[column])}~{last['list_id']}~{last['sku']}"
    return Page(_short_skus(rows, orders), next_cursor, is_first=after is None)


def _after(column: str, side: str, value: datetime | float, list_id: str, sku: str) -> Q:
    same = Q((column, value))
    return (
        Q((f"{column}__{side}", value))
        | (same & Q(list_id__gt=list_id))
        | (same & Q(list_id=list_id, sku__gt=sku))
    )


def _read_sku_cursor(text: str, column: str) -> tuple[datetime | float, str, str] | None:
    place, _, key = text.partition("~")
    list_id, _, sku = key.partition("~")
    value = _read_place(place, "captured_at" if column == "oldest" else column)
    return (value, list_id, sku) if value is not None and list_id and sku else None


def _short_skus(rows: Sequence[Mapping[str, Any]], orders: QuerySet[Order]) -> list[ShortSku]:
    keys = [(row["list_id"], row["sku"]) for row in rows]
    stock = stock_of(keys)
    value: dict[Key, dict[str, Decimal]] = defaultdict(dict)
    for list_id, sku, currency, worth in (
        _open_items_of(orders)
        .filter(sku__in=[sku for (list_id, sku) in keys])
        .values_list("list_id", "sku", "currency")
        .annotate(worth=Sum(_OPEN_VALUE_OF_ORDER))
        .order_by("currency")
    ):
        if worth is not None:
            value[(list_id, sku)][currency] = money_of(worth)
    return [
        ShortSku(
            list_id=row["list_id"],
            sku=row["sku"],
            name=row["name"],
            orders=row["number"],
            units=row["units"],
            oldest=row["oldest"],
            value=value[key],
            ato=stock.get(key),
        )
        for key, row in zip(keys, rows, strict=True)
    ]


def money_of(small_units: float) -> Decimal:
    """Return an amount that was added up in small units, as Decimal."""
    return (Decimal(small_units) / _SMALL_UNITS).quantize(_CENT)


@dataclass(frozen=True, slots=True)
class Sums:
    """What is open over many orders."""

    orders: int
    units: Decimal
    value: Mapping[str, Decimal]  # by currency


def sums_of(orders: QuerySet[Order]) -> Sums:
    """Return the sums over `orders`; two queries."""
    rows = list(
        _open_items_of(orders)
        .values("currency")
        .annotate(units=Sum(_OPEN_UNITS_OF_ORDER), worth=Sum(_OPEN_VALUE_OF_ORDER))
        .order_by("currency")
    )
    return Sums(
        orders=orders.count(),
        units=sum((row["units"] for row in rows), ZERO),
        value={row["currency"]: money_of(row["worth"] or 0.0) for row in rows},
    )

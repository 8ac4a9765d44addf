"""Queries of the oversold desk by SKU: the short units of each over all orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, FloatField, Min, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce

from coc_admin.console.queries import PAGE
from coc_admin.pager import Column, Keyset, Page
from orders.desk.shortages import (
    OPEN_UNITS_OF_ORDER,
    OPEN_VALUE_OF_ORDER,
    Key,
    money_of,
    open_items_of,
    stock_of,
)
from orders.fields import ZERO
from orders.models import Order

# Sorts of short SKUs; SKUs with equal values are sorted by the oldest order.
_PLACES = {
    "oldest": Min("captured_at"),
    "worth": Coalesce(Sum(OPEN_VALUE_OF_ORDER), Value(0.0)),
    "short": Sum(Cast(OPEN_UNITS_OF_ORDER, FloatField())),
}
_NAMED = (Column("list_id", str), Column("sku", str))
_SORTS = {
    "oldest": Keyset(Column("oldest", datetime), *_NAMED),
    "newest": Keyset(Column("oldest", datetime, True), *_NAMED),
    "highest": Keyset(Column("worth", float, True), *_NAMED),
    "lowest": Keyset(Column("worth", float), *_NAMED),
    "most": Keyset(Column("short", float, True), *_NAMED),
    "fewest": Keyset(Column("short", float), *_NAMED),
    "sku": Keyset(Column("sku", str), Column("list_id", str)),
    "sku_last": Keyset(Column("sku", str, True), Column("list_id", str, True)),
}


@dataclass(frozen=True, slots=True)
class ShortSku:
    """Short units of one SKU of one list over all orders, and its current stock."""

    list_id: str
    sku: str
    name: str
    orders: int
    units: Decimal
    oldest: datetime
    value: Mapping[str, Decimal]  # by currency
    ato: Decimal | None  # None: not counted


def page_of_short_skus(
    orders: QuerySet[Order], *, sku: str, cursor: str, sort: str
) -> Page[ShortSku]:
    """Return the short SKUs of `orders`, or the one named, after `cursor`; three queries.

    They are sorted by one of _SORTS.
    """
    keyset = _SORTS[sort]
    place = keyset.columns[0].name if keyset.columns[0].name in _PLACES else "oldest"
    items = open_items_of(orders)
    # Reads only the sort values of all SKUs: counting orders separately would sort them first.
    groups = (
        (items.filter(sku=sku) if sku else items)
        .values("list_id", "sku")
        .annotate(**{place: _PLACES[place]})
    )
    page = keyset.page(groups, cursor, size=PAGE)
    keys = [(row["list_id"], row["sku"]) for row in page.rows]
    return replace(page, rows=_short_skus(keys, items))


def _short_skus(keys: Sequence[Key], items: Any) -> list[ShortSku]:
    stock = stock_of(keys)
    parts: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for part in (
        items.filter(sku__in=[sku for (list_id, sku) in keys])
        .values("list_id", "sku", "currency")
        .annotate(
            # An order has one currency.
            number=Count("pk", distinct=True),
            units=Sum(OPEN_UNITS_OF_ORDER),
            oldest=Min("captured_at"),
            worth=Sum(OPEN_VALUE_OF_ORDER),
            name=Min("items__product_name"),
        )
        .order_by("currency")
    ):
        parts[(part["list_id"], part["sku"])].append(part)
    # Orders settled since the first query are left out.
    return [_short_sku(key, parts[key], stock.get(key)) for key in keys if key in parts]


def _short_sku(key: Key, parts: Sequence[Mapping[str, Any]], ato: Decimal | None) -> ShortSku:
    list_id, sku = key
    return ShortSku(
        list_id=list_id,
        sku=sku,
        name=min(part["name"] for part in parts),
        orders=sum(part["number"] for part in parts),
        units=sum((part["units"] for part in parts), ZERO),
        oldest=min(part["oldest"] for part in parts),
        value={p["currency"]: money_of(p["worth"]) for p in parts if p["worth"] is not None},
        ato=ato,
    )

"""Possible replacements for a short SKU: in the same list, in stock, similar in name and price."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import (
    Case,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from orders.models import Hold, InventoryRecord, OrderItem
from orders.permitted_lists import may_sell_from
from orders.search_expressions import ByteOrder, begins_with
from reconciliation.reservation.fence import WAITING

_WORD = re.compile(r"[^\W\d_]{3,}")
_MOST_WORDS = 6
# Ranked by name and ATO in the database; prices are compared among these.
_CANDIDATES = 40


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One SKU that could replace another; `unit_price` is the price in its site's latest order."""

    sku: str
    product_name: str
    ato: Decimal
    snapshot_at: datetime | None
    unit_price: Decimal | None
    shared_words: tuple[str, ...]


def suggest(*, item: OrderItem, units: Decimal | None = None, limit: int = 8) -> list[Suggestion]:
    """Return SKUs that could replace `units` (default: the open ones) of an item, best first.

    Ranked by shared words of the name, then by similar price, then by ATO; if none shares a word,
    any SKUs. SKUs with waiting orders are left out. Two queries, however many SKUs the list has.
    """
    words = _words(item.product_name)
    named = [
        Case(When(product_name__icontains=word, then=1), default=0, output_field=IntegerField())
        for word in words
    ]
    shared = sum(named, Value(0, output_field=IntegerField()))
    records = _in_stock(item, units).annotate(shared=shared).order_by("-shared", "-ato", "sku")
    candidates = list(records[:_CANDIDATES])
    alike = [record for record in candidates if record.shared]
    return _ranked(item, alike or candidates, words)[:limit]


def search(
    *, item: OrderItem, text: str, units: Decimal | None = None, limit: int = 20
) -> list[Suggestion]:
    """Return SKUs in stock that begin with `text`, or contain it in their name; two queries."""
    begins = _in_stock(item, units).annotate(bytes=ByteOrder("sku"))
    wanted = begins_with("bytes", text) | Q(product_name__icontains=text)
    found = list(begins.filter(wanted).order_by("sku")[:_CANDIDATES])
    exact = [record for record in found if record.sku == text]
    rest = [record for record in found if record.sku != text]
    return _with_prices(item, exact + rest, _words(item.product_name))[:limit]


def usual_price(*, item: OrderItem, sku: str) -> Decimal | None:
    """Return the unit price of `sku` in the latest order of the item's site, list and currency."""
    latest = _paid(item).filter(sku=sku, inventory_list=item.inventory_list_id)
    return latest.values_list("unit_price", flat=True).first()


def _in_stock(item: OrderItem, units: Decimal | None) -> QuerySet[InventoryRecord]:
    wanted = item.open_quantity if units is None else units
    siblings = OrderItem.objects.filter(order=item.order_id).values("sku")
    waited_for = Hold.objects.filter(WAITING, record=OuterRef("pk"))
    stock = InventoryRecord.objects.filter(
        ~Exists(waited_for), inventory_list=item.inventory_list_id, ato__gte=wanted, ato__gt=0
    )
    return stock.filter(may_sell_from(item.order.site_id, "inventory_list")).exclude(
        sku__in=siblings
    )


def _words(name: str) -> tuple[str, ...]:
    """Return the lower-case words of a product's name, the longest first."""
    words = {word.lower() for word in _WORD.findall(name)}
    return tuple(sorted(words, key=lambda word: (-len(word), word))[:_MOST_WORDS])


def _ranked(
    item: OrderItem, records: Iterable[InventoryRecord], words: Sequence[str]
) -> list[Suggestion]:
    def rank(one: Suggestion) -> tuple[object, ...]:
        far = (
            abs(one.unit_price - item.unit_price)
            if one.unit_price is not None and item.unit_price is not None
            else Decimal("Infinity")
        )
        return (-len(one.shared_words), far, -one.ato, one.sku)

    return sorted(_with_prices(item, records, words), key=rank)


def _with_prices(
    item: OrderItem, records: Iterable[InventoryRecord], words: Sequence[str]
) -> list[Suggestion]:
    records = list(records)
    prices = _prices(item, [record.pk for record in records])
    return [
        Suggestion(
            sku=record.sku,
            product_name=record.product_name,
            ato=record.ato,
            snapshot_at=record.snapshot_at,
            unit_price=prices.get(record.pk),
            shared_words=tuple(w for w in words if w in record.product_name.lower()),
        )
        for record in records
    ]


def _prices(item: OrderItem, record_ids: Sequence[int]) -> dict[int, Decimal | None]:
    """Return unit prices by record, from the latest orders of the item's site and currency."""
    latest = _paid(item).filter(sku=OuterRef("sku"), inventory_list=OuterRef("inventory_list"))
    found = InventoryRecord.objects.filter(pk__in=record_ids).annotate(
        price=Subquery(latest.values("unit_price")[:1])
    )
    return dict(found.values_list("pk", "price"))


def _paid(item: OrderItem) -> QuerySet[OrderItem]:
    """Return items with a price in the currency of an item, the latest first.

    Only items of its site: each site has its own prices, which people of other sites must not see.
    """
    order = item.order
    found = OrderItem.objects.filter(
        unit_price__isnull=False, order__site=order.site_id, order__currency=order.currency
    )
    return found.order_by("-pk")

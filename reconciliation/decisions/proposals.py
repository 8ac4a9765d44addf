"""The remedy that is proposed for a short order: the one that keeps most of what was ordered.

In this order: reserve again, if last known stock is enough; replace its only short item by one
of a similar name; split it: replace those of several short items that have one of a similar name,
and cancel the others; cancel the short items and ship the rest; cancel the order.
The first one that the order allows is proposed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q

from orders import lifecycle
from orders.desk.shortages import Shortage
from orders.lifecycle import Action
from orders.models import Hold, InventoryRecord, Order, OrderItem
from reconciliation import remedies
from reconciliation.reservation.fence import WAITING

_WORD = re.compile(r"[^\W\d_]{3,}")
# A page of orders is short of few products; each word is one more comparison with each record.
_MOST_WORDS = 16
_MOST_RECORDS = 400


class Remedy(StrEnum):
    """What a person can decide about a short order on the desk."""

    RESERVE_AGAIN = "reserve_again"
    REPLACE = "replace"
    SPLIT = "split"
    CANCEL_ITEMS = "cancel_items"
    CANCEL_ORDER = "cancel_order"
    SETTLE = "settle"


ACTIONS: Mapping[Remedy, Action] = {
    Remedy.RESERVE_AGAIN: Action.RESERVE_AGAIN,
    Remedy.REPLACE: Action.REPLACE,
    Remedy.SPLIT: Action.REPLACE,
    Remedy.CANCEL_ITEMS: Action.CANCEL_SHORT,
    Remedy.CANCEL_ORDER: Action.CANCEL,
    Remedy.SETTLE: Action.SETTLE_OUTSIDE,
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """The best remedy of an order, or None if a person must look at it first.

    `sku` is what replaces its only short item, where that is the remedy. `parts` are the short
    SKUs of a split with what replaces each.
    """

    remedy: Remedy | None
    sku: str = ""
    parts: tuple[tuple[str, str], ...] = ()


def propose(orders: Sequence[Order], shortages: Mapping[int, Shortage]) -> dict[int, Proposal]:
    """Return the proposal for each of `orders`, by key; as many queries for one as for many."""
    alike = _alike([shortages[order.pk] for order in orders if _may_replace(order, shortages)])
    ordered: dict[int, set[str]] = defaultdict(set)
    rows = OrderItem.objects.filter(order__in=[order.pk for order in orders]).order_by()
    for key, sku in rows.values_list("order", "sku"):
        ordered[key].add(sku)
    found = {}
    for order in orders:
        others = [record for record in alike if record.sku not in ordered[order.pk]]
        found[order.pk] = _proposal(order, shortages[order.pk], others)
    return found


def _may_replace(order: Order, shortages: Mapping[int, Shortage]) -> bool:
    has_items = bool(shortages[order.pk].by_key)
    return has_items and lifecycle.check(order, Action.REPLACE) is None


def _proposal(order: Order, shortage: Shortage, alike: Sequence[InventoryRecord]) -> Proposal:
    def is_open(remedy: Remedy) -> bool:
        return lifecycle.check(order, ACTIONS[remedy]) is None

    if order.needs_review_since is not None:
        return Proposal(None)
    if shortage.stock == "enough" and is_open(Remedy.RESERVE_AGAIN):
        return Proposal(Remedy.RESERVE_AGAIN)
    if is_open(Remedy.REPLACE):
        parts = _parts(shortage, alike)
        if parts and len(shortage.by_key) == 1:
            return Proposal(Remedy.REPLACE, parts[0][1])
        if parts:
            return Proposal(Remedy.SPLIT, parts=parts)
    for remedy in (Remedy.CANCEL_ITEMS, Remedy.CANCEL_ORDER):
        if is_open(remedy):
            return Proposal(remedy)
    return Proposal(None)


def words_of(name: str) -> set[str]:
    """Return the words of a product's name in small letters."""
    return {word.lower() for word in _WORD.findall(name)}


def _parts(shortage: Shortage, alike: Sequence[InventoryRecord]) -> tuple[tuple[str, str], ...]:
    """Return the short SKUs that can be replaced with what replaces each; no SKU serves two."""
    found: list[tuple[str, str]] = []
    for (list_id, sku), units in shortage.by_key.items():
        taken = {by for _sku, by in found}
        free = [record for record in alike if record.sku not in taken]
        if by := _best(list_id, shortage.names[sku], units, free):
            found.append((sku, by))
    return tuple(found)


def _best(list_id: str, name: str, units: Decimal, alike: Sequence[InventoryRecord]) -> str:
    """Return the SKU most like a short one in name, of which there is enough, or ""."""
    words = words_of(name)
    found: list[tuple[int, Decimal, str]] = []
    for record in alike:
        shared = len(words & words_of(record.product_name))
        if record.inventory_list_id == list_id and record.ato >= units:
            found.append((-shared, -record.ato, record.sku))
    best = min(found, default=None)
    return best[2] if best and best[0] else ""


def _alike(shortages: Collection[Shortage]) -> list[InventoryRecord]:
    """Return records in stock whose names have the main word of a short product; one query."""
    if remedies.why_oci_is_away():
        return []
    names = {name for shortage in shortages for name in shortage.names.values()}
    main = sorted({max(words, key=len) for name in names if (words := sorted(words_of(name)))})
    lists = {list_id for shortage in shortages for list_id, _sku in shortage.by_key}
    named = Q(pk__in=())
    for word in main[:_MOST_WORDS]:
        named |= Q(product_name__icontains=word)
    waited_for = Hold.objects.filter(WAITING, record=OuterRef("pk"))
    records = InventoryRecord.objects.filter(
        named, ~Exists(waited_for), inventory_list__in=lists, ato__gt=0
    )
    return list(records.order_by("-ato", "sku")[:_MOST_RECORDS])

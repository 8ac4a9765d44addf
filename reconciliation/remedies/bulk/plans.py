"""The current effect of a bulk remedy on each of its orders; changes nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from orders import lifecycle, refusals, settlement
from orders.fields import ZERO
from orders.lifecycle import Action, Refusal
from orders.models import (
    Hold,
    Order,
    OrderItem,
)
from orders.models.inventory import OPEN_HOLDS
from orders.units import Units, units_of
from reconciliation.models import BulkKind, BulkLine, BulkRemedy, ReservationDocument
from reconciliation.remedies.bulk import ask_plans
from reconciliation.remedies.bulk.ask_plans import Offered
from reconciliation.remedies.bulk.replace_plans import Replacing, judge
from reconciliation.reservation.release import MAY_HOLD


class _Closed(TypedDict):
    closed: str
    why: str


@dataclass(frozen=True, slots=True)
class Planned:
    """One selected order and the remedy's effect on it; none if it is `closed`."""

    line: BulkLine
    order: Order
    items: list[OrderItem]
    closed: str  # why it stays unchanged, in the reader's language
    why: str  # the same as a code
    already: bool  # because the remedy was applied before
    held: Decimal  # units that its holds keep off ATO
    documents: int  # under which OCI may hold units
    replacing: Replacing | None = None  # the item to replace, for replacing
    choice: tuple[str, ...] = ()  # the replacement and its price
    offered: Offered | None = None  # the customer's question, for asking

    @property
    def open_items(self) -> list[OrderItem]:
        """The items with open short units, neither cancelled nor replaced."""
        return [item for item in self.items if item.open_quantity > 0]

    @property
    def cancelled_items(self) -> list[OrderItem]:
        """The items with cancelled units."""
        return [item for item in self.items if item.cancelled_quantity > 0]

    @property
    def reserved(self) -> Decimal:
        """Units that OCI holds for the order."""
        return units_of(self.order, self.items).reserved

    @property
    def mark(self) -> str:
        """Fingerprint of the order as shown; changes when the order changes."""
        order = self.order
        facts = [order.status, order.reservation_state, order.resolution, order.resolution_by]
        facts += [
            order.export_status,
            str(order.generation),
            str(order.needs_review_since),
            *self.choice,
        ]
        lacks_stock = self.replacing is not None and self.replacing.lacks_stock
        # A SKU's stock changes all the time; the page showed only that there is too little.
        facts.append("stock" if lacks_stock else self.why)
        facts += [
            f"{item.pk}:{item.reserved_quantity}:{item.cancelled_quantity}:{item.replaced_quantity}"
            for item in self.items
        ]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def plan(
    bulk: BulkRemedy, *, site_ids: Collection[str] | None = None, now: datetime
) -> list[Planned]:
    """Return the effect on each order, oldest promise first; a bounded number of queries.

    Orders of sites outside `site_ids` (None: all) are left out.
    """
    lines = {line.order_id: line for line in bulk.lines.all()}
    found = Order.objects.filter(pk__in=list(lines))
    if site_ids is not None:
        found = found.filter(site__in=site_ids)
    orders = list(found.order_by("captured_at", "id"))
    keys = [order.pk for order in orders]
    items: dict[int, list[OrderItem]] = defaultdict(list)
    for item in OrderItem.objects.filter(order__in=keys).order_by("order", "position"):
        items[item.order_id].append(item)
    kind = BulkKind(bulk.kind)
    if kind == BulkKind.REPLACE:
        return _plan_replacing(bulk, orders, lines, items, now=now)
    if kind == BulkKind.ASK:
        return _plan_offers(orders, lines, items, now=now)
    held, documents = _held(keys), _documents(keys)
    return [
        _planned(kind, lines[order.pk], items[order.pk], held, documents, order=order, now=now)
        for order in orders
    ]


def plan_one(kind: BulkKind, order: Order, *, now: datetime) -> Planned:
    """Return the effect of a remedy, any but replacing, on one order; stores nothing."""
    items = list(
        OrderItem.objects.filter(order=order).select_related("parent").order_by("position")
    )
    held, documents = _held([order.pk]), _documents([order.pk])
    return _planned(kind, BulkLine(order=order), items, held, documents, order=order, now=now)


def _planned(
    kind: BulkKind,
    line: BulkLine,
    items: list[OrderItem],
    held: Mapping[int, Decimal],
    documents: Mapping[int, int],
    *,
    order: Order,
    now: datetime,
) -> Planned:
    refusal = check(kind, order, items)
    return Planned(
        line=line,
        order=order,
        items=items,
        **_closed(kind, order, refusal, now=now),
        already=refusal is not None and refusal.is_done,
        held=held.get(order.pk, ZERO),
        documents=documents.get(order.pk, 0),
    )


def _plan_replacing(
    bulk: BulkRemedy,
    orders: Sequence[Order],
    lines: Mapping[int, BulkLine],
    items: Mapping[int, list[OrderItem]],
    *,
    now: datetime,
) -> list[Planned]:
    price = "" if bulk.unit_price is None else f"{bulk.unit_price.normalize():f}"
    choice = (bulk.inventory_list_id or "", bulk.currency, bulk.short_sku, bulk.sku, price)
    judged = judge(bulk, orders, items, now=now)
    return [
        Planned(
            line=lines[order.pk],
            order=order,
            items=items[order.pk],
            closed=judged[order.pk].closed,
            why=judged[order.pk].why,
            already=judged[order.pk].already,
            held=ZERO,
            documents=0,
            replacing=judged[order.pk],
            choice=choice,
        )
        for order in orders
    ]


def sums_of(planned: Sequence[Planned]) -> Units:
    """Return the total units of the orders of a plan; no query."""
    all_units = [units_of(one.order, one.items) for one in planned]
    return Units(
        ordered=sum((units.ordered for units in all_units), ZERO),
        reserved=sum((units.reserved for units in all_units), ZERO),
        short=sum((item.open_quantity for one in planned for item in one.open_items), ZERO),
        cancelled=sum((units.cancelled for units in all_units), ZERO),
        replaced=sum((units.replaced for units in all_units), ZERO),
        is_answered=all(units.is_answered for units in all_units),
    )


def _plan_offers(
    orders: Sequence[Order],
    lines: Mapping[int, BulkLine],
    items: Mapping[int, list[OrderItem]],
    *,
    now: datetime,
) -> list[Planned]:
    judged = ask_plans.judge(orders, lines, items, now=now)
    planned = []
    for order in orders:
        own, offered = lines[order.pk], judged[order.pk]
        refusal = check(BulkKind.ASK, order, items[order.pk])
        closed = _closed(BulkKind.ASK, order, refusal, now=now)
        if not closed["closed"]:
            closed = {"closed": offered.closed, "why": offered.why}
        planned.append(
            Planned(
                line=own,
                order=order,
                items=items[order.pk],
                **closed,
                already=offered.why == "asked",
                held=ZERO,
                documents=0,
                choice=tuple(f"{name}={own.offer[name]}" for name in sorted(own.offer)),
                offered=offered,
            )
        )
    return planned


def settled_words(order: Order) -> str:
    """Return the outcome of an order, and who decided it, in words."""
    if order.resolution:
        return _("%(done)s by %(who)s.") % {
            "done": order.get_resolution_display(),
            "who": order.resolution_by,
        }
    return _("It is open.")


_ACTIONS = {
    BulkKind.CANCEL: Action.CANCEL,
    BulkKind.CANCEL_SHORT: Action.CANCEL_SHORT,
    BulkKind.SETTLE_OUTSIDE: Action.SETTLE_OUTSIDE,
    BulkKind.ASK: Action.KEEP_PLACE,
}


def check(kind: BulkKind, order: Order, items: Iterable[OrderItem]) -> Refusal | None:
    """Return why a remedy, any but replacing, is not open to an order with these items."""
    if kind == BulkKind.REOPEN:
        has_cancelled = any(item.cancelled_quantity for item in items)
        return settlement.check_reopen(order, has_cancelled=has_cancelled)
    return lifecycle.check(order, _ACTIONS[kind])


def _closed(kind: BulkKind, order: Order, refusal: Refusal | None, *, now: datetime) -> _Closed:
    if refusal is not None:
        words = settled_words(order) if refusal.is_done else refusal.sentence
        return {"closed": words, "why": refusal.code}
    if kind != BulkKind.CANCEL and lifecycle.is_claimed(order, now=now):
        return {"closed": refusals.moved_on(), "why": "moved_on"}
    return {"closed": "", "why": ""}


def _held(order_ids: list[int]) -> dict[int, Decimal]:
    rows = Hold.objects.filter(order__in=order_ids, state__in=OPEN_HOLDS).order_by()
    return dict(rows.values_list("order").annotate(units=Sum("quantity")))


def _documents(order_ids: list[int]) -> dict[int, int]:
    rows = ReservationDocument.objects.filter(
        order__in=order_ids, state__in=MAY_HOLD, sends__gt=0
    ).order_by()
    return dict(rows.values_list("order").annotate(number=Count("pk")))

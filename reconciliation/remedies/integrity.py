"""Faults of rows written by remedies; a part of the integrity check."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q, Sum

from orders import open_remedies, replacements
from orders.adjustment_lines import kept_of
from orders.adjustments import keeps_of
from orders.fields import ZERO
from orders.models import (
    SETTLED_STATES,
    Adjustment,
    Hold,
    HoldState,
    Order,
    OrderItem,
    OrderStatus,
    Replacement,
    Resolution,
)
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.orders import SHORT
from orders.models.replacements import OPEN_REPLACEMENT
from orders.units import open_units
from reconciliation.models import DocumentState, Purpose, ReservationDocument

Fault = tuple[int, Order, str]
"""The number of the promise, the order, and how it breaks the promise."""


def faults() -> Iterator[Fault]:
    """Yield the faults of replacements, adjustments and settled orders."""
    yield from _marks_against_rows()
    yield from _remedies_against_rows()
    yield from _orders_against_items()


def _marks_against_rows() -> Iterator[Fault]:
    """Promise 2: an open remedy blocks all other changes; an ended one blocks nothing."""
    found = open_remedies.mismatched()
    for order in Order.objects.filter(pk__in=found).order_by("pk"):
        there = found[order.pk] or "none"
        yield 2, order, f"marked as {order.open_remedy or 'none'}, and its open remedy is {there}"


def _remedies_against_rows() -> Iterator[Fault]:
    """Promises 2 and 3: exactly the open remedies have a hold."""
    replaced = Replacement.objects.filter(OPEN_REPLACEMENT)
    adjusted = Adjustment.objects.filter(OPEN_ADJUSTMENT)
    waiting = Hold.objects.filter(
        state=HoldState.WAITING, order__reservation_state__in=SETTLED_STATES
    )
    # An order that is being cancelled keeps its hold until OCI has released everything.
    nobodys = waiting.exclude(order__status=OrderStatus.CANCELLING)
    nobodys = nobodys.exclude(order__in=replaced.values("order"))
    nobodys = nobodys.exclude(order__in=adjusted.values("order"))
    for hold in nobodys.select_related("order"):
        yield 3, hold.order, f"settled, and {hold.quantity} wait for an answer"
    for one in replaced.select_related("order"):
        for (list_id, sku), units in replacements.KIND.wanted(one).items():
            kept = waiting.filter(order=one.order_id, quantity=units)
            if not kept.filter(record__sku=sku, record__inventory_list=list_id).exists():
                yield 3, one.order, f"its replacement ({one}) does not hold its units"
    for adjustment in adjusted.select_related("order"):
        for (list_id, sku), units in kept_of(keeps_of(adjustment)).items():
            held = waiting.filter(order=adjustment.order_id, quantity=units)
            if not held.filter(record__sku=sku, record__inventory_list=list_id).exists():
                yield 3, adjustment.order, f"{adjustment} does not hold its {sku}"
    unanswered = ReservationDocument.objects.filter(
        state__in=[DocumentState.PREPARED, DocumentState.ANSWERED]
    ).select_related("order")
    # The process that called OCI for a cancelled order may have died: the call is undone when the
    # claim ends.
    unanswered = unanswered.exclude(order__status=OrderStatus.CANCELLING)
    orders = {
        Purpose.REPLACEMENT: Order.objects.filter(pk__in=replaced.values("order")),
        Purpose.ADJUSTMENT: Order.objects.filter(pk__in=adjusted.values("order")),
    }
    for purpose, busy in orders.items():
        for document in unanswered.filter(purpose=purpose).exclude(order__in=busy):
            yield 2, document.order, f"nothing asks for reservation {document.reservation_id}"


def _orders_against_items() -> Iterator[Fault]:
    """Promise 1: replaced units exist as items, and settled units are recorded."""
    standing_in = OrderItem.objects.filter(replaces__isnull=False)
    replaced = OrderItem.objects.filter(
        Q(replaced_quantity__gt=0) | Q(pk__in=standing_in.values("replaces"))
    )
    for item in replaced.annotate(made=Sum("replacements__quantity")).select_related("order"):
        made = item.made or ZERO
        if item.replaced_quantity != made:
            yield 1, item.order, f"{item.replaced_quantity} of {item.sku} replaced, by {made}"
    left = open_units("items__")
    short = Order.objects.filter(SHORT, status=OrderStatus.NEW).annotate(left=Sum(left))
    for order in short.filter(left=0, resolution=Resolution.NONE):
        yield 1, order, "nothing of it is open, and it is not settled"
    by_items = [Resolution.SHORT_CANCELLED, Resolution.REPLACED]
    for order in short.filter(left__gt=0, resolution__in=by_items):
        yield 1, order, f"settled as {order.resolution}, and something is open"
    for order in Order.objects.filter(SHORT, short_at=None):
        yield 1, order, "short, and not marked for the oversold report"

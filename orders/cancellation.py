"""Cancelling an order.

An order that OCI may hold something for goes through *cancelling*: it leaves the queue at once, and
is *cancelled*, its ATO given back, when everything at OCI has been undone
(`reconciliation.reservation.release`). A worker that is reserving it can no longer settle it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from orders import asks, events, ledger, lifecycle, waiting_messages
from orders.actors import Actor
from orders.errors import CannotCancel
from orders.lifecycle import Action
from orders.models import (
    Adjustment,
    AdjustmentState,
    EventKind,
    ExportStatus,
    Order,
    OrderItem,
    OrderStatus,
    Replacement,
    ReplacementState,
    Resolution,
)
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.replacements import OPEN_REPLACEMENT
from orders.refusals import moved_on


def request_cancellation(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Begin to cancel an order. Idempotent. Return the order as it stands.

    Order management is no longer offered it, and a review of it ends: this is the outcome of
    it. An order can also be cancelled if it was short and then reserved again, or corrected by
    cancelled or replaced items.
    Raises CannotCancel for an order that has failed, has been exported or was settled outside.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if lifecycle.is_done(lifecycle.check(order, Action.CANCEL), CannotCancel):
            return order
        won = Order.objects.filter(lifecycle.open_to(Action.CANCEL), pk=order_id).update(
            status=OrderStatus.CANCELLING,
            export_status=ExportStatus.NOT_EXPORTED,
            export_due_at=None,
            needs_review_since=None,
            needs_review_reason="",
            open_remedy=None,
            resolution=Resolution.CANCELLED,
            resolution_at=now,
            resolution_by=actor.name[:150],
            resolution_note=reason[:1000],
        )
        if not won:
            raise CannotCancel(moved_on())
        waiting_messages.discard(order.pk)
        Replacement.objects.filter(OPEN_REPLACEMENT, order=order).update(
            state=ReplacementState.CANCELLED, ended_at=now
        )
        Adjustment.objects.filter(OPEN_ADJUSTMENT, order=order).update(
            state=AdjustmentState.CANCELLED, ended_at=now
        )
        order.refresh_from_db()
        asks.withdraw(order, actor=actor, now=now)
        events.record(
            order=order, kind=EventKind.CANCEL_REQUESTED, actor=actor, reason=reason, now=now
        )
        return order


def take_release_claim(*, order_id: int, holder: str, until: datetime, now: datetime) -> bool:
    """Become the one who undoes a cancelled order at OCI; False while somebody calls OCI for it."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now) | Q(claim=holder)
    return bool(
        Order.objects.filter(free, pk=order_id, status=OrderStatus.CANCELLING).update(
            claim=holder, claimed_until=until
        )
    )


def finish_cancellation(
    *, order_id: int, holder: str, actor: Actor, reason: str, now: datetime
) -> bool:
    """Complete a cancellation once OCI holds nothing; False if it is not ours to complete.

    `holder` has the release claim: no other process may call OCI for the order.
    """
    with transaction.atomic():
        won = Order.objects.filter(pk=order_id, claim=holder, status=OrderStatus.CANCELLING).update(
            status=OrderStatus.CANCELLED,
            claim="",
            claimed_until=None,
            needs_review_since=None,
            needs_review_reason="",
        )
        if not won:
            return False
        order = Order.objects.get(pk=order_id)
        OrderItem.objects.filter(order=order).update(reserved_quantity=0, open_short=None)
        ledger.release(order=order, now=now)
        events.record(order=order, kind=EventKind.CANCELLED, actor=actor, reason=reason, now=now)
        return True

"""Recording that a short order was settled outside, and reopening it.

Cancelled short items are reopened here as well (`orders.short_items`).

What a person secured elsewhere is never shown as reserved: quantities and reservation state stay as
OCI answered them; the resolution records the action, its time and person (design 2, 7).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from orders import asks, events, handover, lifecycle, promises
from orders.actors import Actor
from orders.errors import CannotSettle
from orders.lifecycle import Action, Code, Refusal
from orders.models import (
    EventKind,
    Order,
    OrderItem,
    Resolution,
)
from orders.refusals import moved_on
from orders.short_items import settled_as
from orders.units import note_open


def settle_outside(
    *, order_id: int, reference: str, actor: Actor, reason: str, now: datetime
) -> Order:
    """Record that the shortfall of an order was secured by other means, under `reference`.

    The order leaves the list of oversold orders and is not reserved again by any run. Recorded
    before with the same reference, nothing changes. Raises CannotSettle for an order that is not
    short, that was settled otherwise, or that is being reserved.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        note = _note(reference, reason)
        if order.resolution == Resolution.SETTLED_OUTSIDE and order.resolution_note == note:
            return order
        lifecycle.require(order, Action.SETTLE_OUTSIDE, CannotSettle)
        return _change(
            order,
            Action.SETTLE_OUTSIDE,
            kind=EventKind.RESOLVED,
            actor=actor,
            reason=note,
            now=now,
            before=Resolution.NONE,
            values=settled_as(
                Resolution.SETTLED_OUTSIDE, actor, note=note, reference=reference, now=now
            ),
        )


def reopen(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Take back that an order was settled outside, or that short items of it were cancelled.

    The order is oversold again, and may be remedied. One that is open already stays as it is.
    Raises CannotSettle for one settled otherwise, and when order management knows of the
    cancelled items.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        cancelled = OrderItem.objects.none()
        if order.resolution != Resolution.SETTLED_OUTSIDE:
            cancelled = OrderItem.objects.filter(order=order, cancelled_quantity__gt=0)
        if lifecycle.is_done(check_reopen(order, has_cancelled=cancelled.exists()), CannotSettle):
            return order
        changed = _change(
            order,
            Action.REOPEN,
            kind=EventKind.REOPENED,
            actor=actor,
            reason=reason,
            now=now,
            before=Resolution(order.resolution),
            values={
                "resolution": Resolution.NONE,
                "resolution_at": None,
                "resolution_by": "",
                "resolution_note": "",
                "resolution_reference": "",
                **handover.columns_when_opened_again(order=order, now=now),
            },
        )
        cancelled.update(cancelled_quantity=0)
        note_open(OrderItem.objects.filter(order=order))
        promises.note_open([order_id], now=now)
        return changed


def check_reopen(order: Order, *, has_cancelled: bool) -> Refusal | None:
    """Return why `order` can't be reopened, or None if it can; no query.

    `has_cancelled` says whether short items of it were cancelled: without any there is nothing to
    undo but that the order was settled outside.
    """
    if order.resolution == Resolution.SETTLED_OUTSIDE or has_cancelled:
        return lifecycle.check(order, Action.REOPEN)
    if order.resolution == Resolution.NONE:
        return lifecycle.refuse(order, Action.REOPEN, Code.NOT_SETTLED, is_done=True)
    return lifecycle.refuse(order, Action.REOPEN, Code.CANNOT_UNDO)


def _note(reference: str, reason: str) -> str:
    return f"{reference}: {reason}"[:1000]


def _change(
    order: Order,
    action: Action,
    *,
    kind: EventKind,
    actor: Actor,
    reason: str,
    now: datetime,
    before: Resolution,
    values: dict[str, Any],
) -> Order:
    """Write `values` unless the order has moved on since it was read. Raises CannotSettle.

    A claim that has run out is taken away: its holder may live, and must not count an answer now.
    """
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    won = Order.objects.filter(
        unclaimed, lifecycle.open_to(action), pk=order.pk, resolution=before
    ).update(claim="", claimed_until=None, **values)
    if not won:
        raise CannotSettle(moved_on())
    order.refresh_from_db()
    asks.withdraw(order, actor=actor, now=now)
    data = {"resolution": values["resolution"]} if values["resolution"] else {}
    events.record(order=order, kind=kind, actor=actor, reason=reason, now=now, data=data)
    return order

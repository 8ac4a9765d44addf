"""Recording that a short order was settled by other means, and taking that back.

What a person secured elsewhere is never shown as reserved: quantities and reservation state stay as
OCI answered them; the resolution says what was done, when and by whom (design 2, 7).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from orders import events
from orders.actors import Actor
from orders.errors import CannotSettle
from orders.models import EventKind, Order, OrderStatus, ReservationState, Resolution

_SHORT = (ReservationState.PARTIAL, ReservationState.NOTHING)


def settle_outside(
    *, order_id: int, reference: str, actor: Actor, reason: str, now: datetime
) -> Order:
    """Record that the shortfall of an order was secured by other means, under `reference`.

    The order leaves the list of oversold orders and is not reserved again by any run. Recorded
    before with the same reference, nothing changes. Raises CannotSettle for an order that is not
    short, that was settled otherwise, or that somebody is reserving just now.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        note = _note(reference, reason)
        if order.resolution == Resolution.SETTLED_OUTSIDE and order.resolution_note == note:
            return order
        _check_short(order)
        return _change(
            order,
            kind=EventKind.RESOLVED,
            actor=actor,
            reason=note,
            now=now,
            before=Resolution.NONE,
            values={
                "resolution": Resolution.SETTLED_OUTSIDE,
                "resolution_at": now,
                "resolution_by": actor.name[:150],
                "resolution_note": note,
            },
        )


def reopen(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Take back that an order was settled outside: it is oversold again, and may be remedied.

    An order that is open already stays as it is. Raises CannotSettle for one settled otherwise.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.resolution == Resolution.NONE:
            return order
        if order.resolution != Resolution.SETTLED_OUTSIDE:
            raise CannotSettle(
                f"The order was settled as {order.get_resolution_display().lower()}; that cannot"
                " be taken back."
            )
        return _change(
            order,
            kind=EventKind.REOPENED,
            actor=actor,
            reason=reason,
            now=now,
            before=Resolution.SETTLED_OUTSIDE,
            values={
                "resolution": Resolution.NONE,
                "resolution_at": None,
                "resolution_by": "",
                "resolution_note": "",
            },
        )


def _note(reference: str, reason: str) -> str:
    return f"{reference}: {reason}"[:1000]


def _check_short(order: Order) -> None:
    if order.status != OrderStatus.NEW:
        raise CannotSettle(f"The order is {order.get_status_display().lower()}.")
    if order.reservation_state not in _SHORT:
        raise CannotSettle(
            f"The order is {order.get_reservation_state_display()}: nothing of it is short."
        )
    if order.resolution:
        raise CannotSettle(
            f"The order was settled as {order.get_resolution_display().lower()} by"
            f" {order.resolution_by}."
        )


def _change(
    order: Order,
    *,
    kind: EventKind,
    actor: Actor,
    reason: str,
    now: datetime,
    before: Resolution,
    values: dict[str, Any],
) -> Order:
    """Write `values` unless the order has moved on since it was read. Raises CannotSettle."""
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    won = Order.objects.filter(
        unclaimed,
        pk=order.pk,
        status=OrderStatus.NEW,
        reservation_state__in=_SHORT,
        resolution=before,
    ).update(**values)
    if not won:
        raise CannotSettle(
            "The order is being reserved just now, or somebody has changed it; look at it again."
        )
    order.refresh_from_db()
    data = {"resolution": values["resolution"]} if values["resolution"] else {}
    events.record(order=order, kind=kind, actor=actor, reason=reason, now=now, data=data)
    return order

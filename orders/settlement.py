"""Recording that a short order was settled by other means, and taking that back.

So are cancelled short items taken back (`orders.short_items`).

What a person secured elsewhere is never shown as reserved: quantities and reservation state stay as
OCI answered them; the resolution says what was done, when and by whom (design 2, 7).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from orders import events
from orders.actors import Actor
from orders.errors import CannotSettle
from orders.models import (
    EventKind,
    ExportStatus,
    Order,
    OrderItem,
    OrderStatus,
    Resolution,
)
from orders.open_remedy import check_nothing_under_way
from orders.refusals import moved_on, not_accepted, settled_already
from orders.short_items import SHORT_STATES, settled_as


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
            values=settled_as(Resolution.SETTLED_OUTSIDE, actor, note=note, now=now),
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
            has_cancelled = cancelled.exists()
            if order.resolution == Resolution.NONE and not has_cancelled:
                return order
            if closed := why_not_reopen(order, has_cancelled=has_cancelled):
                raise CannotSettle(closed)
        changed = _change(
            order,
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
            },
        )
        cancelled.update(cancelled_quantity=0)
        return changed


def why_not_reopen(order: Order, *, has_cancelled: bool) -> str:
    """Return why `order` cannot be opened again, or nothing; no query.

    `has_cancelled` says whether short items of it were cancelled.
    """
    if order.resolution == Resolution.SETTLED_OUTSIDE:
        return ""
    if not has_cancelled or order.resolution == Resolution.CANCELLED:
        words = _("The order was settled as “%(how)s”; that cannot be taken back.")
        return words % {"how": order.get_resolution_display()}
    if order.export_status == ExportStatus.EXPORTED:
        return _(
            "Order management has taken the order without the cancelled items; change it there."
        )
    return ""


def _note(reference: str, reason: str) -> str:
    return f"{reference}: {reason}"[:1000]


def why_not_settle(order: Order) -> str:
    """Return why `order` cannot be recorded as settled outside, or nothing; no query."""
    if order.status != OrderStatus.NEW:
        return not_accepted(order)
    if order.reservation_state not in SHORT_STATES:
        words = _("The order is “%(state)s”: nothing of it is short.")
        return words % {"state": order.get_reservation_state_display()}
    if order.resolution:
        return settled_already(order)
    return ""


def _check_short(order: Order) -> None:
    if closed := why_not_settle(order):
        raise CannotSettle(closed)
    check_nothing_under_way(order, CannotSettle)


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
    """Write `values` unless the order has moved on since it was read. Raises CannotSettle.

    A claim that has run out is taken away: its holder may live, and must not count an answer now.
    """
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    won = Order.objects.filter(
        unclaimed,
        pk=order.pk,
        status=OrderStatus.NEW,
        reservation_state__in=SHORT_STATES,
        resolution=before,
    ).update(claim="", claimed_until=None, **values)
    if not won:
        raise CannotSettle(moved_on())
    order.refresh_from_db()
    data = {"resolution": values["resolution"]} if values["resolution"] else {}
    events.record(order=order, kind=kind, actor=actor, reason=reason, now=now, data=data)
    return order

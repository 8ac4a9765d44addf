"""When order management may take a short order: at once, after some minutes, or when decided.

A completely reserved order is ready at once. A short one waits as its site says, so that a person
can decide first; deciding hands it over. What waits is `not_exported`: with `export_due_at` until
that time, without it until a person decides. The sweep hands over due orders, each by a
conditional update, so that two sweeps and a person at the same moment hand it over once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When

from orders import events, lifecycle
from orders.actors import Actor
from orders.errors import ExportRefused
from orders.models import (
    EventKind,
    ExportStatus,
    Order,
    ReservationState,
    ShortHandover,
    Site,
)
from orders.models.orders import UNSETTLED
from orders.reasons import say
from orders.refusals import Action, moved_on

_NOT_READY, _READY = ExportStatus.NOT_EXPORTED, ExportStatus.READY
# Orders that wait for their moment or for a decision. Short orders of which none is decided.
UNDECIDED = UNSETTLED & Q(export_status=_NOT_READY)
# Of one pass of the sweep.
MOST = 500


def columns_when_answered(
    *, order_id: int, state: ReservationState, now: datetime
) -> dict[str, Any]:
    """Return the columns of an order that OCI has just answered with `state`; a query if short."""
    if state == ReservationState.COMPLETE:
        return {"export_status": _READY, "export_due_at": None}
    return _columns_of_short(Site.objects.get(order=order_id), now)


def columns_of_short(*, site_ids: Collection[str], now: datetime) -> dict[str, dict[str, Any]]:
    """Return, by site, the columns of a short order that OCI has just answered; one query."""
    return {site.pk: _columns_of_short(site, now) for site in Site.objects.filter(pk__in=site_ids)}


def columns_when_opened_again(*, order: Order, now: datetime) -> dict[str, Any]:
    """Return the columns of a settled order that is undecided again."""
    if order.export_status not in (_READY, _NOT_READY):
        return {}
    return _columns_of_short(order.site, now)


def columns_when_decided() -> dict[str, Any]:
    """Return the columns of a decided order: its handover no longer waits."""
    handed_over = When(export_status=_NOT_READY, then=Value(str(_READY)))
    return {
        "export_status": Case(handed_over, default=F("export_status")),
        "export_due_at": None,
    }


def _columns_of_short(site: Site, now: datetime) -> dict[str, Any]:
    if site.short_handover == ShortHandover.AT_ONCE:
        return {"export_status": _READY, "export_due_at": None}
    due = None
    if site.short_handover == ShortHandover.AFTER_MINUTES:
        due = now + timedelta(minutes=site.handover_minutes)
    return {"export_status": _NOT_READY, "export_due_at": due}


def hand_over_due(*, actor: Actor, now: datetime, limit: int = MOST) -> int:
    """Hand over the short orders whose time has come; return how many. Safe twice."""
    # Asked each second: mostly no time has come, decided or not.
    if not due(now).exists():
        return 0
    found = due(now).filter(UNDECIDED).order_by("export_due_at", "pk")
    reason = say("handover_due")
    return sum(
        _make_ready(pk, Q(export_due_at__lte=now), actor=actor, reason=reason, now=now)
        for pk in list(found.values_list("pk", flat=True)[:limit])
    )


def due(now: Any) -> QuerySet[Order]:
    """Return the orders whose time has come at `now`, a moment or an expression; also decided."""
    return Order.objects.filter(export_due_at__lte=now)


def hand_over_now(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Let order management take an order at once; a ready order stays as it is.

    Raises ExportRefused.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if lifecycle.is_done(lifecycle.check(order, Action.OFFER_NOW), ExportRefused):
            return order
        if not _make_ready(order.pk, Q(), actor=actor, reason=reason, now=now):
            raise ExportRefused(moved_on())
        order.refresh_from_db()
        return order


def _make_ready(pk: int, more: Q, *, actor: Actor, reason: str, now: datetime) -> bool:
    with transaction.atomic():
        won = (
            Order.objects.filter(more, lifecycle.open_to(Action.OFFER_NOW), pk=pk)
            .filter(export_status=_NOT_READY)
            .update(export_status=_READY, export_due_at=None)
        )
        if won:
            _record(pk, "handed_over", actor=actor, reason=reason, now=now)
        return bool(won)


def is_held(order: Order) -> bool:
    """Whether order management gets `order` only after a person's decision."""
    return is_waiting(order) and order.export_due_at is None


def is_waiting(order: Order) -> bool:
    """Whether `order` is kept from order management until its moment or a decision."""
    return order.export_status == _NOT_READY and lifecycle.is_oversold(order)


def hold(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Keep a short order from order management until a person decides, or hands it over.

    One that is held stays as it is. Raises ExportRefused, above all when order management was
    faster.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        lifecycle.require(order, Action.HOLD, ExportRefused)
        if is_held(order):
            return order
        won = Order.objects.filter(lifecycle.open_to(Action.HOLD), pk=order_id).update(
            export_status=_NOT_READY, export_due_at=None
        )
        if not won:
            raise ExportRefused(moved_on())
        _record(order_id, "held", actor=actor, reason=reason, now=now)
        order.refresh_from_db()
        return order


def _record(pk: int, what: str, *, actor: Actor, reason: str, now: datetime) -> None:
    events.record(
        order=Order.objects.get(pk=pk),
        kind=EventKind.EXPORT,
        actor=actor,
        reason=reason,
        now=now,
        data={"handover": what},
    )

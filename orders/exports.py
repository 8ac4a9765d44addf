"""Export status: what order management may take, and has taken (design 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from orders import documents, events, lifecycle
from orders.actors import Actor
from orders.errors import ExportRefused, OrderChanged
from orders.lifecycle import Action
from orders.models import EventKind, ExportStatus, Order
from orders.models.orders import OrderQuerySet
from orders.reasons import say
from orders.refusals import EXPORT_ACTIONS, moved_on


def change_export_status(
    *, order_id: int, to: ExportStatus, actor: Actor, now: datetime, version: int | None = None
) -> Order:
    """Change an order's export status; the same status again changes nothing.

    `version` is the one of the order's document that the caller knows: raises OrderChanged if it is
    no longer the current one. Raises ExportRefused for an order that is not accepted or waits for
    its reservation, for a step that does not exist (`orders.lifecycle` lists them), and for handing
    an order over while a replacement or an adjustment is open.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        current = documents.version_of(order_id)
        if version is not None and version != current:
            raise OrderChanged(named=version, current=current)
        action = EXPORT_ACTIONS[to]
        if lifecycle.is_done(lifecycle.check(order, action), ExportRefused):
            return order
        before = ExportStatus(order.export_status)
        values: dict[str, Any] = {"export_status": to}
        if to == ExportStatus.EXPORTED:
            values["exported_version"] = current
        won = Order.objects.filter(
            lifecycle.open_to(action), pk=order_id, export_status=before
        ).update(**values)
        if not won:
            raise ExportRefused(moved_on())
        order.refresh_from_db()
        events.record(
            order=order,
            kind=EventKind.EXPORT,
            actor=actor,
            reason=say("export_changed", before=before.value, to=to.value),
            now=now,
            data={"version": current},
        )
        return order


def failed(*, site_ids: Collection[str] | None = None) -> OrderQuerySet:
    """Return the accepted orders that order management could not take, of these sites or of all."""
    found = Order.objects.filter(
        lifecycle.open_to(Action.OFFER_AGAIN), export_status=ExportStatus.FAILED
    )
    return found if site_ids is None else found.filter(site__in=site_ids)


def resubmit(*, order_ids: Iterable[int], actor: Actor, reason: str, now: datetime) -> int:
    """Offer orders again that order management could not take; return how many. Safe twice."""
    done = 0
    for order_id in order_ids:
        with transaction.atomic():
            won = failed().filter(pk=order_id).update(export_status=ExportStatus.READY)
            if won:
                events.record(
                    order=Order.objects.get(pk=order_id),
                    kind=EventKind.EXPORT,
                    actor=actor,
                    reason=reason,
                    now=now,
                    data={"handover": "resubmitted"},
                )
            done += won
    return done

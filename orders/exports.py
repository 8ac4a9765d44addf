"""Export status: what order management may take, and has taken (design 4)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from orders import events, lifecycle
from orders.actors import Actor
from orders.errors import ExportRefused
from orders.models import EventKind, ExportStatus, Order
from orders.reasons import say
from orders.refusals import EXPORT_ACTIONS, moved_on


def change_export_status(*, order_id: int, to: ExportStatus, actor: Actor, now: datetime) -> Order:
    """Change an order's export status; the same status again changes nothing.

    Raises ExportRefused for an order that is not accepted or waits for its reservation, for a step
    that does not exist (`orders.lifecycle` lists them), and for handing an order over while a
    replacement or an adjustment is open.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        action = EXPORT_ACTIONS[to]
        refusal = lifecycle.check(order, action)
        if refusal is not None and refusal.is_done:
            return order
        if refusal is not None:
            raise ExportRefused(refusal.sentence)
        before = ExportStatus(order.export_status)
        won = Order.objects.filter(
            lifecycle.open_to(action), pk=order_id, export_status=before
        ).update(export_status=to)
        if not won:
            raise ExportRefused(moved_on())
        order.refresh_from_db()
        events.record(
            order=order,
            kind=EventKind.EXPORT,
            actor=actor,
            reason=say("export_changed", before=before.value, to=to.value),
            now=now,
        )
        return order

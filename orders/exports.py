"""Export status: what order management may take, and has taken (design 4)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from orders import events
from orders.actors import Actor
from orders.errors import ExportRefused
from orders.models import EventKind, ExportStatus, Order, OrderStatus, ReservationState
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.replacements import OPEN_REPLACEMENT
from orders.refusals import not_accepted

_FROM = {
    ExportStatus.EXPORTED: (ExportStatus.READY, ExportStatus.FAILED),
    ExportStatus.FAILED: (ExportStatus.READY,),
    ExportStatus.READY: (ExportStatus.FAILED,),
}


def change_export_status(*, order_id: int, to: ExportStatus, actor: Actor, now: datetime) -> Order:
    """Change an order's export status; the same status again changes nothing.

    Raises ExportRefused while the reservation is missing or something is being replaced or
    adjusted, for an order
    that is not accepted, and for a step that does not exist (ready to exported or failed, failed to
    ready or exported).
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.export_status == to:
            return order
        if order.reservation_state == ReservationState.MISSING:
            raise ExportRefused("The order waits for its reservation; it can be exported after it.")
        if order.status != OrderStatus.NEW:
            raise ExportRefused(not_accepted(order))
        if to == ExportStatus.EXPORTED and order.replacements.filter(OPEN_REPLACEMENT).exists():
            raise ExportRefused("An item of the order is being replaced; take it in a moment.")
        if to == ExportStatus.EXPORTED and order.adjustments.filter(OPEN_ADJUSTMENT).exists():
            raise ExportRefused("The order's reservation is being adjusted; take it in a moment.")
        before = ExportStatus(order.export_status)
        if before not in _FROM.get(to, ()):
            raise ExportRefused(f"The export status cannot go from {before} to {to}.")
        won = Order.objects.filter(
            pk=order_id, export_status=before, status=OrderStatus.NEW
        ).update(export_status=to)
        if not won:
            raise ExportRefused("The order has just been changed by someone else; read it again.")
        order.refresh_from_db()
        events.record(
            order=order,
            kind=EventKind.EXPORT,
            actor=actor,
            reason=f"Export status {before} became {to}.",
            now=now,
        )
        return order

"""Orders as a run leaves them, for races that begin there."""

from __future__ import annotations

from datetime import timedelta

from orders import outcomes
from orders.actors import job
from orders.models import Order, Site
from reconciliation import reservation
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from tests.factories import START, capture

RUN = job("run")


def answered_orders(site: Site, count: int, *, reserved: int) -> list[Order]:
    """Orders of 3 MUG each, of which OCI has reserved some."""
    orders = [capture(site, f"A{number}", [("MUG", 3)]) for number in range(count)]
    until = START + timedelta(minutes=5)
    for order in orders:
        outcomes.take_claim(order_id=order.pk, holder="w", until=until, now=START)
        (document,) = (
            reservation.prepare(order_id=order.pk, holder="w", purpose=Purpose.ORDER) or ()
        )
        held = [{"place": "group", "id": "web", "sku": "MUG", "quantity": reserved}]
        ReservationDocument.objects.filter(pk=document.pk).update(
            state=DocumentState.ANSWERED, sends=1, held=held
        )
        reservation.count(
            order_id=order.pk, holder="w", purpose=Purpose.ORDER, actor=RUN, now=START
        )
    return orders

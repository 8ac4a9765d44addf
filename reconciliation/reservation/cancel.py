"""Units that OCI may still hold for an order, and the follow-up once it holds nothing.

A failed order keeps its holds meanwhile: its call may reach OCI late, and ATO must not promise the
same units to another order.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from orders import events, outcomes
from orders.models import Order
from reconciliation.models import DocumentState, ReservationDocument

_HOLDS_NOTHING = (DocumentState.CANCELLED, DocumentState.REFUSED)


def not_yet_cancelled() -> QuerySet[ReservationDocument]:
    """Return the documents, of any order, under which OCI may hold units."""
    return ReservationDocument.objects.exclude(state__in=_HOLDS_NOTHING)


def note_cancelled(
    document: ReservationDocument, *, marked_at: datetime | None, now: datetime
) -> None:
    """Record that OCI holds nothing under a cancelled document.

    If it was the last document of a failed order, the same transaction gives the stock back,
    because no later step would. `marked_at` is the time of an answer 202, by which OCI only
    accepted the cancel.
    """
    with transaction.atomic():
        # Lock the order first: of two processes that cancel its last two documents, the later sees
        # both.
        Order.objects.select_for_update().get(pk=document.order_id)
        ReservationDocument.objects.filter(pk=document.pk, state=DocumentState.CANCELLING).update(
            state=DocumentState.CANCELLED, marked_at=marked_at
        )
        # Reports name the documents under which OCI may hold units.
        events.publish_again(document.order_id)
        give_back_if_cancelled(document.order_id, now=now)


def give_back_if_cancelled(order_id: int, *, now: datetime) -> bool:
    """Give the stock of a failed order back, unless OCI may hold units for it."""
    with transaction.atomic():
        Order.objects.select_for_update().get(pk=order_id)
        if not_yet_cancelled().filter(order_id=order_id).exists():
            return False
        return outcomes.give_back_failed(order_id=order_id, now=now)

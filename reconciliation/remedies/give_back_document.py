"""Give a reservation document back at OCI without cancelling its order.

The whole document goes: by its cancel, or, if a part was released before (`part_release`), by
releasing the rest, because its cancel would return those units twice (OCI contract 1.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from orders import give_back as adjusting
from orders.actors import Actor
from orders.errors import CannotAdjust
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import EventKind, Order, OrderEvent
from orders.refusals import moved_on
from reconciliation import reservation
from reconciliation.models import Attempt, DocumentState, Purpose, ReservationDocument
from reconciliation.remedies.adjust_preview import document_refusal
from reconciliation.remedies.preconditions import client_if_reachable
from reconciliation.reservation import release, stock_refresh
from reconciliation.reservation.release_rows import held_by, still_held


@dataclass(frozen=True, slots=True)
class AdjustPreview:
    """The effect of giving a document back; `refusal` is empty if it is allowed."""

    document: ReservationDocument
    held: Mapping[Key, Decimal]
    refusal: str

    @property
    def units(self) -> Decimal:
        """Units that would be released."""
        return adjusting.total(self.held)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The changed order and OCI's answer: `released`, or that the call is retried."""

    order: Order
    released: bool
    said: str


def preview_give_back(document: ReservationDocument) -> AdjustPreview:
    """Return the effect of giving `document` (with `order` loaded) back; at most two queries."""
    refusal = document_refusal(document, Action.GIVE_BACK)
    return AdjustPreview(document=document, held=still_held(document), refusal=refusal)


def give_back(
    *,
    document_id: int,
    actor: Actor,
    reason: str,
    clock: Callable[[], datetime] = timezone.now,
) -> Adjusted:
    """Give a document of an order back at OCI; the order is short of its units, and stays.

    The decision is stored first, and from then on the order no longer counts the document; whatever
    happens to the call, the document is cancelled in the end. Idempotent. Raises CannotAdjust.
    """
    document = ReservationDocument.objects.select_related("order").get(pk=document_id)
    if not _was_given_back(document):
        preview = preview_give_back(document)
        if preview.refusal:
            raise CannotAdjust(preview.refusal)
        _write_down(document, preview.held, actor=actor, reason=reason, now=clock())
        _cancel(document, actor=actor, clock=clock)
    document.refresh_from_db()
    last = Attempt.objects.filter(document=document, operation__in=("cancel", "release")).last()
    return Adjusted(
        order=Order.objects.get(pk=document.order_id),
        released=document.state == DocumentState.CANCELLED,
        said=last.message if last else "",
    )


def _was_given_back(document: ReservationDocument) -> bool:
    events = OrderEvent.objects.filter(order=document.order_id, kind=EventKind.GIVEN_BACK)
    return any(event.data.get("document") == document.pk for event in events)


def _write_down(
    document: ReservationDocument,
    held: Mapping[Key, Decimal],
    *,
    actor: Actor,
    reason: str,
    now: datetime,
) -> None:
    with transaction.atomic():
        adjusting.take_back(
            order_id=document.order_id,
            held=held,
            replacements_first=document.purpose == Purpose.REPLACEMENT,
            actor=actor,
            reason=reason,
            data={"document": document.pk},
            now=now,
        )
        won = ReservationDocument.objects.filter(
            pk=document.pk, state=DocumentState.COUNTED
        ).update(state=DocumentState.CANCELLING)
        if not won:
            raise CannotAdjust(moved_on())
        # A rerun with an uncounted answer asked for fewer units than are short now.
        release.mark_for_cancelling(document.order_id, states=release.UNCOUNTED)
    release.wake_for(document.order_id)


def _cancel(document: ReservationDocument, *, actor: Actor, clock: Callable[[], datetime]) -> None:
    """Call OCI now, if possible; otherwise the sweep does it later."""
    client = client_if_reachable()
    if client is None:
        return
    timeout = settings.COC_OCI_LIVE_TIMEOUT
    stopped = reservation.cancel_document(
        document, client=client, clock=clock, actor=actor, read_timeout=timeout
    )
    if stopped is None:
        keys = list(held_by(document))
        stock_refresh.try_refresh(keys=keys, client=client, read_timeout=timeout, clock=clock)

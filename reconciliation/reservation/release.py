"""Release the units of cancelled and failed orders at OCI.

`orders.cancellation` removes the order from every queue. This module cancels its documents; only
then is the order *cancelled* and its ATO given back. An order with a call still open waits until
the claim on it ends. A failed order is final for its shopper at once, but its ATO too is given back
only when its documents are cancelled.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from orders import cancellation, lifecycle, outcomes, settlement
from orders.actors import Actor, job
from orders.lifecycle import Action
from orders.models import SETTLED_STATES, Order, OrderStatus
from reconciliation import connection
from reconciliation.connection.clients import shared_client
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.queue import enqueue
from reconciliation.reasons import say
from reconciliation.reservation import (
    Asked,
    Verdict,
    cancel_document,
    give_back_if_cancelled,
    release_rows,
)
from reconciliation.reservation.release_calls import Releasing

_CLAIM = timedelta(seconds=60)
# In these states OCI may hold units under a document.
UNCOUNTED = (DocumentState.PREPARED, DocumentState.ANSWERED)
MAY_HOLD = (*UNCOUNTED, DocumentState.COUNTED)
# OCI answered the call, though not as expected, so another call may succeed.
_OCI_ANSWERS = (Verdict.LATER, Verdict.REVIEW)
RELEASES = job("releases")
SIGNS = ("cancelling", "to_cancel", "to_release")


def cancel_order(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Cancel an order; finishes at once if OCI does not know it, else soon.

    Returns the order: `cancelled`, or `cancelling` while units must be released at OCI. Raises
    orders.errors.CannotCancel.
    """
    order = cancellation.request_cancellation(
        order_id=order_id, actor=actor, reason=reason, now=now
    )
    if order.status == OrderStatus.CANCELLING:
        holder = f"cancel:{uuid.uuid4().hex}"
        if _take(order_id, holder, now) and not _documents_to_undo(order_id).exists():
            _finish(order_id, holder, now)
        else:
            outcomes.drop_claim(order_id=order_id, holder=holder)
            enqueue.soon("finish_cancellations")
        order.refresh_from_db()
    return order


def finish_cancellations(*, clock: Callable[[], datetime], limit: int = 200) -> int:
    """Continue pending cancellations, oldest first; return how many orders finished.

    Calls OCI only while the connection is usable; ends early if OCI stops answering.
    """
    usable = connection.is_usable(connection.current(), now=clock())
    finished = 0
    for order_id in list(_cancelling().order_by("id").values_list("pk", flat=True)[:limit]):
        ended, goes_on = _finish_order(order_id, usable=usable, clock=clock)
        finished += ended
        usable = usable and goes_on
    if usable and _undo_left_over(clock=clock, limit=limit):
        _release_open(clock=clock, limit=limit)
    return finished


def something_to_undo() -> bool:
    """Whether an order is being cancelled, or OCI may hold units that no order wants."""
    if _cancelling().exists():
        return True
    # Runs each second: usually there is no such document, and a join is slow.
    if _to_cancel().exists() and _left_over().exists():
        return True
    return release_rows.has_open()


def signs_of_work() -> dict[str, QuerySet[Any]]:
    """Return queries by name; all are empty if there is nothing to release."""
    return dict(zip(SIGNS, (_cancelling(), _to_cancel(), release_rows.unsent()), strict=True))


def _to_cancel() -> QuerySet[ReservationDocument]:
    return ReservationDocument.objects.filter(state=DocumentState.CANCELLING)


def _cancelling() -> QuerySet[Order]:
    return Order.objects.filter(lifecycle.open_to(Action.RELEASE))


def _left_over() -> QuerySet[ReservationDocument]:
    """Return documents to cancel of orders that no process works on.

    They belong to refused live orders, or their call reached OCI after the order was cancelled.
    """
    over = Q(order__status__in=[OrderStatus.FAILED, OrderStatus.CANCELLED])
    settled = Q(order__status=OrderStatus.NEW, order__reservation_state__in=SETTLED_STATES)
    return ReservationDocument.objects.filter(
        over | settled, state=DocumentState.CANCELLING, order__needs_review_since=None
    ).order_by("id")


def _finish_order(
    order_id: int, *, usable: bool, clock: Callable[[], datetime]
) -> tuple[bool, bool]:
    """Return whether the order is finished, and whether OCI still answers."""
    holder = f"cancel:{uuid.uuid4().hex}"
    if not _take(order_id, holder, clock()):
        return False, True
    documents = list(_documents_to_undo(order_id))
    if documents and not usable:
        outcomes.drop_claim(order_id=order_id, holder=holder)
        return False, False
    asked = _undo(documents, clock=clock)
    if asked is None:
        return _finish(order_id, holder, clock()), True
    if asked.verdict == Verdict.REVIEW:
        outcomes.put_to_review(
            order_id=order_id, holder=holder, actor=RELEASES, reason=asked.reason, now=clock()
        )
    outcomes.drop_claim(order_id=order_id, holder=holder)
    return False, asked.verdict in _OCI_ANSWERS


def _take(order_id: int, holder: str, now: datetime) -> bool:
    """Claim the order and record, in the same transaction, the documents to cancel."""
    with transaction.atomic():
        taken = cancellation.take_release_claim(
            order_id=order_id, holder=holder, until=now + _CLAIM, now=now
        )
        if taken:
            mark_for_cancelling(order_id)
        return taken


def settle_outside(
    *, order_id: int, reference: str, actor: Actor, reason: str, now: datetime
) -> Order:
    """Record that a short order was settled outside, and release extra units that OCI may hold.

    A rerun with an uncounted answer may have reserved units that the order does not know of;
    nothing will count them now. Raises orders.errors.CannotSettle.
    """
    with transaction.atomic():
        order = settlement.settle_outside(
            order_id=order_id, reference=reference, actor=actor, reason=reason, now=now
        )
        mark_for_cancelling(order_id, states=UNCOUNTED)
    wake_for(order_id)
    return order


def wake_for(order_id: int) -> None:
    """Queue the cancelling of documents, if the order has any to cancel."""
    if _documents_to_undo(order_id).exists():
        enqueue.soon("finish_cancellations")


def mark_for_cancelling(order_id: int, *, states: Sequence[DocumentState] = MAY_HOLD) -> None:
    """Mark the documents of an order in these states to be cancelled."""
    documents = ReservationDocument.objects.filter(order_id=order_id, state__in=states)
    documents.filter(sends=0).update(state=DocumentState.CANCELLED)
    documents.exclude(sends=0).update(state=DocumentState.CANCELLING)


def _documents_to_undo(order_id: int) -> QuerySet[ReservationDocument]:
    return ReservationDocument.objects.filter(order_id=order_id, state=DocumentState.CANCELLING)


def _undo(documents: list[ReservationDocument], *, clock: Callable[[], datetime]) -> Asked | None:
    for document in documents:
        asked = cancel_document(document, client=shared_client(), clock=clock, actor=RELEASES)
        if asked is not None:
            return asked
    return None


def _finish(order_id: int, holder: str, now: datetime) -> bool:
    return cancellation.finish_cancellation(
        order_id=order_id,
        holder=holder,
        actor=RELEASES,
        reason=say("nothing_held"),
        now=now,
    )


def _undo_left_over(*, clock: Callable[[], datetime], limit: int) -> bool:
    """Cancel units that OCI may still hold for no order; False if OCI stops answering.

    A document that can't be cancelled does not stop the rest.
    """
    return all(
        _goes_on(document, _undo([document], clock=clock), now=clock())
        for document in list(_left_over()[:limit])
    )


def _release_open(*, clock: Callable[[], datetime], limit: int) -> bool:
    """Release units that were given back from documents that stay; False like `_undo_left_over`."""
    return all(
        _goes_on(document, Releasing(shared_client(), clock).send_again(document), now=clock())
        for document in list(release_rows.open_documents().select_related("order")[:limit])
    )


def _goes_on(document: ReservationDocument, asked: Asked | None, *, now: datetime) -> bool:
    """Set the order to review if OCI has refused; False if OCI does not answer."""
    if asked is None:
        return True
    if asked.verdict == Verdict.REVIEW:
        outcomes.put_to_review(
            order_id=document.order_id, holder=None, actor=RELEASES, reason=asked.reason, now=now
        )
    return asked.verdict in _OCI_ANSWERS


def fail_live(*, order_id: int, holder: str, actor: Actor, reason: str, now: datetime) -> bool:
    """Refuse a live order; False, with no change, if `holder` may not refuse it.

    Its stock is given back at once if OCI certainly holds nothing for it, otherwise when its
    documents are cancelled there: an unanswered call may still reach OCI.
    """
    with transaction.atomic():
        failed = outcomes.fail_live(
            order_id=order_id, holder=holder, actor=actor, reason=reason, now=now
        )
        if failed:
            mark_for_cancelling(order_id)
            if not give_back_if_cancelled(order_id, now=now):
                enqueue.soon("finish_cancellations")
        return failed


def give_back_live(
    order_id: int, *, holder: str, client: OciClient, clock: Callable[[], datetime]
) -> bool:
    """Cancel the documents of a live order that is short; False if OCI does not answer.

    Remaining documents are cancelled later, when the order has failed. Nothing happens unless
    `holder` still has the claim, because a reconciliation may have taken the order over.
    """
    with transaction.atomic():
        mine = Order.objects.select_for_update().filter(
            pk=order_id, claim=holder, status=OrderStatus.CREATED
        )
        if mine.first() is None:
            return True
        mark_for_cancelling(order_id)
    for document in _documents_to_undo(order_id):
        asked = cancel_document(
            document,
            client=client,
            clock=clock,
            actor=RELEASES,
            read_timeout=settings.COC_OCI_LIVE_TIMEOUT,
        )
        if asked is not None:
            return asked.verdict in _OCI_ANSWERS
    return True

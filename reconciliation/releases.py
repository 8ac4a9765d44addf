"""Undoing at OCI what cancelled and failed orders may hold there.

`orders.cancellation` takes the order out of every queue; here its documents are cancelled, and only
then is the order *cancelled* and its ATO given back. An order whose call is still under way is left
alone until the claim on it ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from orders import cancellation, outcomes
from orders.actors import Actor, job
from orders.models import Order, OrderStatus
from reconciliation import connection, wake
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.oci_client import client as shared_client
from reconciliation.reservation import Asked, Verdict, cancel_document

_CLAIM = timedelta(seconds=60)
_MAY_HOLD = (DocumentState.PREPARED, DocumentState.ANSWERED, DocumentState.COUNTED)
RELEASES = job("releases")


def cancel_order(*, order_id: int, actor: Actor, reason: str, now: datetime) -> Order:
    """Cancel an order; finished at once when OCI knows nothing of it, else soon.

    Returns the order as it stands: `cancelled`, or `cancelling` while something must be undone at
    OCI. Raises orders.errors.CannotCancel.
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
            wake.soon("finish_cancellations")
        order.refresh_from_db()
    return order


def finish_cancellations(*, clock: Callable[[], datetime], limit: int = 200) -> int:
    """Carry on with what is being cancelled, oldest first; return how many orders are finished.

    Calls OCI only while the connection is usable; ends early when OCI stops answering.
    """
    usable = connection.is_usable(connection.current())
    finished = 0
    cancelling = Order.objects.filter(status=OrderStatus.CANCELLING, needs_review_since=None)
    for order_id in list(cancelling.order_by("id").values_list("pk", flat=True)[:limit]):
        ended, carry_on = _finish_order(order_id, usable=usable, clock=clock)
        finished += ended
        usable = usable and carry_on
    if usable:
        _undo_failed(clock=clock, limit=limit)
    return finished


def _finish_order(
    order_id: int, *, usable: bool, clock: Callable[[], datetime]
) -> tuple[bool, bool]:
    """Return whether the order is finished, and whether OCI still answers."""
    holder = f"cancel:{uuid.uuid4().hex}"
    if not _take(order_id, holder, clock()):
        return False, True
    documents = list(_documents_to_undo(order_id))
    asked = _undo(documents, clock=clock) if usable else None
    if documents and (asked is not None or not usable):
        if asked is not None and asked.verdict == Verdict.REVIEW:
            outcomes.put_to_review(
                order_id=order_id, holder=holder, actor=RELEASES, reason=asked.reason, now=clock()
            )
            return False, True
        outcomes.drop_claim(order_id=order_id, holder=holder)
        answers = asked is None or asked.verdict == Verdict.LATER
        return False, answers
    return _finish(order_id, holder, clock()), True


def _take(order_id: int, holder: str, now: datetime) -> bool:
    """Claim the order and write down, in the same transaction, which documents are to be undone."""
    with transaction.atomic():
        taken = cancellation.take_release_claim(
            order_id=order_id, holder=holder, until=now + _CLAIM, now=now
        )
        if taken:
            mark_for_undoing(order_id)
        return taken


def mark_for_undoing(order_id: int) -> None:
    """Write down that whatever OCI may hold for an order is to be cancelled."""
    documents = ReservationDocument.objects.filter(order_id=order_id, state__in=_MAY_HOLD)
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
        reason="Nothing is held for it at OCI; its stock was given back.",
        now=now,
    )


def _undo_failed(*, clock: Callable[[], datetime], limit: int) -> None:
    """Cancel what OCI still holds for live orders that were refused."""
    documents = ReservationDocument.objects.filter(
        state=DocumentState.CANCELLING, order__status=OrderStatus.FAILED
    )
    _undo(list(documents.order_by("id")[:limit]), clock=clock)


def give_back_live(order_id: int, *, client: OciClient, clock: Callable[[], datetime]) -> None:
    """Cancel the documents of a live order that is short; what does not work now is done later."""
    mark_for_undoing(order_id)
    for document in _documents_to_undo(order_id):
        if cancel_document(document, client=client, clock=clock, actor=RELEASES) is not None:
            return

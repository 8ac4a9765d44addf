"""Calls to OCI for one order, each recorded before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from orders import ledger
from orders.actors import Actor
from orders.models import Order
from reconciliation.models import (
    Attempt,
    AttemptOutcome,
    DocumentState,
    Purpose,
    ReservationDocument,
)
from reconciliation.oci.client import CancelResult, OciClient, PutAnswer
from reconciliation.oci.documents import lines_of_body
from reconciliation.oci.errors import OciError, OciRefused
from reconciliation.reasons import columns, join, say
from reconciliation.reservation import release_rows
from reconciliation.reservation.cancel import note_cancelled
from reconciliation.reservation.documents import prepare, replace
from reconciliation.reservation.release_calls import Releasing
from reconciliation.reservation.results import Asked, Verdict, explain
from reconciliation.reservation.sets import held_lines, outcome_of

Clock = Callable[[], datetime]

# OCI contract 1.7: units are held under the id and can't be read.
_HELD_UNREADABLE = {
    "EntityExists",
    "EntityAlreadyExists",
    "ReservationAlreadyFinalized",
    "ReservationInvalidState",
}
# The id is used up and holds nothing.
_SPENT = {"ReservationCancelled", "PreviousRequestCancelled", "PreviousRequestAborted"}

_MOST_GENERATIONS_AT_ONCE = 5
# A cancel that found nothing is trusted once no call can be open any more.
_CALL_SURELY_OVER = timedelta(seconds=60)


def ask(
    *,
    order_id: int,
    holder: str,
    purpose: Purpose,
    client: OciClient,
    clock: Clock,
    actor: Actor,
    run_id: int | None = None,
    read_timeout: float | None = None,
) -> Asked:
    """Ask OCI for every document of an order; one pass, no waiting.

    `holder` has the claim on the order. Documents to cancel come first, then those to place. Can be
    repeated at any time: answered documents are not sent again.
    """
    caller = _Caller(
        client=client, clock=clock, actor=actor, run_id=run_id, read_timeout=read_timeout
    )
    for _ in range(_MOST_GENERATIONS_AT_ONCE):
        stale = ReservationDocument.objects.filter(
            order_id=order_id, state=DocumentState.CANCELLING
        )
        for document in list(stale):
            stopped = caller.cancel(document)
            if stopped is not None:
                return stopped
        if purpose == Purpose.SHORTFALL:
            # Otherwise OCI would reserve units that it must still release for the same order.
            for document in list(release_rows.open_documents().filter(order=order_id)):
                stopped = caller.releasing().send(document)
                if stopped is not None:
                    return stopped
        documents = prepare(order_id=order_id, holder=holder, purpose=purpose)
        if documents is None:
            return Asked(Verdict.LATER, say("order_changed"))
        unanswered = [d for d in documents if d.state == DocumentState.PREPARED]
        if not unanswered:
            return Asked(Verdict.ANSWERED)
        if _counts_follow(order_id, now=clock()):
            return Asked(Verdict.LATER, say("oci_giving_back"))
        for document in unanswered:
            stopped = caller.put(document, holder=holder)
            if stopped is not None:
                return stopped
    return Asked(Verdict.LATER, say("oci_refused_ids"))


def _counts_follow(order_id: int, *, now: datetime) -> bool:
    """Whether OCI may still count a reservation after only accepting its cancel (contract 1.2).

    A new reservation would then find the order's own units taken.
    """
    lag = timedelta(seconds=settings.COC_OCI_READ_LAG)
    return ReservationDocument.objects.filter(order_id=order_id, marked_at__gt=now - lag).exists()


def cancel_document(
    document: ReservationDocument,
    *,
    client: OciClient,
    clock: Clock,
    actor: Actor,
    read_timeout: float | None = None,
) -> Asked | None:
    """Release one document at OCI; None once it holds nothing, else the reason.

    Cancels it, or, if some of its units were released before, releases the rest.
    """
    caller = _Caller(
        client=client, clock=clock, actor=actor, run_id=None, read_timeout=read_timeout
    )
    return caller.cancel(document)


def note_answer(
    document: ReservationDocument,
    answer: PutAnswer | OciError,
    *,
    client: OciClient,
    clock: Clock,
    actor: Actor,
    run_id: int | None = None,
) -> Asked | None:
    """Store the result of a call for `document` that was made elsewhere.

    None if the order continues: to be counted, or sent again under another id.
    """
    caller = _Caller(client=client, clock=clock, actor=actor, run_id=run_id, read_timeout=None)
    if isinstance(answer, OciError):
        return caller.failed(document, answer)
    caller.answered(document, answer)
    return None


@dataclass(frozen=True, slots=True)
class _Caller:
    """Makes the calls for one order and stores the results."""

    client: OciClient
    clock: Clock
    actor: Actor
    run_id: int | None
    read_timeout: float | None

    def releasing(self) -> Releasing:
        """Return the object that releases units without a document."""
        return Releasing(self.client, self.clock, self.run_id, self.read_timeout)

    def put(self, document: ReservationDocument, *, holder: str) -> Asked | None:
        """Send one document; None if it was answered or replaced, else why the order must stop."""
        if not self._write_sent(document, holder=holder):
            return Asked(Verdict.LATER, say("document_changed"))
        try:
            answer = self.client.put_reservation(
                reservation_id=document.reservation_id,
                body=document.body,
                read_timeout=self.read_timeout,
            )
        except OciError as error:
            return self.failed(document, error)
        self.answered(document, answer)
        return None

    def failed(self, document: ReservationDocument, error: OciError) -> Asked | None:
        """Store that a call failed; None if a new document has taken over."""
        if isinstance(error, OciRefused):
            return self._refused(document, error)
        return self._unanswered(document, error)

    def _write_sent(self, document: ReservationDocument, *, holder: str) -> bool:
        """Record that a document is about to be sent; False if it is not ours to send.

        From now on no other order can take the units that a rerun asks for, because ATO already
        excludes all others' units. `document` itself stays unchanged.
        """
        now = self.clock()
        with transaction.atomic():
            # Lock the order first, like every process that changes its documents and takes holds
            # for it.
            orders = Order.objects.select_for_update()
            order = orders.filter(pk=document.order_id, claim=holder).first()
            # Update the document alone: PostgreSQL does not check a join again after waiting for a
            # row.
            won = order is not None and ReservationDocument.objects.filter(
                pk=document.pk, state=DocumentState.PREPARED
            ).update(sends=F("sends") + 1, sent_at=now)
            if order is not None and won and document.purpose == Purpose.SHORTFALL:
                lines = lines_of_body(document.body)
                ledger.hold_shortfall(
                    order=order,
                    asked={(line.place.id, line.sku): line.quantity for line in lines},
                    again=document.sends > 0,
                    until=now + _CALL_SURELY_OVER,
                    now=now,
                )
        return bool(won)

    def answered(self, document: ReservationDocument, answer: PutAnswer) -> None:
        judged = answer.judgement
        rows = ReservationDocument.objects.filter(pk=document.pk)
        won = rows.filter(state=DocumentState.PREPARED).update(
            state=DocumentState.ANSWERED, answered_at=self.clock(), held=held_lines(judged)
        )
        if not won:
            # It was cancelled before this call reached OCI, so OCI now holds it after all.
            rows.filter(state=DocumentState.CANCELLED).update(state=DocumentState.CANCELLING)
        self._note(
            document,
            outcome_of(judged),
            status=answer.status,
            message=join(*judged.oddities),
            correlation_id=answer.correlation_id,
        )

    def _unanswered(self, document: ReservationDocument, error: OciError) -> Asked:
        self._note(
            document,
            AttemptOutcome.OCI_OFFLINE,
            status=getattr(error, "status", None),
            message=error.reason,
            correlation_id=error.correlation_id,
        )
        return explain(error)

    def _refused(self, document: ReservationDocument, error: OciRefused) -> Asked | None:
        code = error.error_code
        if error.status == 409 and error.is_in_process:
            self._note(document, AttemptOutcome.LATER, error=error)
            return Asked(Verdict.LATER, say("oci_busy_with_order"))
        if error.status == 409 and code in _HELD_UNREADABLE | _SPENT:
            spent = code in _SPENT
            self._note(document, AttemptOutcome.NEW_ID, error=error)
            replace(document, spent=spent, code=code, actor=self.actor, now=self.clock())
            return None
        self._note(document, AttemptOutcome.NEEDS_REVIEW, error=error)
        place = f" ({error.place})" if error.place else ""
        reason = say("oci_refused_reservation", code=f"{code}{place}")
        return Asked(Verdict.REVIEW, join(reason, error.message))

    def cancel(self, document: ReservationDocument) -> Asked | None:
        """Release one document; None once it holds nothing, else the reason to stop."""
        if release_rows.is_touched(document):
            return self.releasing().give_back(document)
        try:
            result = self.client.cancel_reservation(
                reservation_id=document.reservation_id, read_timeout=self.read_timeout
            )
        except OciRefused as error:
            if error.is_in_process:
                self._note(document, AttemptOutcome.LATER, error=error, operation="cancel")
                return Asked(Verdict.LATER, say("oci_busy"))
            self._note(document, AttemptOutcome.NEEDS_REVIEW, error=error, operation="cancel")
            return Asked(
                Verdict.REVIEW,
                join(say("oci_refused_cancel", code=error.error_code), error.message),
            )
        except OciError as error:
            asked = explain(error)
            self._note(
                document,
                AttemptOutcome.OCI_OFFLINE,
                status=getattr(error, "status", None),
                message=error.reason,
                operation="cancel",
                correlation_id=error.correlation_id,
            )
            return asked
        self._note(document, None, message=str(result), operation="cancel")
        return self._cancelled(document, result)

    def _cancelled(self, document: ReservationDocument, result: CancelResult) -> Asked | None:
        now = self.clock()
        document.refresh_from_db()
        if result == CancelResult.ABSENT and not _surely_absent(document, now):
            return Asked(Verdict.LATER, say("call_on_its_way"))
        marked_at = now if result == CancelResult.MARKED else None
        note_cancelled(document, marked_at=marked_at, now=now)
        return None

    def _note(
        self,
        document: ReservationDocument,
        outcome: AttemptOutcome | None,
        *,
        operation: str = "reserve",
        error: OciRefused | None = None,
        status: int | None = None,
        message: str = "",
        correlation_id: str = "",
    ) -> None:
        Attempt.objects.create(
            order_id=document.order_id,
            run_id=self.run_id,
            document=document,
            operation=operation,
            at=self.clock(),
            outcome=outcome or "",
            status=error.status if error else status,
            error_code=error.error_code[:100] if error else "",
            **columns("message", error.message if error else message, limit=1000),
            correlation_id=(error.correlation_id if error else correlation_id)[:64],
        )


def _surely_absent(document: ReservationDocument, now: datetime) -> bool:
    if document.sends == 0 or document.sent_at is None:
        return True
    return now - document.sent_at > _CALL_SURELY_OVER

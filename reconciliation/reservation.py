"""Reservation documents: written down before the first call, repeated as they are, counted once.

The caller holds the claim on the order (`orders.outcomes.take_claim`, or capture's own). Nothing
here holds a database transaction while it talks to OCI.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db import transaction
from django.db.models import F

from orders import events, outcomes
from orders.actors import Actor
from orders.fields import ZERO, json_number
from orders.models import EventKind, InventoryList, Order, OrderItem, ReservationState
from reconciliation.models import (
    Attempt,
    AttemptOutcome,
    DocumentState,
    Purpose,
    ReservationDocument,
)
from reconciliation.oci.client import CancelResult, OciClient, PutAnswer
from reconciliation.oci.documents import (
    Line,
    Place,
    PlaceKind,
    build_body,
    reservation_id,
    shares,
    split_lines,
    sum_lines,
)
from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)

Clock = Callable[[], datetime]

# OCI contract 1.7: something is held under the id and cannot be read.
_HELD_UNREADABLE = {
    "EntityExists",
    "EntityAlreadyExists",
    "ReservationAlreadyFinalized",
    "ReservationInvalidState",
}
# The id is spent and holds nothing.
_SPENT = {"ReservationCancelled", "PreviousRequestCancelled", "PreviousRequestAborted"}
_BUSY = {"ReservationOperationInProcess", "ConcurrentModification"}

_ACTIVE = (DocumentState.PREPARED, DocumentState.ANSWERED)
_MOST_GENERATIONS_AT_ONCE = 5
# A cancel that found nothing is believed when no call can be under way any more.
_CALL_SURELY_OVER = timedelta(seconds=60)
_SECOND_LOOK = timedelta(seconds=15)


class Verdict(StrEnum):
    """How asking OCI for one order ended."""

    ANSWERED = "answered"  # every document is answered and waits to be counted
    OFFLINE = "offline"
    CONFIGURATION = "configuration"
    THROTTLED = "throttled"
    LATER = "later"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Asked:
    """The verdict, with words for people; `reason` is empty when OCI has answered."""

    verdict: Verdict
    reason: str = ""


def prepare(*, order_id: int, purpose: Purpose, now: datetime) -> list[ReservationDocument]:
    """Return the documents to ask OCI for, written down; those under way are returned as they are.

    An empty list means that nothing is missing.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        active = list(ReservationDocument.objects.filter(order=order, state__in=_ACTIVE))
        if active:
            return active
        lines = _missing_lines(order)
        if not lines:
            return []
        generation = order.generation
        if ReservationDocument.objects.filter(order=order, generation=generation).exists():
            generation = _next_generation(order)
        return _write_down(order, split_lines(lines), generation=generation, purpose=purpose)


def _missing_lines(order: Order) -> list[Line]:
    items = OrderItem.objects.filter(order=order).select_related("inventory_list")
    return sum_lines(
        Line(_place(item.inventory_list), item.sku, item.short_quantity)
        for item in items
        if item.short_quantity > 0
    )


def _place(list_: InventoryList) -> Place:
    return Place(PlaceKind(list_.list_type), list_.id)


def _next_generation(order: Order) -> int:
    generation = order.generation + 1
    Order.objects.filter(pk=order.pk, generation=order.generation).update(generation=generation)
    order.generation = generation
    return generation


def _write_down(
    order: Order, parts: Sequence[Sequence[Line]], *, generation: int, purpose: Purpose
) -> list[ReservationDocument]:
    return ReservationDocument.objects.bulk_create(
        ReservationDocument(
            order=order,
            generation=generation,
            part=part,
            purpose=purpose,
            reservation_id=reservation_id(
                site_id=order.site_id, order_no=order.order_no, generation=generation, part=part
            ),
            body=build_body(order_no=order.order_no, lines=lines),
        )
        for part, lines in enumerate(parts)
    )


def ask(
    *,
    order_id: int,
    purpose: Purpose,
    client: OciClient,
    clock: Clock,
    actor: Actor,
    run_id: int | None = None,
    read_timeout: float | None = None,
) -> Asked:
    """Bring every document of an order to an answer, as far as OCI answers; one pass, no waiting.

    Documents to be cancelled come first, then the ones to be placed. Safe to call again after
    anything: what has been answered is not asked again.
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
        documents = prepare(order_id=order_id, purpose=purpose, now=clock())
        unanswered = [d for d in documents if d.state == DocumentState.PREPARED]
        if not unanswered:
            return Asked(Verdict.ANSWERED)
        for document in unanswered:
            stopped = caller.put(document)
            if stopped is not None:
                return stopped
    return Asked(Verdict.LATER, "OCI refused several reservation ids in a row.")


def cancel_document(
    document: ReservationDocument, *, client: OciClient, clock: Clock, actor: Actor
) -> Asked | None:
    """Cancel one document at OCI; None when it surely holds nothing, else why not (yet)."""
    caller = _Caller(client=client, clock=clock, actor=actor, run_id=None, read_timeout=None)
    return caller.cancel(document)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Makes the calls for one order and writes down what came back."""

    client: OciClient
    clock: Clock
    actor: Actor
    run_id: int | None
    read_timeout: float | None

    def put(self, document: ReservationDocument) -> Asked | None:
        """Send one document; None if it was answered or replaced, else why the order must stop."""
        now = self.clock()
        sent = ReservationDocument.objects.filter(
            pk=document.pk, state=DocumentState.PREPARED
        ).update(sends=F("sends") + 1, sent_at=now)
        if not sent:
            return Asked(Verdict.LATER, "The reservation document has just been changed.")
        try:
            answer = self.client.put_reservation(
                reservation_id=document.reservation_id,
                body=document.body,
                read_timeout=self.read_timeout,
            )
        except OciRefused as error:
            return self._refused(document, error)
        except OciError as error:
            return self._unanswered(document, error)
        self._answered(document, answer)
        return None

    def _answered(self, document: ReservationDocument, answer: PutAnswer) -> None:
        judged = answer.judgement
        ReservationDocument.objects.filter(pk=document.pk, state=DocumentState.PREPARED).update(
            state=DocumentState.ANSWERED,
            answered_at=self.clock(),
            held=[
                {"place": place.kind, "id": place.id, "sku": sku, "quantity": json_number(units)}
                for (place, sku), units in sorted(judged.held.items())
                if units > 0
            ],
        )
        outcome = AttemptOutcome.PARTIAL
        if judged.complete:
            outcome = AttemptOutcome.COMPLETE
        elif judged.nothing:
            outcome = AttemptOutcome.NOTHING
        self._note(
            document,
            outcome,
            status=answer.status,
            message="; ".join(judged.oddities),
            correlation_id=answer.correlation_id,
        )

    def _unanswered(self, document: ReservationDocument, error: OciError) -> Asked:
        asked = explain(error)
        outcome = AttemptOutcome.OCI_OFFLINE
        self._note(document, outcome, status=getattr(error, "status", None), message=asked.reason)
        return asked

    def _refused(self, document: ReservationDocument, error: OciRefused) -> Asked | None:
        code = error.error_code
        if error.status == 409 and code in _BUSY:
            self._note(document, AttemptOutcome.LATER, error=error)
            return Asked(Verdict.LATER, "OCI is still working on an earlier call for this order.")
        if error.status == 409 and code in _HELD_UNREADABLE | _SPENT:
            spent = code in _SPENT
            self._note(document, AttemptOutcome.NEW_ID, error=error)
            self._replace(document, spent=spent, code=code)
            return None
        self._note(document, AttemptOutcome.NEEDS_REVIEW, error=error)
        place = f" ({error.place})" if error.place else ""
        return Asked(Verdict.REVIEW, f"OCI refused the reservation: {code}{place}. {error.message}")

    def _replace(self, document: ReservationDocument, *, spent: bool, code: str) -> None:
        """Write down, before any further call, that the next generation takes over the lines."""
        with transaction.atomic():
            order = Order.objects.select_for_update().get(pk=document.order_id)
            won = ReservationDocument.objects.filter(
                pk=document.pk, state=DocumentState.PREPARED
            ).update(state=DocumentState.CANCELLED if spent else DocumentState.CANCELLING)
            if not won:
                return
            generation = _next_generation(order)
            ReservationDocument.objects.create(
                order=order,
                generation=generation,
                part=document.part,
                purpose=document.purpose,
                reservation_id=reservation_id(
                    site_id=order.site_id,
                    order_no=order.order_no,
                    generation=generation,
                    part=document.part,
                ),
                body=document.body,
            )
            events.record(
                order=order,
                kind=EventKind.GENERATION,
                actor=self.actor,
                reason=f"OCI answered {code} for the reservation id; the next one is used.",
                now=self.clock(),
                data={"generation": generation},
            )

    def cancel(self, document: ReservationDocument) -> Asked | None:
        """Cancel one document at OCI; None when it surely holds nothing, else why to stop."""
        try:
            result = self.client.cancel_reservation(reservation_id=document.reservation_id)
        except OciRefused as error:
            self._note(document, AttemptOutcome.NEEDS_REVIEW, error=error, operation="cancel")
            if error.error_code in _BUSY:
                return Asked(Verdict.LATER, "OCI is still working on an earlier call.")
            return Asked(
                Verdict.REVIEW,
                f"OCI refused to cancel a reservation: {error.error_code}. {error.message}",
            )
        except OciError as error:
            asked = explain(error)
            self._note(
                document, AttemptOutcome.OCI_OFFLINE, message=asked.reason, operation="cancel"
            )
            return asked
        self._note(document, None, message=str(result), operation="cancel")
        return self._cancelled(document, result)

    def _cancelled(self, document: ReservationDocument, result: CancelResult) -> Asked | None:
        now = self.clock()
        document.refresh_from_db()
        if result == CancelResult.ABSENT and not _surely_absent(document, now):
            if document.absent_at is None:
                ReservationDocument.objects.filter(pk=document.pk).update(absent_at=now)
            return Asked(Verdict.LATER, "A call may still be on its way to OCI; cancelled again.")
        ReservationDocument.objects.filter(pk=document.pk, state=DocumentState.CANCELLING).update(
            state=DocumentState.CANCELLED
        )
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
            message=(error.message if error else message)[:1000],
            correlation_id=correlation_id[:64],
        )


def _surely_absent(document: ReservationDocument, now: datetime) -> bool:
    if document.sends == 0:
        return True
    if document.sent_at is not None and now - document.sent_at > _CALL_SURELY_OVER:
        return True
    return document.absent_at is not None and now - document.absent_at > _SECOND_LOOK


def explain(error: OciError) -> Asked:
    """Return the verdict that fits a call without a trustworthy answer, in words for people."""
    if isinstance(error, OciConfigurationFault):
        return Asked(Verdict.CONFIGURATION, "OCI refuses our credentials.")
    if isinstance(error, OciThrottled):
        return Asked(Verdict.THROTTLED, "OCI asks us to slow down.")
    words = {
        "connect": "OCI could not be reached.",
        "timeout": "OCI did not answer in time.",
        "server_error": "OCI answered with a server error.",
        "malformed": "OCI's answer could not be understood.",
    }
    kind = error.kind if isinstance(error, OciNoAnswer) else ""
    return Asked(Verdict.OFFLINE, words.get(kind, "OCI did not answer."))


def answered_units(order_id: int) -> dict[int, Decimal]:
    """Return what OCI's answers give each order item (primary key), first item first."""
    got: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    answered = ReservationDocument.objects.filter(order_id=order_id, state=DocumentState.ANSWERED)
    for document in answered:
        for line in document.held:
            got[(line["id"], line["sku"])] += Decimal(str(line["quantity"]))
    by_key: dict[tuple[str, str], list[OrderItem]] = defaultdict(list)
    for item in OrderItem.objects.filter(order_id=order_id).order_by("position"):
        by_key[(item.inventory_list_id, item.sku)].append(item)
    units = {}
    for key, items in by_key.items():
        wanted = [item.short_quantity for item in items]
        for item, share in zip(items, shares(held=got[key], wanted=wanted), strict=True):
            units[item.pk] = share
    return units


def count(
    *, order_id: int, holder: str, purpose: Purpose, actor: Actor, now: datetime
) -> Order | None:
    """Count the answered documents in the order, once; None if the order is not ours any more.

    Call inside a transaction to commit something else with it.
    """
    with transaction.atomic():
        units = answered_units(order_id)
        if purpose == Purpose.ORDER:
            order = outcomes.settle(
                order_id=order_id,
                holder=holder,
                reserved=units,
                actor=actor,
                reason="OCI answered the reservation.",
                now=now,
            )
        else:
            order = outcomes.add_reserved(
                order_id=order_id,
                holder=holder,
                added=units,
                actor=actor,
                reason="OCI answered the reservation of the shortfall.",
                now=now,
            )
        if order is not None:
            ReservationDocument.objects.filter(
                order_id=order_id, state=DocumentState.ANSWERED
            ).update(state=DocumentState.COUNTED)
        return order


def is_complete(order_id: int) -> bool:
    """Return whether the answers so far cover every item of the order."""
    ordered = dict(OrderItem.objects.filter(order_id=order_id).values_list("pk", "quantity"))
    units = answered_units(order_id)
    return outcomes.state_of(ordered, units) == ReservationState.COMPLETE

"""Reservation documents of many orders, stored and counted in a few statements.

This covers the common case: a waiting order with one document and one answer. `prepare` leaves out
all others, and `count` those that have changed meanwhile; they go through `reservation.ask` and
`reservation.count`, one at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from orders import outcome_sets, outcomes
from orders.actors import Actor
from orders.cursors import among
from orders.fields import ZERO, json_number
from orders.inserts import insert_all
from orders.instances import Maker
from orders.models import Order, OrderItem
from orders.outcome_sets import Settlement
from orders.units import open_units
from reconciliation.models import (
    Attempt,
    AttemptOutcome,
    DocumentState,
    Purpose,
    ReservationDocument,
)
from reconciliation.oci.client import PutAnswer
from reconciliation.oci.documents import (
    MAX_LINES,
    Judgement,
    Line,
    Place,
    PlaceKind,
    build_body,
    reservation_id,
    shares,
    sum_lines,
)
from reconciliation.reasons import columns, join, say
from reconciliation.reservation import document_rows

_documents, _attempts = Maker(ReservationDocument), Maker(Attempt)


@dataclass(frozen=True, slots=True)
class Item:
    """The columns of an order item that documents and outcomes need; faster than the whole row."""

    pk: int
    sku: str
    list_id: str
    list_type: str
    quantity: Decimal
    open_quantity: Decimal

    @property
    def place(self) -> Place:
        """Where the item is reserved at OCI."""
        return Place(PlaceKind(self.list_type), self.list_id)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order with its only document stored, and its items; ready to send."""

    order: Order
    document: ReservationDocument
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Answered:
    """OCI's answer to a prepared document."""

    prepared: Prepared
    answer: PutAnswer


class _Changed(Exception):
    """A document has changed although the order is claimed; nothing is counted."""


def prepare(orders: Sequence[Order], *, now: datetime, are_new: bool = False) -> list[Prepared]:
    """Store one document per order, marked as about to be sent; return the orders that have one.

    The caller has claimed and locked the orders in its transaction, and must commit it before the
    first call. An unanswered document is sent again unchanged; orders that `are_new` have none.
    """
    by_id = {order.pk: order for order in orders}
    before: dict[int, list[ReservationDocument]] = defaultdict(list)
    ids = among(list(by_id))
    for document in () if are_new else ReservationDocument.objects.filter(order__in=ids):
        before[document.order_id].append(document)
    items = _items_of(by_id)
    prepared, new, again = [], [], []
    for pk, order in by_id.items():
        found = before[pk]
        if not found:
            made = _document(order, items[pk], now=now)
            if made is None:
                continue
            document = made
            new.append(document)
        elif len(found) == 1 and _may_be_sent(found[0]):
            document = found[0]
            again.append(document.pk)
        else:
            continue
        prepared.append(Prepared(order, document, items[pk]))
    insert_all(new)
    if again:
        # Each belongs to one order, and its row is locked.
        ReservationDocument.objects.filter(pk__in=again, state=DocumentState.PREPARED).update(
            sends=F("sends") + 1, sent_at=now
        )
    return prepared


def _items_of(order_ids: Iterable[int]) -> dict[int, list[Item]]:
    found = OrderItem.objects.filter(order__in=among(list(order_ids))).annotate(open=open_units())
    rows = found.order_by("order", "position")
    items: dict[int, list[Item]] = defaultdict(list)
    for order_id, *values in rows.values_list(
        "order", "pk", "sku", "inventory_list", "inventory_list__list_type", "quantity", "open"
    ):
        items[order_id].append(Item(*values))
    return items


def _may_be_sent(document: ReservationDocument) -> bool:
    return document.state == DocumentState.PREPARED and document.purpose == Purpose.ORDER


def _document(order: Order, items: Iterable[Item], *, now: datetime) -> ReservationDocument | None:
    """Return the first document of an order, or None if it needs none or more than one."""
    lines = sum_lines(
        Line(item.place, item.sku, item.open_quantity) for item in items if item.open_quantity > 0
    )
    if not 0 < len(lines) <= MAX_LINES:
        return None
    return _documents.make(
        order_id=order.pk,
        generation=order.generation,
        reservation_id=reservation_id(
            site_id=order.site_id, order_no=order.order_no, generation=order.generation
        ),
        body=build_body(order_no=order.order_no, lines=lines),
        sends=1,
        sent_at=now,
    )


def count(
    answers: Collection[Answered],
    *,
    holder: str,
    actor: Actor,
    now: datetime,
    run_id: int | None = None,
) -> list[Settlement]:
    """Count answers in their orders, once; return the settled orders.

    Orders that `holder` has lost are left out. If one of the documents has changed, nothing is
    counted. Call inside a transaction to commit something else with it.
    """
    by_order = {answered.prepared.order.pk: answered for answered in answers}
    try:
        with transaction.atomic():
            settled = outcome_sets.settle(
                [_settlement(answered) for answered in by_order.values()],
                holder=holder,
                actor=actor,
                reason=say("reserved"),
                now=now,
            )
            _count_documents([by_order[one.order.pk] for one in settled], now=now, run_id=run_id)
    except _Changed:
        return []
    return settled


def _count_documents(answers: Collection[Answered], *, now: datetime, run_id: int | None) -> None:
    held = {
        answered.prepared.document.pk: held_lines(answered.answer.judgement) for answered in answers
    }
    if document_rows.mark_counted(held, now=now) != len(held):
        raise _Changed
    insert_all(
        [
            _attempts.make(
                order_id=answered.prepared.order.pk,
                run_id=run_id,
                document_id=answered.prepared.document.pk,
                operation="reserve",
                at=now,
                outcome=outcome_of(answered.answer.judgement),
                status=answered.answer.status,
                **columns("message", join(*answered.answer.judgement.oddities), limit=1000),
                correlation_id=answered.answer.correlation_id[:64],
            )
            for answered in answers
        ]
    )


def _settlement(answered: Answered) -> Settlement:
    items = answered.prepared.items
    reserved = _units(items, answered.answer.judgement)
    ordered = {item.pk: item.quantity for item in items}
    return Settlement(answered.prepared.order, reserved, outcomes.state_of(ordered, reserved))


def _units(items: Sequence[Item], judged: Judgement) -> dict[int, Decimal]:
    """Return how an answer is divided over order items (primary key), first item first."""
    got: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for (place, sku), units in judged.held.items():
        got[(place.id, sku)] += units
    by_key: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        by_key[(item.list_id, item.sku)].append(item)
    units_of = {}
    for key, sharers in by_key.items():
        wanted = [item.open_quantity for item in sharers]
        for item, share in zip(sharers, shares(held=got[key], wanted=wanted), strict=True):
            units_of[item.pk] = share
    return units_of


def is_complete(answered: Answered) -> bool:
    """Return whether OCI holds everything that the order needs."""
    return answered.answer.judgement.complete


def held_lines(judged: Judgement) -> list[dict[str, object]]:
    """Return the units OCI holds, in the form stored in a document."""
    return [
        {"place": place.kind, "id": place.id, "sku": sku, "quantity": json_number(units)}
        for (place, sku), units in sorted(judged.held.items())
        if units > 0
    ]


def outcome_of(judged: Judgement) -> AttemptOutcome:
    """Return the outcome of the attempt with this answer."""
    if judged.complete:
        return AttemptOutcome.COMPLETE
    return AttemptOutcome.NOTHING if judged.nothing else AttemptOutcome.PARTIAL

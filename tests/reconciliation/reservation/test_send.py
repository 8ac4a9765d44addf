"""Reservation documents: written down first, repeated as they are, counted once (promise 2)."""

from __future__ import annotations

import json
import uuid

import pytest

from orders.models import Order, OrderEvent
from reconciliation import reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.oci.documents import reservation_id
from reconciliation.reservation import Asked, Verdict
from tests.engine import Between, D, Engine, quantities, reserved_by_items
from tests.reconciliation.reservation.calls import WORKER, ask, claim, count, documents

pytestmark = pytest.mark.django_db

# Written down before the first call


def test_a_document_is_prepared_once_and_found_again(engine: Engine) -> None:
    site = engine.site({"MUG": 5, "CUP": 5})
    order = engine.capture(site, "A1", [("MUG", 1.125), ("CUP", 2), ("MUG", 1)])
    claim(order, engine)
    first = reservation.prepare(order_id=order.pk, holder=WORKER, purpose=Purpose.ORDER)
    again = reservation.prepare(order_id=order.pk, holder=WORKER, purpose=Purpose.ORDER)
    assert first is not None
    assert first == again
    (document,) = first
    assert document.reservation_id == reservation_id(site_id="shop", order_no="A1", generation=0)
    assert json.loads(document.body) == {
        "externalRefId": "A1",
        "allowPartialReservations": True,
        "groups": [
            {
                "id": "web",
                "reservations": [
                    {"sku": "CUP", "quantity": 2},
                    {"sku": "MUG", "quantity": 2.125},
                ],
            }
        ],
    }
    assert documents(order) == [(0, 0, "prepared", 0)]


def test_only_the_holder_of_the_claim_prepares_and_sends(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    claim(order, engine, "someone-else")
    asked = ask(order, engine)
    assert asked == Asked(Verdict.LATER, "The order was just changed by another person or process.")
    assert (documents(order), engine.oci.requests()) == ([], [])
    # Prepared by one, whose claim is another's by now.
    assert ask(order, engine, holder="someone-else").verdict == Verdict.ANSWERED
    ReservationDocument.objects.update(state=DocumentState.PREPARED, held=[])
    calls = len(engine.puts())
    assert ask(order, engine).verdict == Verdict.LATER
    assert len(engine.puts()) == calls


def test_nothing_is_prepared_for_an_order_that_is_being_cancelled(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    claim(order, engine)
    Order.objects.update(status="cancelling")
    assert reservation.prepare(order_id=order.pk, holder=WORKER, purpose=Purpose.ORDER) is None
    assert documents(order) == []
    Order.objects.update(status="new")


def test_a_document_taken_back_between_looking_and_sending_is_not_sent(engine: Engine) -> None:
    site = engine.site({f"S{number:03}": 5 for number in range(101)})
    order = engine.capture(site, "A1", [(f"S{number:03}", 1) for number in range(101)])
    claim(order, engine)

    def take_back_the_second(_: uuid.UUID) -> None:
        ReservationDocument.objects.filter(part=1).update(state=DocumentState.CANCELLED)

    between = Between(shared_client(), after=take_back_the_second)
    assert ask(order, engine, client=between).verdict == Verdict.LATER
    assert len(engine.puts()) == 1
    assert documents(order) == [(0, 0, "answered", 1), (0, 1, "cancelled", 0)]


def test_who_loses_the_claim_between_two_documents_sends_no_more(engine: Engine) -> None:
    site = engine.site({f"S{number:03}": 5 for number in range(101)})
    order = engine.capture(site, "A1", [(f"S{number:03}", 1) for number in range(101)])
    claim(order, engine)
    between = Between(shared_client(), after=lambda _: Order.objects.update(claim="someone-else"))
    assert ask(order, engine, client=between).verdict == Verdict.LATER
    assert len(engine.puts()) == 1
    assert documents(order) == [(0, 0, "answered", 1), (0, 1, "prepared", 0)]


# Counting


def test_what_is_held_is_shared_over_items_in_their_order_and_counted_once(
    engine: Engine,
) -> None:
    order = engine.capture(engine.site({"MUG": 9}), "A1", [("MUG", 1.5), ("MUG", 3)])
    engine.at_oci({"MUG": "3.875"})
    claim(order, engine)
    assert ask(order, engine).verdict == Verdict.ANSWERED
    assert reservation.is_complete(order.pk) is False
    settled = count(order, engine)
    assert settled is not None
    assert (settled.reservation_state, settled.export_status) == ("PARTIALLY_RESERVED", "ready")
    assert quantities(order) == [("MUG", D("1.5"), D("1.5")), ("MUG", D(3), D("2.375"))]
    assert documents(order) == [(0, 0, "counted", 1)]
    assert count(order, engine) is None
    assert quantities(order)[1] == ("MUG", D(3), D("2.375"))
    assert OrderEvent.objects.filter(order=order, kind="settled").count() == 1


def test_an_answer_is_not_asked_for_twice(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 9}), "A1", [("MUG", 1)])
    claim(order, engine)
    assert [ask(order, engine).verdict for _ in range(3)] == [Verdict.ANSWERED] * 3
    assert len(engine.puts()) == 1


def test_a_claim_that_was_lost_counts_nothing(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 9}), "A1", [("MUG", 1)])
    claim(order, engine)
    ask(order, engine)
    Order.objects.update(claim="someone-else")
    assert count(order, engine) is None
    assert quantities(order) == [("MUG", D(1), D(0))]
    assert documents(order) == [(0, 0, "answered", 1)]


def test_a_shortfall_is_asked_for_under_the_next_generation(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 9, "CUP": 9}), "A1", [("MUG", 4), ("CUP", 2)])
    engine.at_oci({"MUG": 1})
    claim(order, engine)
    ask(order, engine)
    count(order, engine)
    engine.at_oci({"MUG": 3})
    claim(order, engine)
    assert ask(order, engine, purpose=Purpose.SHORTFALL).verdict == Verdict.ANSWERED
    second = ReservationDocument.objects.get(generation=1)
    assert json.loads(second.body)["groups"] == [
        {"id": "web", "reservations": [{"sku": "MUG", "quantity": 3}]}
    ]
    assert second.reservation_id == reservation_id(site_id="shop", order_no="A1", generation=1)
    counted = count(order, engine, Purpose.SHORTFALL)
    assert counted is not None
    assert counted.reservation_state == "PARTIALLY_RESERVED"
    assert quantities(order) == [("MUG", D(4), D(3)), ("CUP", D(2), D(2))]
    assert engine.held() == reserved_by_items() == {"MUG": D(3), "CUP": D(2)}


def test_with_nothing_missing_nothing_is_asked(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 9}), "A1", [("MUG", 1)])
    claim(order, engine)
    ask(order, engine)
    count(order, engine)
    claim(order, engine)
    assert reservation.prepare(order_id=order.pk, holder=WORKER, purpose=Purpose.SHORTFALL) == []
    assert ask(order, engine, purpose=Purpose.SHORTFALL).verdict == Verdict.ANSWERED
    assert (documents(order), len(engine.puts())) == ([(0, 0, "counted", 1)], 1)

"""Ids that OCI refuses, cancels that follow, and calls that come late (OCI contract 1.7)."""

from __future__ import annotations

import time
import uuid

import pytest
from django.db.models import F

from orders.models import Order, OrderEvent, OrderItem
from reconciliation.connection.clients import shared_client
from reconciliation.models import ReservationDocument
from reconciliation.oci.documents import reservation_id
from reconciliation.reservation import Asked, Verdict, release
from tests.engine import Between, D, Engine, quantities, reserved_by_items
from tests.processes.product import wait_for
from tests.reconciliation.reservation.calls import (
    JOB,
    ask,
    attempts,
    claim,
    count,
    documents,
    reserve_behind_our_back,
)

pytestmark = pytest.mark.django_db

# Ids that OCI refuses


@pytest.mark.parametrize(
    ("replay", "code"),
    [("exists", "EntityExists"), ("finalized", "ReservationAlreadyFinalized")],
)
def test_what_is_held_and_cannot_be_read_is_cancelled_and_reserved_anew(
    engine: Engine, replay: str, code: str
) -> None:
    order = engine.capture(engine.site({"MUG": 2}), "A1", [("MUG", 2)])
    claim(order, engine)
    reserve_behind_our_back(engine, order)
    engine.oci.settings(replay=replay)
    assert ask(order, engine).verdict == Verdict.ANSWERED
    assert documents(order) == [(0, 0, "cancelled", 1), (1, 0, "answered", 1)]
    assert attempts(order) == [
        ("reserve", "NEW_ID", code),
        ("cancel", "", ""),
        ("reserve", "COMPLETELY_RESERVED", ""),
    ]
    event = OrderEvent.objects.get(order=order, kind="generation")
    assert (event.data, event.reason) == (
        {"generation": 1},
        f"OCI answered {code} for the reservation id. The next id is used.",
    )
    count(order, engine)
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}


def test_both_documents_are_written_down_before_the_cancel_is_sent(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 2}), "A1", [("MUG", 2)])
    claim(order, engine)
    reserve_behind_our_back(engine, order)
    engine.oci.settings(replay="exists")
    engine.oci.fault("down", operations=["patch"])
    assert ask(order, engine).verdict == Verdict.OFFLINE
    assert documents(order) == [(0, 0, "cancelling", 1), (1, 0, "prepared", 0)]
    # Somebody else goes on with it after a crash: first the cancel, then the next generation.
    engine.oci.fault("none")
    assert ask(order, engine).verdict == Verdict.ANSWERED
    assert documents(order) == [(0, 0, "cancelled", 1), (1, 0, "answered", 1)]
    count(order, engine)
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}


def test_an_id_that_is_spent_needs_no_cancel(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 2}), "A1", [("MUG", 2)])
    claim(order, engine)
    reserve_behind_our_back(engine, order)
    number = reservation_id(site_id="shop", order_no="A1", generation=0)
    shared_client().cancel_reservation(reservation_id=number)
    assert ask(order, engine).verdict == Verdict.ANSWERED
    assert documents(order) == [(0, 0, "cancelled", 1), (1, 0, "answered", 1)]
    assert [code for _, _, code in attempts(order)] == ["ReservationCancelled", ""]
    count(order, engine)
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}


def test_a_cancel_that_is_refused_as_well_goes_to_review(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    claim(order, engine)
    reserve_behind_our_back(engine, order, expirationSeconds=1)
    time.sleep(1.1)
    asked = ask(order, engine)
    assert asked.verdict == Verdict.REVIEW
    assert asked.reason.startswith("OCI refused to cancel a reservation: ReservationInvalidState.")
    assert documents(order) == [(0, 0, "cancelling", 1), (1, 0, "prepared", 0)]
    assert attempts(order) == [
        ("reserve", "NEW_ID", "ReservationInvalidState"),
        ("cancel", "NEEDS_REVIEW", "ReservationInvalidState"),
    ]
    assert quantities(order) == [("MUG", D(2), D(0))]


def test_a_place_that_does_not_exist_goes_to_review_and_may_be_repeated(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    engine.oci.set_graph(locations=["dc"])
    claim(order, engine)
    asked = ask(order, engine)
    assert (asked.verdict, "GroupDoesNotExist (web)" in asked.reason) == (Verdict.REVIEW, True)
    assert documents(order) == [(0, 0, "prepared", 1)]
    engine.oci.set_graph(locations=["dc"], groups={"web": ["dc"]})
    assert ask(order, engine).verdict == Verdict.ANSWERED
    assert documents(order) == [(0, 0, "answered", 2)]


def test_a_document_that_oci_is_working_on_is_asked_for_later(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    claim(order, engine)
    engine.oci.fault("slow", operations=["put"], delayMs=60_000, when="before")
    assert ask(order, engine, read_timeout=0.2).verdict == Verdict.OFFLINE
    asked = ask(order, engine)
    assert asked.verdict == Verdict.LATER
    assert attempts(order)[1][1:] == ("LATER", "ReservationOperationInProcess")
    engine.oci.fault("none")
    wait_for(engine.held, "OCI to carry the first call out")
    assert ask(order, engine).verdict == Verdict.ANSWERED
    assert documents(order) == [(0, 0, "answered", 3)]
    assert engine.held() == {"MUG": D(2)}


def test_after_a_cancel_that_is_only_marked_the_counts_are_waited_for(engine: Engine) -> None:
    """Asking at once would find the order's own units taken, and call it oversold."""
    order = engine.capture(engine.site({"MUG": 2}), "A1", [("MUG", 2)])
    claim(order, engine)
    engine.oci.fault("drop", operations=["put"])
    assert ask(order, engine).verdict == Verdict.OFFLINE
    engine.oci.fault("none")
    engine.oci.settings(replay="exists", cancelStyle="202", cancelDelayMs=200)
    asked = ask(order, engine)
    assert asked == Asked(Verdict.LATER, "OCI is still giving back an earlier reservation.")
    assert documents(order) == [(0, 0, "cancelled", 2), (1, 0, "prepared", 0)]
    wait_for(lambda: not engine.held(), "OCI to give it back")
    engine.clock.go(2.9)
    assert ask(order, engine).verdict == Verdict.LATER
    engine.clock.go(0.2)
    assert ask(order, engine).verdict == Verdict.ANSWERED
    count(order, engine)
    assert quantities(order) == [("MUG", D(2), D(2))]
    assert engine.held() == {"MUG": D(2)}


# Calls that come late


def test_a_call_that_reaches_oci_after_its_document_was_cancelled_is_undone(
    engine: Engine,
) -> None:
    """The worker was thought dead; the order was cancelled; then its call went out after all."""
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    claim(order, engine)

    def cancel_meanwhile(_: uuid.UUID) -> None:
        engine.clock.go(100)
        release.cancel_order(order_id=order.pk, actor=JOB, reason="test", now=engine.clock())
        release.finish_cancellations(clock=engine.clock)
        order.refresh_from_db()
        assert order.status == "cancelled"
        engine.oci.fault("down", operations=["patch"])

    ask(order, engine, client=Between(shared_client(), before=cancel_meanwhile))
    assert engine.held() == {"MUG": D(2)}
    assert documents(order) == [(0, 0, "cancelling", 1)]
    assert count(order, engine) is None
    assert release.something_to_undo() is True
    engine.oci.fault("none")
    release.finish_cancellations(clock=engine.clock)
    assert engine.held() == {}
    assert documents(order) == [(0, 0, "cancelled", 1)]
    order.refresh_from_db()
    assert (order.status, OrderItem.objects.get().reserved_quantity) == ("cancelled", 0)


def test_an_answer_that_comes_twice_is_written_down_once(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    claim(order, engine)

    def another_worker_gets_it_first(_: uuid.UUID) -> None:
        assert ask(order, engine).verdict == Verdict.ANSWERED

    between = Between(shared_client(), after=another_worker_gets_it_first)
    assert ask(order, engine, client=between).verdict == Verdict.ANSWERED
    assert documents(order) == [(0, 0, "answered", 2)]
    settled = count(order, engine)
    assert settled is not None
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}


def test_ids_that_are_refused_one_after_the_other_end_some_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = engine.capture(engine.site({"MUG": 50}), "A1", [("MUG", 2)])
    claim(order, engine)
    engine.oci.settings(replay="exists")

    def someone_has_the_id(_: uuid.UUID) -> None:
        order.refresh_from_db()
        reserve_behind_our_back(engine, order)

    asked = ask(order, engine, client=Between(shared_client(), before=someone_has_the_id))
    assert asked == Asked(Verdict.LATER, "OCI refused several reservation ids in a row.")
    assert [state for _, _, state, _ in documents(order)] == [
        *["cancelled"] * 4,
        "cancelling",
        "prepared",
    ]
    assert ask(order, engine).verdict == Verdict.ANSWERED
    count(order, engine)
    assert engine.held() == {"MUG": D(2)}
    assert Order.objects.get().generation == 5
    sent = ReservationDocument.objects.annotate(n=F("sends")).values_list("n", flat=True)
    assert list(sent) == [1] * 6

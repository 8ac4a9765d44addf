"""Settling a short order outside against its rerun, on PostgreSQL; each guard has a control."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from orders import ledger, outcomes
from orders.actors import job
from orders.errors import CannotSettle
from orders.models import Hold, Order, OrderEvent, OrderItem
from reconciliation import reservation
from reconciliation.maintenance import integrity_check
from reconciliation.models import (
    DocumentState,
    Purpose,
    ReservationDocument,
)
from reconciliation.reservation import release
from reconciliation.reservation import send as asking
from tests.concurrency.together import (
    SECONDS,
    at_once,
    wait_until,
    waiting_for_me,
    while_uncommitted,
)
from tests.engine import MIA
from tests.factories import START, capture, know_stock, make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
JOB = job("race")


def short_order() -> Order:
    """An order that OCI had nothing for."""
    order = capture(make_site(stock={"MUG": 9}), "A1", [("MUG", 1)])
    outcomes.take_claim(order_id=order.pk, holder="first", until=NOW, now=NOW)
    reservation.prepare(order_id=order.pk, holder="first", purpose=Purpose.ORDER)
    ReservationDocument.objects.update(state="answered", sends=1, sent_at=NOW)
    count(order, "first", Purpose.ORDER)
    return order


def prepare_rerun(order: Order) -> None:
    """Write down what a rerun asks for; the claim of its worker has run out."""
    outcomes.take_claim(order_id=order.pk, holder="rerun", until=NOW, now=NOW)
    reservation.prepare(order_id=order.pk, holder="rerun", purpose=Purpose.SHORTFALL)


def short_order_with_an_answer() -> Order:
    """An order short of a mug, with an answered rerun; the worker's claim has expired."""
    order = short_order()
    prepare_rerun(order)
    held = [{"place": "group", "id": "web", "sku": "MUG", "quantity": 1}]
    ReservationDocument.objects.filter(purpose="shortfall").update(
        state="answered", sends=1, sent_at=NOW, held=held
    )
    return order


def count(order: Order, holder: str, purpose: Purpose) -> str:
    counted = reservation.count(
        order_id=order.pk, holder=holder, purpose=purpose, actor=JOB, now=NOW
    )
    return counted.reservation_state if counted else "lost"


def settle_outside(order: Order) -> str:
    try:
        release.settle_outside(
            order_id=order.pk, reference="PO 7", actor=MIA, reason="race", now=NOW
        )
    except CannotSettle:
        return "refused"
    return "settled outside"


def test_an_answer_is_not_counted_behind_a_settlement_outside() -> None:
    """The worker has read the answer, and then has to wait for the person's transaction."""
    order = short_order_with_an_answer()
    results = while_uncommitted(
        lambda: settle_outside(order), lambda: count(order, "rerun", Purpose.SHORTFALL)
    )
    assert results == ["lost"]
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == ("NOTHING_RESERVED", "settled_outside")
    assert OrderItem.objects.get().reserved_quantity == 0
    # What OCI holds for nobody is given back.
    document = ReservationDocument.objects.get(purpose="shortfall")
    assert document.state == DocumentState.CANCELLING
    assert not OrderEvent.objects.filter(order=order, actor="race", kind="resolved").exists()


def test_control_without_taking_the_claim_the_answer_is_counted_and_given_back() -> None:
    order = short_order_with_an_answer()

    def unguarded() -> None:
        settle_outside(order)
        Order.objects.filter(pk=order.pk).update(claim="rerun", claimed_until=NOW)

    results = while_uncommitted(unguarded, lambda: count(order, "rerun", Purpose.SHORTFALL))
    assert results == ["COMPLETELY_RESERVED"]
    details = {broken.detail for broken in integrity_check.check()}
    assert "its items and its reservation documents hold different units" in details


def send_and_settle(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settle outside when the worker has changed its document, and has not held its units yet.

    The worker goes on when the person waits for it.
    """
    order = short_order()
    know_stock({"MUG": 9}, at=NOW + MINUTE)
    prepare_rerun(order)
    document = ReservationDocument.objects.get(purpose="shortfall")
    real, half_way = ledger.hold_shortfall, threading.Event()
    client: Any = None  # nothing is called
    caller = asking._Caller(client, clock=lambda: NOW, actor=JOB, run_id=None, read_timeout=None)

    def slowly(**asked: Any) -> None:
        half_way.set()
        wait_until(lambda: waiting_for_me() > 0)
        real(**asked)

    def send() -> str:
        return "sent" if caller._write_sent(document, holder="rerun") else "not sent"

    def settle() -> str:
        assert half_way.wait(SECONDS)
        return settle_outside(order)

    monkeypatch.setattr(ledger, "hold_shortfall", slowly)
    acts = [send, settle]
    return at_once(2, lambda n: acts[n]())


def test_a_rerun_that_is_sent_and_a_settlement_outside_take_their_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert send_and_settle(monkeypatch) == ["sent", "settled outside"]
    document = ReservationDocument.objects.get(purpose="shortfall")
    assert (document.state, document.sends) == (DocumentState.CANCELLING, 1)
    assert Hold.objects.get(state="answered").quantity == 1


def test_control_a_document_locked_before_its_order_deadlocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlocked = SimpleNamespace(objects=SimpleNamespace(select_for_update=Order.objects.all))
    monkeypatch.setattr(asking, "Order", unlocked)
    (failed, _) = send_and_settle(monkeypatch)
    assert "deadlock detected" in failed


def test_settling_outside_and_a_rerun_at_once_have_one_winner() -> None:
    order = short_order_with_an_answer()
    acts: list[Callable[[Order], str]] = [
        settle_outside,
        lambda one: count(one, "rerun", Purpose.SHORTFALL),
    ]
    results = at_once(8, lambda n: acts[n % 2](order))
    order.refresh_from_db()
    # The second person is notified; the same settlement again changes nothing.
    if order.resolution == "settled_outside":
        assert results == ["lost"] * 4 + ["settled outside"] * 4
    else:
        assert results == ["COMPLETELY_RESERVED"] + ["lost"] * 3 + ["refused"] * 4
        assert order.resolution == "reserved_again"
    assert not [b for b in integrity_check.check() if b.promise in (1, 2)]
    assert OrderEvent.objects.filter(order=order, kind="resolved").count() == 1

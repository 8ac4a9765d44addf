"""A live order whose process dies, sleeps or is overtaken on the way (promises 1, 2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders import outcomes
from orders.actors import job
from orders.capture import Claim
from orders.models import (
    Order,
    OrderStatus,
)
from reconciliation.maintenance import sweep
from reconciliation.models import (
    ReservationDocument,
)
from reconciliation.reservation import placement, release
from reconciliation.runs.lifecycle import active_run
from tests import factories
from tests.engine import (
    D,
    Engine,
    ato,
    kinds,
    reserved_by_items,
    standing,
)
from tests.reconciliation.reservation.calls import COMPLETE, MISSING, PARTIAL

pytestmark = pytest.mark.django_db


# The process dies


def test_an_order_whose_process_died_is_adopted_and_reserved(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    claim = Claim("live:dead", engine.clock() + timedelta(seconds=20))
    order = factories.capture(site, "A1", [("MUG", 2)], at=engine.clock(), claim=claim)
    assert sweep.sweep(clock=engine.clock) == []
    assert standing(order) == ("created", MISSING, False)
    engine.clock.go(20)
    found = sweep.sweep(clock=engine.clock)
    assert found[0] == "resumed abandoned orders"
    assert standing(order) == ("new", MISSING, True)
    assert kinds(order) == ["captured", "captured_offline"]
    # The sweep has started a run for it by itself.
    run = active_run()
    assert run is not None
    assert found[1] == f"started run {run.pk}"
    assert (run.trigger, engine.work(run).state) == ("schedule", "completed")
    assert standing(order) == ("new", COMPLETE, True)
    assert sweep.sweep(clock=engine.clock)[:1] != ["resumed abandoned orders"]


# An answer in full is written down with its outcome; one that is short, before what follows.
@pytest.mark.parametrize(("stock", "document", "puts"), [(5, "prepared", 2), (1, "answered", 1)])
def test_a_process_that_dies_after_the_answer_leaves_it_to_be_counted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, stock: int, document: str, puts: int
) -> None:
    site = engine.site({"MUG": 5})
    engine.at_oci({"MUG": stock})

    def die(*_: Any, **__: Any) -> bool:
        raise SystemExit

    monkeypatch.setattr(placement.reservation, "is_complete", die)
    monkeypatch.setattr(placement.sets, "count", die)
    with pytest.raises(SystemExit):
        engine.place(site, "A1", [("MUG", 2)])
    order = Order.objects.get()
    assert standing(order) == ("created", MISSING, False)
    assert ReservationDocument.objects.get().state == document
    monkeypatch.undo()
    engine.clock.go(60)
    sweep.sweep(clock=engine.clock)
    run = active_run()
    assert run is not None
    engine.work(run)
    assert standing(order) == ("new", COMPLETE if stock == 5 else PARTIAL, True)
    assert len(engine.puts()) == puts
    assert engine.held() == reserved_by_items() == {"MUG": D(min(stock, 2))}


def test_a_live_process_that_wakes_up_too_late_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim had ended; the order was adopted and reserved; it must not be given back."""
    site = engine.site({"MUG": 5})
    engine.at_oci({"MUG": 1})
    complete = placement.reservation.is_complete

    def sleep_first(order_id: int) -> bool:
        engine.clock.go(120)
        assert outcomes.resume_abandoned(actor=job("sweep"), now=engine.clock()) == 1
        assert engine.reconcile().state == "completed_with_shortages"
        return complete(order_id)

    monkeypatch.setattr(placement.reservation, "is_complete", sleep_first)
    placed = engine.place(site, "A1", [("MUG", 2)])
    assert placed.created is True
    assert standing(placed.order) == ("new", PARTIAL, True)
    assert engine.held() == reserved_by_items() == {"MUG": D(1)}
    assert ReservationDocument.objects.get().state == "counted"


def test_an_order_cancelled_while_it_is_being_reserved_is_undone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = engine.site({"MUG": 5})
    count = placement.sets.count

    def cancel_first(answers: Any, **arguments: Any) -> Any:
        order = release.cancel_order(
            order_id=answers[0].prepared.order.pk,
            actor=job("test"),
            reason="changed her mind",
            now=engine.clock(),
        )
        assert order.status == OrderStatus.CANCELLING
        return count(answers, **arguments)

    monkeypatch.setattr(placement.sets, "count", cancel_first)
    placed = engine.place(site, "A1", [("MUG", 2)])
    assert standing(placed.order) == ("cancelling", MISSING, False)
    assert engine.held() == {"MUG": D(2)}
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert standing(placed.order) == ("cancelled", MISSING, False)
    assert (engine.held(), ato("MUG")) == ({}, (D(5), D(0)))

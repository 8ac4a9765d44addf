"""OCI goes away, refuses us or asks to slow down in the middle of a run (design 5, 6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders.models import Order
from reconciliation import connection
from reconciliation.models import (
    Batch,
    ReservationDocument,
)
from reconciliation.runs import lifecycle, scopes
from tests.engine import MIA, D, Engine, reserved_by_items, set_connection
from tests.reconciliation.backlogs import (
    COMPLETE,
    MISSING,
    OFFLINE,
    Items,
    backlog,
    entries,
    states,
)

pytestmark = pytest.mark.django_db

# OCI goes away again


def test_oci_gone_in_the_middle_leaves_the_rest_waiting(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    skus = ["MUG", "CUP"]
    orders: list[tuple[str, Items]] = [(f"A{n}", [(skus[n % 2], 1)]) for n in range(6)]
    backlog(engine, {"MUG": 9, "CUP": 9}, orders)

    def gone_after_the_third(number: str) -> None:
        if number == "A2":
            engine.oci.fault("down")

    engine.between(monkeypatch, after=gone_after_the_third)
    run = engine.reconcile()
    assert run.state == "oci_offline"
    assert list(entries(run).values()) == [COMPLETE] * 3 + [OFFLINE] * 3
    assert list(states().values()) == [COMPLETE] * 3 + [MISSING] * 3
    assert connection.current().state == "OFFLINE"
    left = Order.objects.waiting()
    assert [(o.order_no, o.claim, o.status) for o in left] == [
        ("A3", "", "new"),
        ("A4", "", "new"),
        ("A5", "", "new"),
    ]
    assert engine.held() == reserved_by_items() == {"MUG": D(2), "CUP": D(1)}
    with pytest.raises(lifecycle.RunRefused, match="OCI is offline"):
        engine.start()

    engine.oci.fault("none")
    set_connection("RECOVERING")
    again = engine.reconcile()
    assert (again.state, list(entries(again))) == ("completed", ["A3", "A4", "A5"])
    assert engine.held() == reserved_by_items() == {"MUG": D(3), "CUP": D(3)}
    assert list(entries(run).values()) == [COMPLETE] * 3 + [OFFLINE] * 3


def test_a_connection_that_an_operator_takes_away_is_not_called_any_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("MUG", 1)])])

    def force(number: str) -> None:
        connection.force_offline(actor=MIA, reason="drill", now=engine.clock())

    engine.between(monkeypatch, after=force)
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("oci_offline", {"A1": COMPLETE, "A2": OFFLINE})
    assert len(engine.puts()) == 1


def test_a_run_that_finds_oci_gone_calls_nobody(engine: Engine) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)])])
    run = engine.start()
    set_connection("OFFLINE")
    assert engine.work(run).state == "oci_offline"
    assert (entries(run), engine.oci.requests()) == ({"A1": OFFLINE}, [])
    assert ReservationDocument.objects.count() == 0


def test_refused_credentials_stop_the_run_and_change_nothing(engine: Engine) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("CUP", 1)])][:1])
    engine.oci.fault("forbidden")
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("configuration_fault", {"A1": OFFLINE})
    assert states() == {"A1": MISSING}
    assert (connection.current().state, connection.current().cause) == ("OFFLINE", "configuration")


def test_an_order_that_oci_never_answers_does_not_stop_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those behind it at a SKU wait with it, however many batches later."""
    orders: list[tuple[str, Items]] = [
        ("POISON", [("MUG", 1)]),
        ("A2", [("CUP", 1)]),
        ("A3", [("MUG", 1), ("JUG", 1)]),
        ("A4", [("JUG", 1)]),
        ("A5", [("CUP", 1)]),
    ]
    backlog(engine, {"MUG": 9, "CUP": 9, "JUG": 9}, orders)

    def poison(number: str) -> None:
        engine.oci.fault("5xx" if number == "POISON" else "none")

    engine.between(monkeypatch, before=poison)
    run = engine.reconcile()
    assert run.state == "oci_offline"
    expected = {"POISON": OFFLINE, "A2": COMPLETE, "A3": OFFLINE, "A4": OFFLINE, "A5": COMPLETE}
    assert entries(run) == expected
    assert connection.current().state == "ONLINE"
    assert engine.held() == {"CUP": D(2)}


@pytest.mark.parametrize("size", [1, 2])
def test_what_is_withheld_holds_back_later_batches_and_rounds(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    settings.COC_BATCH_SIZE = size
    monkeypatch.setattr(scopes, "PORTION", 3)
    orders: list[tuple[str, Items]] = [
        ("A1", [("CUP", 1)]),
        ("POISON", [("MUG", 1)]),
        ("A3", [("MUG", 1), ("CUP", 1)]),
        ("A4", [("CUP", 1)]),
        ("A5", [("JUG", 1)]),
        ("A6", [("MUG", 1)]),
    ]
    backlog(engine, {"MUG": 9, "CUP": 9, "JUG": 9}, orders)

    def poison(number: str) -> None:
        engine.oci.fault("5xx" if number == "POISON" else "none")

    engine.between(monkeypatch, before=poison)
    run = engine.reconcile()
    assert entries(run) == {
        "A1": COMPLETE,
        "POISON": OFFLINE,
        "A3": OFFLINE,
        "A4": OFFLINE,
        "A5": COMPLETE,
        "A6": OFFLINE,
    }


# OCI asks to slow down


def test_a_short_retry_after_is_waited_for(engine: Engine) -> None:
    orders: list[tuple[str, Items]] = [(f"A{number}", [("MUG", 1)]) for number in range(4)]
    backlog(engine, {"MUG": 9}, orders)
    engine.oci.fault("429", operations=["put"], every=2, retryAfter=2)
    started = engine.clock()
    run = engine.reconcile()
    assert (run.state, set(states().values())) == ("completed", {COMPLETE})
    assert engine.clock() - started > timedelta(seconds=2)
    assert connection.current().state == "ONLINE"
    assert engine.held() == reserved_by_items() == {"MUG": D(4)}


def test_a_long_retry_after_is_obeyed_and_the_run_goes_on_later(engine: Engine) -> None:
    orders: list[tuple[str, Items]] = [("A1", [("MUG", 1)]), ("A2", [("CUP", 1)])]
    backlog(engine, {"MUG": 9, "CUP": 9}, orders)
    engine.oci.fault("429", operations=["put"], retryAfter=60)
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("running", {"A1": "pending", "A2": "pending"})
    batch = Batch.objects.get()
    assert (batch.state, batch.starts, batch.holder) == ("ready", 0, "")
    engine.oci.fault("none")
    # One call was made and none follows, whoever is woken.
    engine.work(run)
    engine.clock.go(45)
    engine.work(run)
    assert len(engine.puts()) == 1
    engine.clock.go(20)
    assert engine.work(run).state == "completed"
    assert set(states().values()) == {COMPLETE}

"""Asking again for what is short: only the shortfall, under an id of its own (design 6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders.models import Hold, InventoryRecord, Movement, Order, OrderEvent
from reconciliation.connection import clients
from reconciliation.models import (
    ReservationDocument,
    Scope,
)
from reconciliation.oci.client import OciClient, PutAnswer
from reconciliation.runs.lifecycle import RunRefused
from tests import factories
from tests.engine import D, Engine, ato, quantities, reserved_by_items, set_connection

pytestmark = pytest.mark.django_db

COMPLETE, PARTIAL = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"
NOTHING, MISSING = "NOTHING_RESERVED", "RESERVATION_MISSING"


# Reserving again


def short_order(engine: Engine) -> Order:
    """An order for 4 mugs and 2 cups that has got 1 mug and 2 cups."""
    site = engine.site({"MUG": 1000, "CUP": 1000})
    order = engine.capture(site, "A1", [("MUG", 3), ("CUP", 2), ("MUG", 1)])
    engine.at_oci({"MUG": 1, "CUP": 2})
    assert engine.reconcile().state == "completed_with_shortages"
    return order


def test_a_rerun_asks_only_for_the_shortfall_and_settles_the_order(engine: Engine) -> None:
    order = short_order(engine)
    engine.at_oci({"MUG": 5})
    calls = len(engine.puts())
    engine.clock.go(3600)
    run = engine.reconcile(Scope.OVERSOLD)
    assert run.state == "completed"
    assert len(engine.puts()) == calls + 1
    assert engine.documents("A1") == [
        ("OPEN", {"CUP": D(2), "MUG": D(1)}),
        ("OPEN", {"MUG": D(3)}),
    ]
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == (COMPLETE, "reserved_again")
    assert (order.resolution_at, order.reconciled_at) == (engine.clock(), engine.clock())
    assert order.resolution_by == f"reconciliation run {run.pk}"
    assert (order.export_status, order.generation) == ("ready", 1)
    assert quantities(order) == [
        ("MUG", D(3), D(3)),
        ("CUP", D(2), D(2)),
        ("MUG", D(1), D(1)),
    ]
    assert engine.held() == reserved_by_items()
    kinds = OrderEvent.objects.filter(order=order).values_list("kind", flat=True)
    assert list(kinds) == ["captured_offline", "settled", "resolved"]
    # The hold of the capture was still there and goes on covering it.
    assert InventoryRecord.objects.get(sku="MUG").held == D(4)
    with pytest.raises(RunRefused):
        engine.start(Scope.OVERSOLD)


def test_what_a_rerun_reserves_is_held_until_a_snapshot_counts_it(engine: Engine) -> None:
    order = short_order(engine)
    factories.know_stock({"MUG": 0, "CUP": 0}, at=engine.clock() + timedelta(seconds=9))
    assert set(Hold.objects.values_list("state", flat=True)) == {"dropped"}
    engine.at_oci({"MUG": 3})
    engine.clock.go(10)
    factories.know_stock({"MUG": 2}, at=engine.clock())
    engine.reconcile(Scope.ORDERS, orders=[order.pk])
    assert quantities(order)[0] == ("MUG", D(3), D(3))
    record = InventoryRecord.objects.get(sku="MUG")
    assert (record.snapshot_ato, record.held, record.ato) == (D(2), D(3), D(0))
    factories.know_stock({"MUG": 0}, at=engine.clock() + timedelta(seconds=3))
    record.refresh_from_db()
    assert (record.held, record.ato) == (D(0), D(0))


def test_a_rerun_that_gets_nothing_more_leaves_the_order_as_short_as_it_was(
    engine: Engine,
) -> None:
    order = short_order(engine)
    run = engine.reconcile(Scope.OVERSOLD)
    assert (run.state, run.entries.get().state) == ("completed_with_shortages", PARTIAL)
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == (PARTIAL, "")
    assert quantities(order)[0] == ("MUG", D(3), D(1))
    assert engine.held() == reserved_by_items()
    # And again, under a generation of its own each time.
    engine.at_oci({"MUG": 2})
    engine.reconcile(Scope.OVERSOLD)
    assert quantities(order)[0] == ("MUG", D(3), D(2))
    generations = ReservationDocument.objects.values_list("generation", "purpose", "state")
    assert list(generations) == [
        (0, "order", "counted"),
        (1, "shortfall", "counted"),
        (2, "shortfall", "counted"),
    ]


def test_a_rerun_without_an_answer_is_repeated_and_counts_once(engine: Engine) -> None:
    order = short_order(engine)
    engine.at_oci({"MUG": 3})
    engine.oci.fault("drop", operations=["put"])
    assert engine.reconcile(Scope.OVERSOLD).state == "oci_offline"
    order.refresh_from_db()
    assert (order.reservation_state, order.claim) == (PARTIAL, "")
    engine.oci.fault("none")
    set_connection("ONLINE")
    engine.reconcile(Scope.OVERSOLD)
    assert quantities(order)[0] == ("MUG", D(3), D(3))
    assert engine.held() == reserved_by_items() == {"MUG": D(3), "CUP": D(2)}
    assert [state for state, _ in engine.documents("A1")] == ["OPEN", "OPEN"]


def short_order_with_stock(engine: Engine) -> Order:
    """An order that lacks 3 MUG, of which there are 4 by now, and OCI has counted the rest."""
    order = short_order(engine)
    factories.know_stock({"MUG": 0, "CUP": 0}, at=engine.clock() + timedelta(seconds=9))
    engine.clock.go(10)
    engine.at_oci({"MUG": 5})
    factories.know_stock({"MUG": 4}, at=engine.clock())
    return order


def test_what_a_lost_answer_may_have_taken_is_promised_to_nobody(engine: Engine) -> None:
    order = short_order_with_stock(engine)
    engine.oci.fault("drop", operations=["put"])
    assert engine.reconcile(Scope.OVERSOLD).state == "oci_offline"
    assert ReservationDocument.objects.get(purpose="shortfall").sends > 1
    assert ato("MUG") == (D(1), D(3))
    moved = Movement.objects.filter(reason="asked_again").values_list("ato_change", "held_change")
    assert list(moved) == [(D(-3), D(3))]
    # Neither a figure that does not count it yet, nor the same answer lost again, changes that.
    engine.clock.go(20)
    factories.know_stock({"MUG": 4}, at=engine.clock())
    set_connection("ONLINE")
    assert engine.reconcile(Scope.OVERSOLD).state == "oci_offline"
    assert ato("MUG") == (D(1), D(3))
    # When OCI is back its figures count, and nothing else.
    engine.oci.fault("none")
    set_connection("ONLINE")
    engine.reconcile(Scope.OVERSOLD)
    assert quantities(order)[0] == ("MUG", D(3), D(3))
    engine.clock.go(10)
    factories.know_stock({"MUG": 1}, at=engine.clock())
    assert ato("MUG") == (D(1), D(0))


def test_what_a_dead_worker_may_have_reserved_is_promised_to_nobody(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = short_order_with_stock(engine)
    real = OciClient.put_reservation

    def put_and_die(client: OciClient, **sent: Any) -> PutAnswer:
        real(client, **sent)
        raise KeyboardInterrupt

    monkeypatch.setattr(OciClient, "put_reservation", put_and_die)
    with pytest.raises(KeyboardInterrupt):
        engine.reconcile(Scope.OVERSOLD)
    assert engine.documents("A1")[-1] == ("OPEN", {"MUG": D(3)})
    assert quantities(order)[0] == ("MUG", D(3), D(1))
    assert ato("MUG") == (D(1), D(3))


def test_a_rerun_that_oci_never_hears_of_gives_its_units_back_a_minute_later(
    engine: Engine, settings: Any
) -> None:
    order = short_order_with_stock(engine)
    run = engine.start(Scope.ORDERS, orders=[order.pk])
    settings.COC_OCI_BASE_URL = "http://127.0.0.1:9"
    clients.close_clients()
    assert engine.work(run).state == "oci_offline"
    assert ReservationDocument.objects.get(purpose="shortfall").sends > 0
    assert ato("MUG") == (D(1), D(3))
    engine.clock.go(62)
    factories.know_stock({"MUG": 4}, at=engine.clock())
    assert ato("MUG") == (D(1), D(3))
    engine.clock.go(1)
    factories.know_stock({"MUG": 4}, at=engine.clock())
    assert ato("MUG") == (D(4), D(0))


def test_what_is_held_already_is_not_held_twice(engine: Engine) -> None:
    # The hold of the capture is still there, and large enough.
    short_order(engine)
    held = ato("MUG")
    engine.oci.fault("drop", operations=["put"])
    assert engine.reconcile(Scope.OVERSOLD).state == "oci_offline"
    assert ato("MUG") == held == (D(996), D(4))


def test_a_rerun_of_one_runs_failures_takes_those_that_still_fail(engine: Engine) -> None:
    site = engine.site({"MUG": 1000, "CUP": 1000})
    engine.at_oci({"MUG": 0, "CUP": 0})
    for number, sku in (("A1", "MUG"), ("A2", "CUP")):
        engine.capture(site, number, [(sku, 1)])
    first = engine.reconcile()
    engine.at_oci({"MUG": 1})
    engine.reconcile(Scope.SKU, sku="MUG")
    run = engine.reconcile(Scope.RUN_FAILURES, run=first.pk)
    assert [entry.order.order_no for entry in run.entries.all()] == ["A2"]
    assert dict(Order.objects.values_list("order_no", "reservation_state")) == {
        "A1": COMPLETE,
        "A2": NOTHING,
    }

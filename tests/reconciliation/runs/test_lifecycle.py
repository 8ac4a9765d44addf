"""Starting reconciliations and what they take (design 6)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from orders import outcomes
from orders.actors import job
from orders.models import Order, OrderItem, Site
from reconciliation.models import (
    Batch,
    EntryState,
    Outage,
    Run,
    RunEntry,
    RunState,
    Scope,
    Trigger,
)
from reconciliation.reservation import release
from reconciliation.runs import lifecycle, scopes
from reconciliation.runs.lifecycle import RunRefused
from tests import factories
from tests.engine import MIA, D, Engine, reserved_by_items, set_connection
from tests.factories import START

pytestmark = pytest.mark.django_db

COMPLETE, PARTIAL = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"
NOTHING, MISSING = "NOTHING_RESERVED", "RESERVATION_MISSING"


def numbers(scope: Scope, **data: Any) -> list[str]:
    return [order.order_no for order in scopes.orders_in(scope, data)]


def in_round(scope: Scope, **data: Any) -> list[str]:
    found = Order.objects.in_bulk(scopes.round_of(scope, data, now=START))
    return [found[pk].order_no for pk in scopes.round_of(scope, data, now=START)]


def review(order: Order, engine: Engine) -> None:
    assert outcomes.put_to_review(
        order_id=order.pk, holder=None, actor=job("test"), reason="test", now=engine.clock()
    )


# Starting


def test_a_run_is_a_row_and_a_wake_up(engine: Engine) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    set_connection("RECOVERING")
    outage = Outage.objects.create(
        cause="unreachable", lost_at=engine.clock(), detected_at=engine.clock()
    )
    run = lifecycle.start_run(
        trigger=Trigger.API,
        actor=MIA,
        reason="asked for",
        scope=Scope.SKU,
        scope_data={"sku": "MUG"},
        now=engine.clock(),
    )
    assert (run.state, run.is_active, run.trigger, run.actor) == ("queued", True, "api", "mia")
    assert (run.scope, run.scope_data, run.outage) == ("sku", {"sku": "MUG"}, outage)
    assert OrmQ.objects.get().task["args"] == (run.pk,)
    assert lifecycle.active_run() == run


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_no_run_starts_while_oci_is_away(engine: Engine, state: str) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    set_connection(state)
    with pytest.raises(RunRefused, match="OCI is offline") as refused:
        engine.start()
    assert refused.value.active_run is None
    assert (Run.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_no_run_starts_with_nothing_to_do(engine: Engine) -> None:
    engine.place(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    for scope in (Scope.MISSING, Scope.OVERSOLD):
        with pytest.raises(RunRefused, match="nothing to reconcile"):
            engine.start(scope)
    assert (Run.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_one_reconciliation_at_a_time(engine: Engine) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    run = engine.start()
    with pytest.raises(RunRefused, match="already running") as refused:
        engine.start()
    assert refused.value.active_run == run
    assert (Run.objects.count(), OrmQ.objects.count()) == (1, 1)
    engine.work(run)


# Scopes


def kinds_of_orders(engine: Engine) -> dict[str, Order]:
    """One order of each kind; the shorts belong to one run."""
    site = engine.site({"MUG": 1000, "CUP": 1000, "JUG": 1000})
    engine.at_oci({"MUG": 3, "CUP": 0, "JUG": 9})
    made = {
        "done": engine.capture(site, "done", [("MUG", 2)]),
        "partial": engine.capture(site, "partial", [("MUG", 2)]),
        "nothing": engine.capture(site, "nothing", [("CUP", 2)]),
        "settled": engine.capture(site, "settled", [("CUP", 1)]),
    }
    assert engine.reconcile().state == "completed_with_shortages"
    Order.objects.filter(order_no="settled").update(resolution="settled_outside")
    for name in ("waits", "review", "cancelled"):
        made[name] = engine.capture(site, name, [("JUG", 1)])
    review(made["review"], engine)
    release.cancel_order(
        order_id=made["cancelled"].pk, actor=MIA, reason="test", now=engine.clock()
    )
    return made


def test_each_scope_takes_what_it_says(engine: Engine) -> None:
    made = kinds_of_orders(engine)
    run = Run.objects.get()
    every = [order.pk for order in made.values()]
    assert numbers(Scope.MISSING) == ["waits"]
    assert numbers(Scope.OVERSOLD) == ["partial", "nothing"]
    assert numbers(Scope.RUN_FAILURES, run=run.pk) == ["partial", "nothing"]
    assert numbers(Scope.RUN_FAILURES, run=run.pk + 1) == []
    assert numbers(Scope.ORDERS, orders=every) == ["partial", "nothing", "waits"]
    assert numbers(Scope.ORDERS, orders=[made["done"].pk, 10**9]) == []
    assert numbers(Scope.SKU, sku="MUG") == ["partial"]
    assert numbers(Scope.SKU, sku="JUG") == ["waits"]
    assert numbers(Scope.SKU, sku="JUG", list="web") == ["waits"]
    assert numbers(Scope.SKU, sku="JUG", list="outlet") == []
    for scope in (Scope.MISSING, Scope.OVERSOLD):
        assert numbers(scope, site="shop") == numbers(scope)
        assert numbers(scope, site="elsewhere") == []


def test_a_short_order_that_needs_review_is_not_asked_for_again(engine: Engine) -> None:
    made = kinds_of_orders(engine)
    review(made["partial"], engine)
    assert numbers(Scope.OVERSOLD) == ["nothing"]
    assert numbers(Scope.SKU, sku="MUG") == []


def test_earlier_orders_for_the_same_skus_are_taken_along(engine: Engine) -> None:
    """And those ahead of them, and nobody else: oldest first holds whatever was chosen."""
    site = engine.site(dict.fromkeys(["MUG", "CUP", "JUG", "POT"], 100))
    outlet = factories.make_site("outlet", list_id="outlet", stock={"MUG": 100})
    engine.capture(site, "far", [("JUG", 1)])
    stuck = engine.capture(site, "stuck", [("MUG", 1)])
    review(stuck, engine)
    engine.capture(outlet, "elsewhere", [("MUG", 1)])
    engine.capture(site, "beside", [("POT", 1)])
    engine.capture(site, "ahead", [("CUP", 1), ("JUG", 1)])
    engine.capture(site, "near", [("MUG", 1), ("CUP", 1)])
    chosen = engine.capture(site, "chosen", [("MUG", 1)])
    engine.capture(site, "later", [("MUG", 1), ("POT", 1)])
    assert in_round(Scope.ORDERS, orders=[chosen.pk]) == ["far", "ahead", "near", "chosen"]
    assert in_round(Scope.MISSING) == [
        *["far", "elsewhere", "beside", "ahead", "near", "chosen", "later"]
    ]
    run = engine.reconcile(Scope.ORDERS, orders=[chosen.pk])
    entries = run.entries.order_by("position").values_list("order__order_no", "position")
    assert list(entries) == [("far", 0), ("ahead", 1), ("near", 2), ("chosen", 3)]


def test_the_run_of_one_site_does_not_overtake_another(engine: Engine) -> None:
    site = engine.site({"MUG": 100})
    second = Site.objects.create(pk="second", inventory_list_id="web", currency="USD")
    engine.capture(site, "first", [("MUG", 3)])
    engine.capture(second, "mine", [("MUG", 3)])
    engine.at_oci({"MUG": 4})
    engine.reconcile(site="second")
    assert dict(Order.objects.values_list("order_no", "reservation_state")) == {
        "first": COMPLETE,
        "mine": PARTIAL,
    }
    assert engine.held() == reserved_by_items() == {"MUG": D(4)}


# Rows


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([], "completed"),
        ([COMPLETE, "SKIPPED"], "completed"),
        ([COMPLETE, PARTIAL], "completed_with_shortages"),
        ([COMPLETE, NOTHING], "completed_with_shortages"),
        ([COMPLETE, "NEEDS_REVIEW"], "completed_with_shortages"),
        ([COMPLETE, NOTHING, "OCI_OFFLINE"], "oci_offline"),
        ([COMPLETE, "pending"], "oci_offline"),
    ],
)
def test_a_run_ends_once_in_the_state_that_its_entries_say(
    engine: Engine, states: list[str], state: str
) -> None:
    site = engine.site({"MUG": 100})
    run = Run.objects.create(
        trigger=Trigger.PERSON, actor="mia", state=RunState.RUNNING, created_at=engine.clock()
    )
    batch = Batch.objects.create(run=run, lane=0, sequence=0)
    for position, value in enumerate(states):
        order = engine.capture(site, f"A{position}", [("MUG", 1)])
        RunEntry.objects.create(run=run, batch=batch, order=order, position=position, state=value)
    assert lifecycle.end_run(run.pk, state=None, now=engine.clock()) is True
    run.refresh_from_db()
    assert (run.state, run.is_active, run.finished_at) == (state, False, engine.clock())
    assert not run.entries.filter(state=EntryState.PENDING).exists()
    assert run.batches.get().state == "done"
    assert (
        lifecycle.end_run(run.pk, state=RunState.CONFIGURATION_FAULT, now=engine.clock()) is False
    )
    run.refresh_from_db()
    assert run.state == state


def test_progress_is_a_hundred_only_when_nothing_is_pending(engine: Engine) -> None:
    progress = lifecycle.RunProgress(
        total=300, pending=1, complete=299, partial=0, nothing=0, offline=0, review=0, skipped=0
    )
    assert (progress.percent, progress.short) == (99, 0)
    empty = lifecycle.RunProgress(0, 0, 0, 0, 0, 0, 0, 0)
    assert empty.percent == 100


def test_of_two_workers_that_plan_one_plans(engine: Engine) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    run = engine.start()
    other = Run.objects.get(pk=run.pk)
    assert lifecycle.plan_round(run, now=engine.clock()) == 1
    assert lifecycle.plan_round(other, now=engine.clock()) is None
    other.refresh_from_db()
    # Not before the batches of the round are done.
    assert lifecycle.plan_round(other, now=engine.clock()) is None
    assert run.entries.count() == 1
    engine.work(run)


def test_orders_that_a_run_has_had_are_told_apart_by_one_reading_of_its_entries(
    engine: Engine,
) -> None:
    """Without statistics PostgreSQL compared each waiting order with each entry of the run."""
    if connection.vendor != "postgresql":
        pytest.skip("about plans of PostgreSQL")
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    run = engine.start()
    with CaptureQueriesContext(connection) as asked:
        scopes.round_of(run.scope, run.scope_data, run=run, now=engine.clock())
    (chosen,) = [one["sql"] for one in asked if "reconciliation_runentry" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {chosen}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "hashed SubPlan" in plan
    assert "Anti Join" not in plan


def test_batches_are_consecutive_orders_of_a_round(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COC_BATCH_SIZE = 3
    monkeypatch.setattr(scopes, "PORTION", 4)
    site = engine.site({"MUG": 100, "CUP": 100, "JUG": 100})
    for index, sku in enumerate(["MUG", "CUP", "MUG", "JUG", "MUG", "MUG"]):
        engine.capture(site, f"A{index}", [(sku, 1)])
    run = engine.reconcile()
    batches = [
        (batch.lane, batch.sequence, [e.order.order_no for e in batch.entries.order_by("position")])
        for batch in run.batches.order_by("lane", "sequence")
    ]
    assert batches == [(0, 0, ["A0", "A1", "A2"]), (0, 1, ["A3"]), (1, 0, ["A4", "A5"])]
    assert OrderItem.objects.filter(reserved_quantity=0).count() == 0

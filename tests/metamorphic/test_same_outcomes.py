"""The same orders and stock come to the same, however the work is cut, shared and interrupted.

A backlog is made from a seed. A model of its own (`expected`: one patient person, oldest first)
says what each order gets, what is left, and what the reports hold. The product must come to exactly
that with any batch size, number of workers and number of deaths, on SQLite and on PostgreSQL.
`make fuzz` plays more seeds.
"""

from __future__ import annotations

import itertools
import json
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from orders.models import InventoryRecord, Order, OrderEvent, OrderItem
from reconciliation.connection import clients
from reconciliation.maintenance import integrity_check
from reconciliation.models import Run
from reconciliation.reports import names, publish
from reconciliation.reservation import stock_refresh
from reconciliation.runs import batches
from tests.concurrency.together import at_once
from tests.engine import D, Engine, reserved_by_items
from tests.fuzzing import FACTOR
from tests.simulation.processes import Death, Process, Processes

pytestmark = pytest.mark.fuzz

SKUS = ("CUP", "JUG", "MUG", "POT")
ORDERS = 10
SEEDS = range(1, 2 + FACTOR)

Outcome = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Orders (number and items, oldest first), and what OCI has."""

    orders: list[tuple[str, list[tuple[str, float]]]]
    stock: dict[str, float]


def backlog_of(seed: int) -> Backlog:
    rng = random.Random(seed)
    orders = []
    for number in range(ORDERS):
        skus = rng.sample(SKUS, rng.choice((1, 1, 2, 3)))
        orders.append((f"M{number:02}", [(sku, rng.choice((1.0, 2.0, 0.5))) for sku in skus]))
    wanted = {sku: sum(n for _, items in orders for s, n in items if s == sku) for sku in SKUS}
    # One SKU has enough, one nothing; the others some.
    share = dict(zip(SKUS, rng.sample((0.0, 0.4, 0.7, 1.0), len(SKUS)), strict=True))
    return Backlog(orders, {sku: round(wanted[sku] * share[sku] * 2) / 2 for sku in SKUS})


def expected(backlog: Backlog) -> Outcome:
    """Serve the orders one after the other: no batches, workers, database or clock."""
    left = {sku: Decimal(str(n)) for sku, n in backlog.stock.items()}
    got, states, reports = {}, {}, {"offline": [], "reserved": [], "oversold": []}  # type: ignore[var-annotated]
    for number, items in backlog.orders:
        shares = [min(Decimal(str(n)), left[sku]) for sku, n in items]
        for (sku, _), share in zip(items, shares, strict=True):
            left[sku] -= share
        full = all(share == Decimal(str(n)) for (_, n), share in zip(items, shares, strict=True))
        state = "COMPLETELY" if full else "PARTIALLY" if any(shares) else "NOTHING"
        got[number], states[number] = shares, f"{state}_RESERVED"
        for kind in ("offline", "reserved" if full else "oversold"):
            reports[kind].append((number, states[number], shares))
    return {"got": got, "states": states, "ato": left, "reports": reports}


def outcome(folder: Path) -> Outcome:
    """Return what the product came to, in the words of `expected`."""
    got: dict[str, list[Decimal]] = {}
    items = OrderItem.objects.order_by("order__captured_at", "position")
    for number, units in items.values_list("order__order_no", "reserved_quantity"):
        got.setdefault(number, []).append(units)
    return {
        "got": got,
        "states": dict(Order.objects.values_list("order_no", "reservation_state")),
        "ato": dict(InventoryRecord.objects.values_list("sku", "ato")),
        "reports": {
            kind: [
                (
                    order["orderNo"],
                    order["reservationState"],
                    [D(item["reservedQuantity"]) for item in order["items"]],
                )
                for order in orders
            ]
            for kind, orders in written(folder).items()
        },
    }


def written(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the orders of the daily reports by kind, days in order."""
    found: dict[str, list[dict[str, Any]]] = {"offline": [], "reserved": [], "oversold": []}
    for path in sorted(folder.glob("*.json")):
        report = json.loads(path.read_bytes())
        found[report["reportType"]] += report["orders"]
    return found


@pytest.fixture
def scene(engine: Engine, settings: Any, tmp_path: Path) -> Engine:
    """Return the engine with a folder for its reports."""
    settings.COC_IMPEX_DIR = tmp_path
    return engine


def begin(engine: Engine, backlog: Backlog, *, real_time: bool = False) -> Run:
    """Capture the backlog on a generous last known stock, and start a run at OCI's own."""
    if real_time:
        engine.clock.now = timezone.now()
    site = engine.site(dict.fromkeys(SKUS, 1000))
    for number, items in backlog.orders:
        engine.capture(site, number, items)
    engine.at_oci(backlog.stock)
    return engine.start()


def check(engine: Engine, backlog: Backlog) -> None:
    """Let figures and reports catch up; compare with the model."""
    engine.clock.go(30)
    keys = [("web", sku) for sku in SKUS]
    stock_refresh.refresh(keys=keys, client=clients.shared_client(), clock=engine.clock)
    publish.project_and_merge(now=engine.clock())
    assert outcome(names.folder()) == expected(backlog)
    assert engine.held() == reserved_by_items()
    assert OrderEvent.objects.filter(kind="settled").count() == ORDERS
    assert list(integrity_check.check()) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
@pytest.mark.django_db
def test_any_batch_size_comes_to_the_same(
    scene: Engine, settings: Any, size: int, seed: int
) -> None:
    settings.COC_BATCH_SIZE = size
    backlog = backlog_of(seed)
    scene.work(begin(scene, backlog))
    check(scene, backlog)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("workers", [2, 8])
@pytest.mark.django_db(transaction=True)
def test_any_number_of_workers_comes_to_the_same(
    scene: Engine, settings: Any, workers: int, seed: int
) -> None:
    settings.COC_BATCH_SIZE, settings.COC_OCI_CONCURRENCY = 2, 4
    settings.COC_WORKERS = 2
    backlog = backlog_of(seed)
    run = begin(scene, backlog, real_time=True)

    def work(_: int) -> str:
        while Run.objects.filter(pk=run.pk, is_active=True).exists():
            batches.work_run(run_id=run.pk, clock=scene.clock, budget=timedelta(seconds=20))
        return "done"

    assert at_once(workers, work) == ["done"] * workers
    check(scene, backlog)


@pytest.mark.parametrize(("seed", "deaths"), list(itertools.product(SEEDS, [2, 9])))
@pytest.mark.django_db
def test_workers_that_are_killed_come_to_the_same(
    scene: Engine, settings: Any, seed: int, deaths: int
) -> None:
    """At any statement that writes, any commit; what was not committed is lost."""
    settings.COC_BATCH_SIZE = 3
    rng = random.Random(seed * 100 + deaths)
    backlog = backlog_of(seed)
    run = begin(scene, backlog)
    processes = Processes(overtake=lambda: None, written=lambda sql: None)
    died = 0
    with processes.watching():
        while Run.objects.filter(pk=run.pk, is_active=True).exists():
            dies_at = rng.randint(1, 12 * ORDERS // deaths) if died < deaths else 0
            worker = Process(f"worker {died}", dies_at=dies_at)
            with suppress(Death):
                died += processes.run(worker, lambda: scene.work(run)) is Death
            # The lease of the dead ends, and so does his claim.
            scene.clock.go(61)
    assert died == deaths
    check(scene, backlog)


@pytest.mark.django_db
def test_a_backlog_written_out(scene: Engine, settings: Any) -> None:
    """Exact values, so that the model above cannot be wrong in the same way as the product."""
    settings.COC_BATCH_SIZE = 2
    backlog = Backlog(
        orders=[
            ("M00", [("MUG", 2.0), ("CUP", 1.0)]),
            ("M01", [("CUP", 2.0)]),
            ("M02", [("MUG", 0.5), ("JUG", 1.0)]),
            ("M03", [("CUP", 1.0)]),
            ("M04", [("MUG", 1.0), ("POT", 0.5)]),
        ],
        stock={"MUG": 3.0, "CUP": 2.5, "JUG": 0.0, "POT": 9.0},
    )
    scene.work(begin(scene, backlog))
    publish.project_and_merge(now=scene.clock())
    found = outcome(names.folder())
    assert found["got"] == {
        "M00": [D(2), D(1)],
        "M01": [D(1.5)],
        "M02": [D(0.5), D(0)],
        "M03": [D(0)],
        "M04": [D(0.5), D(0.5)],
    }
    assert {kind: [order[0] for order in orders] for kind, orders in found["reports"].items()} == {
        "offline": ["M00", "M01", "M02", "M03", "M04"],
        "reserved": ["M00"],
        "oversold": ["M01", "M02", "M03", "M04"],
    }
    assert found["got"] == expected(backlog)["got"]
    assert found["states"] == expected(backlog)["states"]

"""Reconciliations from start to end, over a real OCI: exact, oldest first, safe twice."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from orders.models import Hold, InventoryRecord, Order, OrderEvent, OrderItem
from reconciliation.models import (
    Attempt,
    Batch,
    ReservationDocument,
    Run,
)
from reconciliation.runs import batches, lifecycle, scopes
from tests.engine import D, Engine, quantities, reserved_by_items
from tests.reconciliation.backlogs import (
    COMPLETE,
    NOTHING,
    PARTIAL,
    Items,
    backlog,
    entries,
    one_after_the_other,
    order,
    reserved,
    states,
)

pytestmark = pytest.mark.django_db

# A backlog


def test_a_backlog_ends_with_exact_quantities_and_the_books_agree(engine: Engine) -> None:
    many = [(f"S{number:03}", 1.0) for number in range(120)]
    orders: list[tuple[str, Items]] = [
        ("A1", [("MUG", 2), ("CUP", 1)]),
        ("A2", [("MUG", 1.125), ("MUG", 2)]),  # one SKU twice; the first item is served first
        ("A3", [("CUP", 3)]),
        ("A4", [("MUG", 1), ("CUP", 1)]),
        ("BIG", many),
    ]
    stock = {"MUG": 4.625, "CUP": 2, **{sku: 1 for sku, _ in many}, "S007": 0}
    backlog(engine, stock, orders)
    run = engine.reconcile()
    assert run.state == "completed_with_shortages"
    assert (
        entries(run)
        == states()
        == {
            "A1": COMPLETE,
            "A2": PARTIAL,
            "A3": PARTIAL,
            "A4": NOTHING,
            "BIG": PARTIAL,
        }
    )
    assert quantities(order("A2")) == [
        ("MUG", D("1.125"), D("1.125")),
        ("MUG", D(2), D("1.5")),
    ]
    assert reserved() == one_after_the_other(stock, orders)
    assert engine.held() == reserved_by_items()
    progress = lifecycle.progress(run)
    assert (progress.total, progress.pending, progress.percent) == (5, 0, 100)
    assert (progress.complete, progress.partial, progress.nothing) == (1, 3, 1)
    assert (run.is_active, run.finished_at) == (False, engine.clock())
    assert set(Order.objects.values_list("export_status", flat=True)) == {"ready"}
    assert set(Order.objects.values_list("claim", flat=True)) == {""}
    # Short or not: what was captured stays off ATO until OCI's figure counts it.
    assert InventoryRecord.objects.get(sku="MUG").held == D("6.125")
    assert set(Hold.objects.values_list("state", flat=True)) == {"answered"}
    assert ReservationDocument.objects.filter(order=order("BIG")).count() == 2


def random_backlog(seed: int, count: int) -> list[tuple[str, Items]]:
    chooser = random.Random(seed)
    skus = [f"SKU-{number}" for number in range(9)]
    orders = []
    for number in range(count):
        lines = chooser.choices(skus, k=chooser.choice([1, 1, 2, 3]))
        items = [(sku, chooser.choice([1, 2, 0.5, 1.125])) for sku in lines]
        orders.append((f"R{number:04}", items))
    return orders


SCARCE: dict[str, float] = {f"SKU-{number}": number * 1.5 for number in range(9)}


@pytest.mark.parametrize(("size", "threads"), [(1, 1), (7, 1), (100, 1), (1, 2), (7, 2), (100, 3)])
@pytest.mark.django_db(transaction=True)
def test_oldest_first_whatever_the_batch_size_and_the_threads(
    engine: Engine, settings: Any, size: int, threads: int
) -> None:
    settings.COC_BATCH_SIZE = size
    settings.COC_WORKERS = 1
    settings.COC_OCI_CONCURRENCY = threads
    orders = random_backlog(11, 30)
    backlog(engine, SCARCE, orders)
    run = engine.reconcile()
    assert run.state == "completed_with_shortages"
    assert reserved() == one_after_the_other(SCARCE, orders)
    assert engine.held() == reserved_by_items()
    assert len(engine.puts()) == 30
    assert run.batches.count() >= 30 // size


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.django_db(transaction=True)
def test_oldest_first_with_two_workers(engine: Engine, settings: Any, size: int) -> None:
    settings.COC_BATCH_SIZE = size
    settings.COC_OCI_CONCURRENCY = 4
    orders = random_backlog(23, 24)
    backlog(engine, SCARCE, orders)
    run = engine.start()
    errors: list[BaseException] = []

    def worker() -> None:
        try:
            # As the queue does it: woken again while the run is active.
            while Run.objects.filter(pk=run.pk, is_active=True).exists():
                batches.work_run(run_id=run.pk, clock=timezone.now, budget=timedelta(seconds=20))
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=worker) for _ in range(2)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert errors == []
    run.refresh_from_db()
    assert run.state == "completed_with_shortages"
    assert reserved() == one_after_the_other(SCARCE, orders)
    assert engine.held() == reserved_by_items()
    assert len(engine.puts()) == 24
    holders = set(Batch.objects.values_list("holder", flat=True))
    assert len(holders) >= 1


def test_rounds_go_on_until_nothing_waits(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COC_BATCH_SIZE = 2
    monkeypatch.setattr(scopes, "PORTION", 3)
    orders: list[tuple[str, Items]] = [(f"A{number}", [("MUG", 1)]) for number in range(8)]
    backlog(engine, {"MUG": 5}, orders)
    run = engine.reconcile()
    assert run.state == "completed_with_shortages"
    assert list(entries(run).values()) == [COMPLETE] * 5 + [NOTHING] * 3
    # Three rounds of 3, 3 and 2, each cut in two batches but the last.
    assert run.batches.count() == 5
    assert list(run.entries.order_by("position").values_list("position", flat=True)) == [*range(8)]


# Again


def test_running_again_changes_nothing_that_is_settled(engine: Engine) -> None:
    orders: list[tuple[str, Items]] = [("A1", [("MUG", 2)]), ("A2", [("MUG", 2)])]
    backlog(engine, {"MUG": 3}, orders)
    run = engine.reconcile()
    rows = list(Order.objects.order_by("id").values()), list(OrderItem.objects.values())
    calls, events = len(engine.oci.requests()), OrderEvent.objects.count()
    with pytest.raises(lifecycle.RunRefused, match="No order is in this scope"):
        engine.start()
    assert engine.work(run).state == "completed_with_shortages"
    assert lifecycle.end_run(run.pk, state=None, now=engine.clock()) is False
    assert rows == (list(Order.objects.order_by("id").values()), list(OrderItem.objects.values()))
    assert (calls, events) == (len(engine.oci.requests()), OrderEvent.objects.count())


def test_an_actor_and_a_reason_stand_beside_each_change(engine: Engine) -> None:
    backlog(engine, {"MUG": 2}, [("A1", [("MUG", 2)])])
    run = engine.reconcile()
    event = OrderEvent.objects.get(kind="settled")
    assert (event.actor_kind, event.actor) == ("job", f"reconciliation run {run.pk}")
    assert event.reason == "OCI answered the reservation."
    item = OrderItem.objects.get()
    assert event.data == {"state": COMPLETE, "reserved": {str(item.pk): 2}}
    assert event.projected is False
    assert Attempt.objects.get().run_id == run.pk

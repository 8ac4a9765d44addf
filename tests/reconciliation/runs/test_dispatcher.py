"""What the drain costs and how it fills the calls that OCI bears: structure, never the clock."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.sql.compiler import SQLInsertCompiler

from orders.models import Order
from reconciliation.models import Attempt, Batch, ReservationDocument, Run
from reconciliation.reservation import sets
from reconciliation.runs import batches, frontier, order_worker, scopes
from reconciliation.runs.batch_leases import MOST_STARTS
from reconciliation.runs.speed import Speed
from tests.engine import Engine, reserved_by_items, set_connection
from tests.factories import START
from tests.reconciliation.backlogs import (
    COMPLETE,
    OFFLINE,
    Items,
    backlog,
    entries,
    one_after_the_other,
    reserved,
    states,
)

pytestmark = pytest.mark.django_db


def spread(count: int, *, skus: int, seed: int = 1) -> list[tuple[str, Items]]:
    """Orders of three items, each SKU wanted by several of them."""
    rng = random.Random(seed)
    names = [f"SKU-{n:03}" for n in range(skus)]
    return [(f"A{n:04}", [(sku, 1) for sku in rng.sample(names, 3)]) for n in range(count)]


def stock_of(orders: list[tuple[str, Items]], units: float = 1000) -> dict[str, float]:
    return {sku: units for _, items in orders for sku, _ in items}


@pytest.mark.django_db(transaction=True)
def test_statements_and_commits_of_a_drained_order_are_few(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents and outcomes are written in sets: a few statements for each fifty orders."""
    settings.COC_OCI_CONCURRENCY = 32
    set_connection("ONLINE")
    orders = spread(200, skus=600)
    backlog(engine, stock_of(orders), orders)
    run = engine.start()
    made = Counter[str]()
    execute, commit = CursorWrapper.execute, BaseDatabaseWrapper._commit

    # In all threads: counting has a connection of its own.
    def counted(self: Any, *arguments: Any) -> Any:
        made["statements"] += 1
        return execute(self, *arguments)

    def committed(self: Any) -> Any:
        made["commits"] += 1
        return commit(self)

    prepare_value = SQLInsertCompiler.prepare_value

    def written(self: Any, *arguments: Any) -> Any:
        made["values"] += 1
        return prepare_value(self, *arguments)

    monkeypatch.setattr(SQLInsertCompiler, "prepare_value", written)
    monkeypatch.setattr(CursorWrapper, "execute", counted)
    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", committed)
    engine.work(run)
    monkeypatch.undo()
    assert Run.objects.get(pk=run.pk).state == "completed"
    # One by one it was 42 and 8. Measured: 0.5 statements on PostgreSQL, one more on SQLite.
    assert made["statements"] <= 3 * len(orders), made
    assert made["commits"] <= len(orders) // 2, made
    if database.vendor == "postgresql":
        # Rows of orders go out as they are; Django writes those of batches. It was 38 an order.
        assert made["values"] < len(orders), made
    assert engine.held() == reserved_by_items()


@pytest.mark.django_db(transaction=True)
def test_a_slow_oci_has_as_many_calls_under_way_as_are_configured(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although nearly all orders are joined through SKUs that they share."""
    settings.COC_OCI_CONCURRENCY = 8
    set_connection("ONLINE")
    orders = spread(120, skus=200)
    backlog(engine, stock_of(orders), orders)
    # Far slower than a busy machine prepares the next.
    engine.oci.fault("slow", delayMs=250, operations=["put"])
    under_way: list[int] = []
    send = order_worker.send
    counter, lock = Counter[str](), threading.Lock()

    def counted(prepared: Any) -> Any:
        with lock:
            counter["now"] += 1
            under_way.append(counter["now"])
        try:
            return send(prepared)
        finally:
            with lock:
                counter["now"] -= 1

    monkeypatch.setattr(order_worker, "send", counted)
    assert engine.reconcile().state == "completed"
    assert max(under_way) == 8
    # Full from the start, apart from the slow start and the end.
    assert sum(n >= 6 for n in under_way) >= len(under_way) * 2 // 3
    assert engine.held() == reserved_by_items()


@pytest.mark.parametrize(("seconds", "largest"), [(0, 64), (2, 32)])
@pytest.mark.django_db(transaction=True)
def test_sets_are_larger_while_documents_are_sent_fast(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch, seconds: int, largest: int
) -> None:
    """A document that waits long before it is sent has to be claimed again."""
    settings.COC_OCI_CONCURRENCY, settings.COC_BATCH_SIZE = 8, 20
    set_connection("ONLINE")
    orders = spread(200, skus=600)
    backlog(engine, stock_of(orders), orders)
    sizes: list[int] = []
    prepare = sets.prepare

    def measured(claimed: Any, **arguments: Any) -> Any:
        sizes.append(len(claimed))
        engine.clock.go(seconds)
        return prepare(claimed, **arguments)

    monkeypatch.setattr(sets, "prepare", measured)
    assert engine.reconcile().state == "completed"
    # Eight or four prepared documents for each of eight calls; half of them are left by then.
    assert largest // 2 <= max(sizes) <= largest
    assert engine.held() == reserved_by_items()


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.django_db(transaction=True)
def test_scarce_stock_goes_to_the_oldest_with_many_calls_under_way(
    engine: Engine, settings: Any, size: int
) -> None:
    settings.COC_OCI_CONCURRENCY, settings.COC_BATCH_SIZE = 8, size
    set_connection("ONLINE")
    orders = spread(40, skus=9, seed=5)
    stock = {sku: float(n % 7) for n, sku in enumerate(sorted(stock_of(orders)))}
    backlog(engine, stock, orders)
    assert engine.reconcile().state == "completed_with_shortages"
    assert reserved() == one_after_the_other(stock, orders)
    assert engine.held() == reserved_by_items()
    assert len(engine.puts()) == 40


def test_ids_are_committed_before_the_first_call(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9, "CUP": 9}, [("A1", [("MUG", 1)]), ("A2", [("CUP", 1)])])
    seen: list[tuple[str, int]] = []
    outside = len(database.savepoint_ids)

    def look(number: str) -> None:
        assert len(database.savepoint_ids) == outside, "a call to OCI inside a transaction"
        document = ReservationDocument.objects.get(order__order_no=number)
        seen.append((document.state, document.sends))

    engine.between(monkeypatch, before=look)
    assert engine.reconcile().state == "completed"
    assert seen == [("prepared", 1)] * 2


def test_a_document_that_was_never_sent_is_sent_as_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker died between writing documents down and sending them."""
    backlog(engine, {"MUG": 9, "CUP": 9}, [("A1", [("MUG", 1)]), ("A2", [("CUP", 1)])])
    run = engine.start()

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(order_worker, "send", die)
    with pytest.raises(Killed):
        engine.work(run)
    monkeypatch.undo()
    before = set(ReservationDocument.objects.values_list("reservation_id", "body"))
    assert len(before) == 2
    engine.clock.go(61)
    assert engine.work(run).state == "completed"
    assert set(ReservationDocument.objects.values_list("reservation_id", "body")) == before
    assert set(ReservationDocument.objects.values_list("state", "sends")) == {("counted", 2)}
    assert len(engine.puts()) == 2


def test_a_document_that_waits_too_long_is_not_sent_under_an_old_claim(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stood still: by then another worker may have the order, or undo it."""
    backlog(engine, {"MUG": 9, "CUP": 9}, [("A1", [("MUG", 1)]), ("A2", [("CUP", 1)])])
    prepare, stood = sets.prepare, []

    def slowly(*args: Any, **arguments: Any) -> Any:
        made = prepare(*args, **arguments)
        if not stood:
            stood.append(engine.clock.go(40))
        return made

    sent: list[str] = []
    monkeypatch.setattr(sets, "prepare", slowly)
    engine.between(monkeypatch, before=lambda number: sent.append(number))
    run = engine.start()
    batches.work_run(
        run_id=run.pk, clock=engine.clock, budget=timedelta(seconds=90), pause=engine.clock.go
    )
    run.refresh_from_db()
    assert (run.state, sorted(sent)) == ("completed", ["A1", "A2"])
    # Claimed again, one by one, before they were sent.
    assert set(ReservationDocument.objects.values_list("sends", flat=True)) == {2}


def test_an_answer_for_an_order_that_moved_on_is_kept_and_no_other_is_lost(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9, "CUP": 9}, [("A1", [("MUG", 1)]), ("A2", [("CUP", 1)])])
    count, counted = sets.count, []

    def moved_on(answers: Any, **arguments: Any) -> Any:
        if not counted:
            counted.append(len(answers))
            Order.objects.filter(order_no="A1").update(claim="other")
        return count(answers, **arguments)

    monkeypatch.setattr(sets, "count", moved_on)
    run = engine.reconcile()
    assert states()["A2"] == COMPLETE
    assert entries(run)["A1"] == OFFLINE
    assert ReservationDocument.objects.get(order__order_no="A1").state == "answered"
    assert Attempt.objects.filter(order__order_no="A1").count() == 1


def test_a_run_keeps_the_time_at_which_it_started(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "PORTION", 1)
    backlog(engine, {"MUG": 9}, [(f"A{n}", [("MUG", 1)]) for n in range(3)])
    run = engine.start()
    started = engine.clock()
    engine.between(monkeypatch, before=lambda _: engine.clock.go(1))
    monkeypatch.setattr(frontier, "AHEAD", 2)
    engine.work(run)
    assert run.started_at == started


def test_a_batch_that_killed_a_worker_is_worked_on_alone(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that of all batches it alone is given up in the end."""
    settings.COC_BATCH_SIZE = 2
    skus = [f"S{n}" for n in range(6)]
    backlog(engine, dict.fromkeys(skus, 9), [(f"A-{sku}", [(sku, 1)]) for sku in skus])

    class Killed(BaseException):
        pass

    def kill(number: str) -> None:
        if number == "A-S2":
            raise Killed

    engine.between(monkeypatch, before=kill)
    run = engine.start()
    deaths = 0
    while Run.objects.get(pk=run.pk).is_active:
        try:
            engine.work(run)
        except Killed:
            deaths += 1
        engine.clock.go(61)
    assert deaths == MOST_STARTS
    done = {number for number, state in entries(run).items() if state == COMPLETE}
    assert done >= {"A-S0", "A-S1", "A-S4", "A-S5"}
    assert entries(run)["A-S2"] == OFFLINE
    assert Batch.objects.get(sequence=1).starts == MOST_STARTS + 1
    assert Batch.objects.get(sequence=2).starts <= 2


# How fast


def test_calls_double_with_good_answers_up_to_what_is_configured() -> None:
    speed = Speed(most=32)
    assert speed.seen(4, now=START) == 4
    assert [speed.good() for _ in range(4)] == [False, False, False, True]
    grown = [(number, speed.limit) for number in range(8 + 16 + 64) if speed.good()]
    assert (grown, speed.limit) == ([(7, 16), (23, 32)], 32)


def test_calls_halve_once_for_what_goes_wrong_together() -> None:
    speed = Speed(most=32)
    speed.seen(32, now=START)
    speed.trouble()
    speed.trouble()
    assert speed.seen(16, now=START) == 16
    speed.trouble()
    assert speed.seen(8, now=START + timedelta(seconds=0.5)) == 16
    speed.trouble()
    assert speed.seen(8, now=START + timedelta(seconds=1)) == 8
    # Another process had trouble.
    assert speed.seen(4, now=START + timedelta(seconds=2)) == 4
    assert speed.seen(8, now=START + timedelta(seconds=3)) == 4


def test_calls_never_fall_below_one() -> None:
    speed = Speed(most=4)
    for second in range(5):
        speed.seen(1, now=START + timedelta(seconds=second))
        speed.trouble()
    assert speed.limit == 1


# One SKU that everybody wants


@pytest.mark.parametrize(("stock", "side_by_side"), [(1000, True), (25, False)])
@pytest.mark.django_db(transaction=True)
def test_a_popular_sku_holds_nobody_up_unless_it_is_scarce(
    engine: Engine,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    stock: int,
    side_by_side: bool,
) -> None:
    """OCI's own figure decides, not ours: other channels have sold meanwhile."""
    settings.COC_OCI_CONCURRENCY = 8
    set_connection("ONLINE")
    orders: list[tuple[str, Items]] = [(f"A{n:02}", [("MUG", 1)]) for n in range(30)]
    backlog(engine, {"MUG": stock}, orders)
    engine.oci.fault("slow", delayMs=20, operations=["put"])
    under_way: set[str] = set()
    most = [0]
    send = order_worker.send

    def counted(prepared: Any) -> Any:
        under_way.add(prepared.order.order_no)
        most[0] = max(most[0], len(under_way))
        try:
            return send(prepared)
        finally:
            under_way.discard(prepared.order.order_no)

    monkeypatch.setattr(order_worker, "send", counted)
    engine.reconcile()
    assert (most[0] > 1) is side_by_side
    assert reserved() == one_after_the_other({"MUG": stock}, orders)
    assert [call["operation"] for call in engine.oci.requests()].count("availability") == 1

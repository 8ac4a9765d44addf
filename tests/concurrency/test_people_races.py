"""People and jobs in each other's way, on PostgreSQL; each guard with a control."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from orders import ledger
from orders.actors import job
from orders.ledger import Figure
from orders.models import Hold, InventoryRecord, Order
from reconciliation import connection
from reconciliation.maintenance import integrity_check, repair
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import (
    ReportDay,
    Run,
)
from reconciliation.queue import leases
from reconciliation.reports import daily, faithful, publish
from reconciliation.runs import batches, order_worker
from tests.concurrency.together import SECONDS, Meeting, at_once, barrier, while_uncommitted
from tests.engine import MIA, D, Engine, reserved_by_items, set_connection
from tests.factories import START, capture, know_stock, make_site
from tests.reconciliation.backlogs import states

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
JOB = job("race")


# Capture


def test_control_looking_for_the_number_first_captures_an_order_twice() -> None:
    """Why the number is unique in the database: all look, find nothing, and capture."""
    site = make_site(stock={"MUG": 50})
    looked = barrier(8)

    def unguarded(n: int) -> str:
        there = Order.objects.filter(order_no__startswith="same").exists()
        looked.wait()
        # A number of its own: without the constraint.
        return "captured" if not there and capture(site, f"same-{n}", [("MUG", 1)]) else "found"

    assert at_once(8, unguarded) == ["captured"] * 8


def test_control_records_locked_in_the_order_of_the_items_deadlock() -> None:
    """Why records are written in sorted order."""
    make_site(stock={"CUP": 9, "MUG": 9})
    has_one = barrier(2)

    def unguarded(n: int) -> str:
        try:
            with transaction.atomic():
                first, second = ["CUP", "MUG"][:: 1 if n else -1]
                InventoryRecord.objects.select_for_update().get(sku=first)
                has_one.wait()
                InventoryRecord.objects.select_for_update().get(sku=second)
        except OperationalError:
            return "deadlock"
        return "done"

    assert at_once(2, unguarded) == ["deadlock", "done"]


def test_a_capture_between_reading_and_writing_a_snapshot_is_not_forgotten() -> None:
    """The snapshot waits for the capture's row and then uses its values, or tries again."""
    site = make_site(stock={"MUG": 9})

    def snapshot() -> str:
        try:
            know_stock({"MUG": 20}, at=NOW)
        except ledger.LedgerChanged:
            know_stock({"MUG": 20}, at=NOW)
        return "taken"

    results = while_uncommitted(lambda: capture(site, "A1", [("MUG", 4)]), snapshot)
    assert results == ["taken"]
    record = InventoryRecord.objects.get()
    assert (record.ato, record.held, record.snapshot_ato) == (D(16), D(4), D(20))
    assert not list(integrity_check._records_against_rows())


def test_control_a_snapshot_that_writes_what_it_has_read_forgets_the_capture() -> None:
    site = make_site(stock={"MUG": 9})
    figure = Figure("web", "MUG", D(20))

    def unguarded() -> str:
        record = InventoryRecord.objects.get()
        InventoryRecord.objects.filter(pk=record.pk).update(
            ato=figure.ato - record.held, held=record.held, snapshot_ato=figure.ato
        )
        return "taken"

    while_uncommitted(lambda: capture(site, "A1", [("MUG", 4)]), unguarded)
    assert InventoryRecord.objects.get().held == 0
    assert Hold.objects.get().quantity == D(4)
    assert list(integrity_check._records_against_rows())


# Two operators


def test_the_same_repair_asked_for_many_times_is_done_once() -> None:
    capture(make_site(stock={"MUG": 9}), "A1", [("MUG", 4)])
    InventoryRecord.objects.update(held=D(5), ato=D(4))
    proposal = next(p for p in repair.proposals(now=NOW) if p.fault == Fault.RECORD)

    def act(_: int) -> str:
        won = repair.apply(proposal_id=proposal.id, actor=MIA, reason="race", now=NOW)
        return "done" if won else "left out"

    assert at_once(8, act) == ["done"] + ["left out"] * 7
    record = InventoryRecord.objects.get()
    assert (record.ato, record.held) == (D(5), D(4))
    assert not list(integrity_check._records_against_rows())


# Two mergers


def merging(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let four merge at once; return how many wrote a report at the same time.

    Each waits for all the others, who write as well or have found that they may not.
    """
    site = make_site(stock={"MUG": 50})
    for number in range(3):
        capture(site, f"A{number}", [("MUG", 1)])
    write, inside, most = daily._write, [0], [0]
    lock = threading.Lock()
    others = Meeting(4)

    def watched(*arguments: Any) -> int:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        others.wait()
        written = write(*arguments)
        with lock:
            inside[0] -= 1
        return written

    monkeypatch.setattr(daily, "_write", watched)

    def merge(_: int) -> str:
        try:
            return str(publish.project_and_merge(now=NOW))
        finally:
            others.leave()

    at_once(4, merge)
    return most[0]


def test_of_mergers_one_writes_a_sites_reports(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COC_IMPEX_DIR = tmp_path
    most = merging(monkeypatch)
    assert most == 1
    assert ReportDay.objects.get().order_count == 3
    assert list(faithful.unfaithful_days()) == []


def test_control_without_the_lease_two_write_at_a_time(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COC_IMPEX_DIR = tmp_path
    monkeypatch.setattr(leases, "take", lambda **_: True)
    assert merging(monkeypatch) > 1
    # The guard behind it: neither is believed, and the report is written once more.
    publish.project_and_merge(now=NOW)
    assert list(faithful.unfaithful_days()) == []


# Forced offline during a drain


def drain_forced_offline(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Run, int]:
    """Two workers drain eight orders; OCI is forced offline when the third is about to be sent.

    Returns the run, and how many orders were sent to OCI after that.
    """
    settings.COC_BATCH_SIZE, settings.COC_WORKERS = 2, 2
    skus = [f"SKU-{n}" for n in range(8)]
    site = engine.site(dict.fromkeys(skus, 9))
    for sku in skus:
        engine.capture(site, sku, [(sku, 1)])
    set_connection("ONLINE")
    run = engine.start()
    third, forced = threading.Event(), threading.Event()

    def wait_with_the_third(_order_no: str) -> None:
        if len(engine.puts()) == 2:
            third.set()
            assert forced.wait(SECONDS)

    engine.between(monkeypatch, before=wait_with_the_third)

    def act(n: int) -> str:
        if n:
            while Run.objects.filter(pk=run.pk, is_active=True).exists():
                batches.work_run(run_id=run.pk, clock=engine.clock, budget=timedelta(seconds=20))
            return "worked"
        assert third.wait(SECONDS)
        connection.force_offline(actor=MIA, reason="drill", now=engine.clock())
        forced.set()
        return "forced"

    assert at_once(3, act) == ["forced", "worked", "worked"]
    run.refresh_from_db()
    return run, len(engine.puts()) - 2


def test_forced_offline_in_the_middle_of_a_drain_stops_it(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sent = drain_forced_offline(engine, settings, monkeypatch)
    # What was under way may end.
    assert (run.state, sent) == ("oci_offline", 1)
    assert Counter(states().values()) == {"COMPLETELY_RESERVED": 3, "RESERVATION_MISSING": 5}
    assert engine.held() == reserved_by_items()
    assert list(integrity_check.check()) == []
    set_connection("RECOVERING")
    assert engine.reconcile().state == "completed"
    assert set(states().values()) == {"COMPLETELY_RESERVED"}
    assert engine.held() == reserved_by_items()


def test_control_workers_that_do_not_look_at_the_connection_go_on(
    engine: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_worker, "away_state", lambda *_: None)
    _, sent = drain_forced_offline(engine, settings, monkeypatch)
    assert sent == 6
    assert set(states().values()) == {"COMPLETELY_RESERVED"}

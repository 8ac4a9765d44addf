"""What the queue may do to us: tasks lost, doubled and late, broken schedules, wrong clocks.

Nothing of it may have an effect beyond delay. `tests/processes` has poison tasks in a real cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage

from orders.models import Order, OrderEvent
from reconciliation import tasks
from reconciliation.maintenance import schedules, sweep
from reconciliation.models import Batch, Lease, ReportDay, Run
from reconciliation.monitor import Monitor
from reconciliation.queue import leases
from reconciliation.reservation import release
from reconciliation.runs import batches
from tests.engine import MIA, D, Engine, reserved_by_items, set_connection
from tests.factories import START, Clock
from tests.reconciliation.backlogs import COMPLETE, MISSING, NOTHING, backlog, states

pytestmark = pytest.mark.django_db


# Tasks


def queued() -> list[tuple[str, tuple[int, ...]]]:
    """Take what the queue holds: the tasks and their ids."""
    found = []
    for row in OrmQ.objects.order_by("id"):
        task = SignedPackage.loads(row.payload)
        found.append((task["func"].rpartition(".")[2], tuple(task["args"])))
    OrmQ.objects.all().delete()
    return found


def story(engine: Engine, folder: Path, settings: Any) -> Run:
    """Orders that wait for scarce mugs, one being cancelled, and a run that nobody works on."""
    settings.COC_IMPEX_DIR = folder
    settings.COC_BATCH_SIZE = 2
    engine.clock.now = timezone.now()
    orders = [(f"A{n}", [("MUG", 1.0)]) for n in range(5)]
    backlog(engine, {"MUG": 3}, orders)  # type: ignore[arg-type]
    run = engine.start()
    cancelled = Order.objects.get(order_no="A1")
    release.cancel_order(order_id=cancelled.pk, actor=MIA, reason="test", now=engine.clock())
    return run


ENDS = {"A0": COMPLETE, "A1": MISSING, "A2": COMPLETE, "A3": COMPLETE, "A4": NOTHING}


def ended(run: Run) -> None:
    run.refresh_from_db()
    assert (run.state, run.is_active) == ("completed_with_shortages", False)
    assert states() == ENDS
    assert OrderEvent.objects.filter(kind="settled").count() == 4
    assert set(ReportDay.objects.values_list("needs_merge", flat=True)) == {False}


@pytest.mark.parametrize("times", [1, 3])
def test_tasks_may_come_any_number_of_times(
    engine: Engine, settings: Any, tmp_path: Path, times: int
) -> None:
    """Redelivered after a `retry`, or twice by the broker: the second finds nothing to do."""
    run = story(engine, tmp_path, settings)
    delivered = []
    for _ in range(6):
        for name, ids in queued():
            delivered.append(name)
            for _ in range(times):
                getattr(tasks, name)(*ids)
    tasks.merge_reports()
    ended(run)
    assert {"work_run", "after_run"} <= set(delivered)
    assert engine.held() == reserved_by_items() == {"MUG": D(3)}
    assert len(engine.puts()) == 4


def test_the_sweep_does_without_any_task_that_was_lost(
    engine: Engine, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every wake-up is lost but those of the sweep itself."""
    run = story(engine, tmp_path, settings)
    OrmQ.objects.all().delete()
    for _ in range(8):
        engine.clock.go(30)
        sweep.sweep(clock=engine.clock)
        for name, ids in queued():
            getattr(tasks, name)(*ids)
            if name != "sweep":
                OrmQ.objects.all().delete()
    tasks.merge_reports()
    ended(run)
    assert len(engine.puts()) == 4


def test_a_task_for_what_is_over_or_never_was_changes_nothing(
    engine: Engine, settings: Any, tmp_path: Path
) -> None:
    run = story(engine, tmp_path, settings)
    engine.work(run)
    queued()
    tasks.merge_reports()
    before = [list(model.objects.values()) for model in (Order, Run, Batch, OrderEvent)]  # type: ignore[attr-defined]
    calls = len(engine.oci.requests())
    for run_id in (run.pk, run.pk + 99):
        tasks.work_run(run_id)
    assert [list(model.objects.values()) for model in (Order, Run, Batch, OrderEvent)] == before  # type: ignore[attr-defined]
    assert len(engine.oci.requests()) == calls
    assert queued() == []


# Schedules


def due() -> list[str]:
    """Let the queue look at its schedules; return what it has put into itself."""
    Schedule.objects.filter(name="sweep").update(next_run=timezone.now() - timedelta(seconds=1))
    scheduler(broker=get_broker())
    return [name for name, _ in queued()]


@pytest.fixture
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the queue from closing the connection of the test."""
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)


def deleted() -> None:
    Schedule.objects.all().delete()


def foreign() -> None:
    past = timezone.now() - timedelta(minutes=1)
    Schedule.objects.create(
        name="theirs", func="some.where", args="(((", schedule_type="D", next_run=past
    )


def cron() -> None:
    Schedule.objects.filter(name="sweep").update(schedule_type="C", cron="*/0 no cron")


@pytest.mark.parametrize("spoil", [deleted, foreign, cron])
@pytest.mark.usefixtures("one_connection")
def test_a_schedule_that_is_gone_or_cannot_be_read_is_healed(
    spoil: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    schedules.ensure()
    assert due() == ["sweep"]
    spoil()
    # One row that cannot be read stops them all.
    assert due() == []
    told = schedules.heal(timezone.now())
    assert told == ["theirs" if spoil is foreign else "sweep"]
    assert told[0] in caplog.text
    assert due() == ["sweep"]
    assert schedules.heal(timezone.now()) == []
    # What is not ours is not deleted.
    assert Schedule.objects.filter(name="theirs").exists() == (spoil is foreign)


class NoProbes:
    """A prober that finds nothing out."""

    def start(self) -> bool:
        return True


def monitor(holder: str, clock: Clock) -> Monitor:
    return Monitor(holder=holder, prober=NoProbes(), clock=clock)  # type: ignore[arg-type]


def test_the_monitor_heals_the_schedules() -> None:
    clock = Clock(timezone.now())
    watching = monitor("one", clock)
    watching.tick()
    assert Schedule.objects.get().name == "sweep"
    deleted()
    clock.go(29)
    watching.tick()
    assert not Schedule.objects.exists()
    clock.go(2)
    watching.tick()
    assert Schedule.objects.get().name == "sweep"


# Clocks that are minutes apart


def test_a_leader_whose_clock_is_ahead_is_replaced_soon_after_its_death() -> None:
    ahead, ours = Clock(START + timedelta(minutes=10)), Clock(START)
    first, second = monitor("ahead", ahead), monitor("ours", ours)
    assert first.tick()
    # While it lives it keeps the lead.
    for _ in range(30):
        ahead.go(1)
        ours.go(1)
        assert (first.tick(), second.tick()) == (True, False)
    leads = []
    for _ in range(12):
        ours.go(1)
        leads.append(second.tick())
    assert leads == [False] * 10 + [True] * 2


def test_a_leader_whose_clock_is_behind_hands_over_to_one_other() -> None:
    behind, ours = Clock(START - timedelta(minutes=10)), Clock(START)
    first, second = monitor("behind", behind), monitor("ours", ours)
    assert first.tick()
    for _ in range(30):
        behind.go(1)
        ours.go(1)
        assert (second.tick(), first.tick()) == (True, False)


def test_a_lease_that_has_just_been_renewed_is_not_taken_over() -> None:
    watch = leases.Watch("any")
    assert not watch.take_over(holder="w", seconds=5, now=START)
    later = START + timedelta(hours=1)
    Lease.objects.create(name="any", holder="other", until=later)
    assert not watch.take_over(holder="w", seconds=5, now=START)
    assert not watch.take_over(holder="w", seconds=5, now=START + timedelta(seconds=10))
    Lease.objects.update(until=later + timedelta(seconds=1))
    assert not watch.take_over(holder="w", seconds=5, now=START + timedelta(seconds=11))
    assert Lease.objects.get().holder == "other"


@pytest.mark.parametrize("minutes", [-5, 5])
def test_two_workers_whose_clocks_differ_reserve_each_order_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """The other one thinks that leases and claims have run out, or that they never will."""
    backlog(engine, {"MUG": 3}, [(f"A{n}", [("MUG", 1.0)]) for n in range(5)])
    run = engine.start()
    theirs = Clock(engine.clock() + timedelta(minutes=minutes))
    met: list[str] = []

    def another_works(number: str) -> None:
        if not met:
            met.append(number)
            batches.work_run(
                run_id=run.pk, clock=theirs, budget=timedelta(seconds=20), pause=theirs.go
            )

    engine.between(monkeypatch, before=another_works)
    engine.work(run)
    assert met == ["A0"]
    # A lease that was taken by the clock that is ahead ends by it: late, and without harm.
    engine.clock.go(60 * 6)
    set_connection("ONLINE")
    engine.work(run)
    assert states() == {
        "A0": COMPLETE, "A1": COMPLETE, "A2": COMPLETE, "A3": NOTHING, "A4": NOTHING
    }  # fmt: skip
    assert OrderEvent.objects.filter(kind="settled").count() == 5
    assert engine.held() == reserved_by_items() == {"MUG": D(3)}
    assert [len(engine.documents(f"A{n}")) for n in range(5)] == [1] * 5


def test_an_order_claimed_by_a_clock_that_is_ahead_waits_and_no_more(engine: Engine) -> None:
    backlog(engine, {"MUG": 3}, [("A0", [("MUG", 1.0)])])
    Order.objects.update(claim="dead", claimed_until=engine.clock() + timedelta(minutes=5))
    assert engine.reconcile().state == "oci_offline"
    assert states() == {"A0": MISSING}
    assert engine.puts() == []
    engine.clock.go(60 * 5)
    assert engine.reconcile().state == "completed"
    assert states() == {"A0": COMPLETE}

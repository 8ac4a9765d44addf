"""Finding work that nobody does; tasks and schedules around it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from redis.exceptions import ConnectionError as RedisAway

from orders.capture import Claim
from orders.models import Order, OrderEvent
from reconciliation import tasks
from reconciliation.maintenance import schedules, sweep
from reconciliation.models import Heartbeat, ReportDay, Run, RunState, Scope
from reconciliation.queue import enqueue
from reconciliation.reservation import release
from reconciliation.runs import lifecycle
from reconciliation.runs.batch_leases import claim_batches
from tests import factories
from tests.engine import MIA, D, Engine, reserved_by_items, set_connection

pytestmark = pytest.mark.django_db


def look(engine: Engine) -> list[str]:
    return [name for name in sweep.sweep(clock=engine.clock) if name not in ("reports", "merge")]


def queued() -> list[tuple[str, tuple[int, ...]]]:
    """Tasks in the queue, by the last part of their name, with their ids."""
    rows = [row.task for row in OrmQ.objects.order_by("id")]
    return [(task["func"].rpartition(".")[2], task["args"]) for task in rows]


def test_with_nothing_to_do_nothing_is_woken(engine: Engine) -> None:
    engine.place(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    assert sweep.sweep(clock=engine.clock) == []
    assert OrmQ.objects.count() == 0


def test_abandoned_orders_are_adopted_when_their_claim_has_ended(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    set_connection("OFFLINE")
    for number, seconds in (("dead", 10), ("alive", 11)):
        until = engine.clock() + timedelta(seconds=seconds)
        claim = Claim(f"live:{number}", until)
        factories.capture(site, number, [("MUG", 1)], at=engine.clock(), claim=claim)
    assert look(engine) == []
    engine.clock.go(10)
    assert look(engine) == ["resumed abandoned orders"]
    rows = Order.objects.order_by("id").values_list("status", "captured_offline", "claim")
    assert list(rows) == [("new", True, ""), ("created", False, "live:alive")]
    event = OrderEvent.objects.get(kind="captured_offline")
    assert (event.actor, event.projected) == ("sweep", False)
    assert look(engine) == []


def test_a_run_that_nobody_works_on_is_woken(engine: Engine) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    run = engine.start()
    OrmQ.objects.all().delete()  # the wake-up is lost
    assert look(engine) == []
    engine.clock.go(5)
    assert look(engine) == [f"run {run.pk}"]
    assert queued().count(("work_run", (run.pk,))) == 1
    lifecycle.plan_round(run, now=engine.clock())
    assert claim_batches(run, holder="w", now=engine.clock(), most=1)
    assert look(engine) == []
    engine.clock.go(61)
    assert look(engine) == [f"run {run.pk}"]
    engine.work(run)


def test_what_waits_is_retried_a_cycle_after_the_run_before(engine: Engine, settings: Any) -> None:
    settings.COC_RETRY_MINUTES = 2
    site = engine.site({"MUG": 5})
    engine.capture(site, "A1", [("MUG", 1)])
    first = engine.reconcile()
    engine.capture(site, "A2", [("MUG", 1)])
    assert look(engine) == []
    engine.clock.go(119)
    assert look(engine) == []
    set_connection("OFFLINE")
    engine.clock.go(1)
    assert look(engine) == []
    set_connection("ONLINE")
    run = Run.objects.filter(pk__gt=first.pk)
    found = look(engine)
    assert found == [f"started run {run.get().pk}"]
    assert (run.get().trigger, run.get().actor) == ("schedule", "sweep")
    assert engine.work(run.get()).state == "completed"
    engine.clock.go(600)
    assert look(engine) == []


def test_what_is_to_be_undone_is_woken(engine: Engine) -> None:
    order = engine.place(engine.site({"MUG": 5}), "A1", [("MUG", 1)]).order
    release.cancel_order(order_id=order.pk, actor=MIA, reason="test", now=engine.clock())
    OrmQ.objects.all().delete()
    assert look(engine) == ["cancellations"]
    assert queued() == [("finish_cancellations", ())]
    release.finish_cancellations(clock=engine.clock)
    assert look(engine) == []


def test_reports_that_lag_behind_are_woken(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    engine.capture(site, "A1", [("MUG", 1)])
    set_connection("OFFLINE")
    engine.keeps_promises = False  # no report is written here
    assert sweep.sweep(clock=engine.clock) == ["reports"]
    OrderEvent.objects.update(projected=True)
    assert sweep.sweep(clock=engine.clock) == []
    ReportDay.objects.create(
        site=site, date=engine.clock().date(), report_type="offline", needs_merge=True
    )
    assert sweep.sweep(clock=engine.clock) == ["merge"]
    assert queued() == [("project_reports", ()), ("merge_reports", ())]


# Tasks


def test_tasks_may_run_twice_late_or_for_nothing(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    engine.clock.now = timezone.now() - timedelta(minutes=10)
    order = engine.capture(site, "A1", [("MUG", 2)])
    run = engine.start()
    for _ in range(3):
        tasks.work_run(run.pk)
    tasks.work_run(10**9)
    run.refresh_from_db()
    assert run.state == "completed"
    assert queued() == [("work_run", (run.pk,)), ("after_run", (run.pk,))]
    tasks.after_run(run.pk)
    release.cancel_order(order_id=order.pk, actor=MIA, reason="test", now=timezone.now())
    for _ in range(2):
        tasks.finish_cancellations()
        tasks.sweep()
        tasks.project_reports()
        tasks.merge_reports()
        tasks.beat()
    order.refresh_from_db()
    assert (order.status, engine.held()) == ("cancelled", {})
    assert Heartbeat.objects.filter(component="worker").count() == 1


def test_a_task_that_has_more_to_do_wakes_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    run = engine.start()
    OrmQ.objects.all().delete()
    monkeypatch.setattr(tasks, "_BUDGET", timedelta(0))
    tasks.work_run(run.pk)
    assert queued() == [("work_run", (run.pk,))]
    monkeypatch.undo()
    tasks.work_run(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.COMPLETED
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}


def test_a_broker_that_is_away_costs_nothing_but_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])

    def away(*_: Any, **__: Any) -> None:
        raise RedisAway("Connection refused")

    monkeypatch.setattr(enqueue, "async_task", away)
    run = engine.start()
    assert (run.is_active, OrmQ.objects.count()) == (True, 0)
    monkeypatch.undo()
    engine.clock.go(6)
    assert look(engine) == [f"run {run.pk}"]
    engine.work(run)


def test_with_another_broker_a_wake_up_waits_for_the_commit(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    woken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(enqueue, "async_task", lambda *args, **_: woken.append(args))
    settings.COC_BROKER = "redis://example.test/0"
    with django_capture_on_commit_callbacks(execute=True):
        enqueue.soon("work_run", 7)
        assert woken == []
    assert woken == [("reconciliation.tasks.work_run", 7)]
    assert enqueue.queued() == 0


# Schedules


def test_schedules_are_made_true_whatever_is_there() -> None:
    schedules.ensure()
    schedule = Schedule.objects.get()
    assert (schedule.name, schedule.func) == ("sweep", "reconciliation.tasks.sweep")
    assert (schedule.schedule_type, schedule.minutes, schedule.repeats) == ("I", 1, -1)
    Schedule.objects.create(name="sweep", func="gone.away", schedule_type=Schedule.DAILY)
    Schedule.objects.filter(pk=schedule.pk).update(func="gone.away", minutes=9, repeats=3)
    Schedule.objects.create(name="theirs", func="some.where", schedule_type=Schedule.DAILY)
    for _ in range(2):
        schedules.ensure()
        rows = Schedule.objects.order_by("pk").values_list("name", "func", "minutes", "repeats")
        assert list(rows) == [
            ("sweep", "reconciliation.tasks.sweep", 1, -1),
            ("theirs", "some.where", None, -1),
        ]


def test_a_rerun_whose_answer_was_lost_is_finished_by_itself(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    order = engine.capture(site, "A1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    engine.at_oci({"MUG": 5})
    # OCI reserves the shortfall and its answers are lost until the connection is.
    engine.oci.fault("drop", operations=["put"])
    run = engine.reconcile(Scope.ORDERS, orders=[order.pk])
    assert run.state == RunState.OCI_OFFLINE
    assert engine.held() == {"MUG": D(3)} != reserved_by_items()
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert look(engine) == []
    engine.clock.go(61)
    again = Run.objects.latest("pk").pk + 1
    assert look(engine) == [f"started run {again}"]
    assert engine.work(Run.objects.get(pk=again)).state == RunState.COMPLETED
    order.refresh_from_db()
    assert order.reservation_state == "COMPLETELY_RESERVED"
    assert engine.held() == reserved_by_items() == {"MUG": D(3)}
    engine.clock.go(61)
    # It is not short any more, so it keeps no place for stock that arrives.
    assert look(engine) == ["places in the queue"]
    assert look(engine) == []

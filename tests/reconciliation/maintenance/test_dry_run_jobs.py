"""Dry runs in the background: the whole backlog, one at a time, joined, stopped, kept and gone."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from orders.actors import person
from orders.models import Order
from reconciliation import tasks
from reconciliation.maintenance import dry_run_jobs, jobs
from reconciliation.maintenance.dry_run_jobs import Question
from reconciliation.models import BackgroundDryRun, JobKind, JobState, MaintenanceJob, Scope
from reconciliation.runs import dry_run as forecasts
from reconciliation.runs import scopes
from reconciliation.runs.dry_run import dry_run, whole_dry_run
from reconciliation.runs.dry_run_results import restored, stored
from tests.engine import D, Engine, set_connection

pytestmark = pytest.mark.django_db

ADA, BOB = person("ada"), person("bob")
ALL = Question(Scope.MISSING, {}, None)
COMPLETE, PARTIAL, NOTHING = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED", "NOTHING_RESERVED"


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan three orders at a time, and look for those ahead two at a time."""
    monkeypatch.setattr(forecasts, "_PORTION", 3)
    monkeypatch.setattr(scopes, "_WALKED", 2)


def backlog(engine: Engine, number: int = 10) -> None:
    """Two sites that share the stock of one list, with orders by turns."""
    north = engine.site({"MUG": 1000, "CUP": 1000, "JUG": 1000}, "north")
    south = engine.site({}, "south", list_id="web")
    chooser = random.Random(7)
    for index in range(number):
        skus = chooser.sample(["MUG", "CUP", "JUG"], k=2)
        site = south if index % 3 == 1 else north
        engine.capture(site, f"A{index}", [(sku, chooser.choice([1, 2.5])) for sku in skus])
    engine.at_oci({"MUG": 6, "CUP": 4.5, "JUG": 20})


def seen(would: forecasts.DryRun) -> Any:
    """Return what a dry run says, without the moment."""
    rows = [(row.order.pk, row.units, row.expected) for row in would.rows]
    return (
        would.orders,
        would.units,
        would.value,
        would.by_outcome,
        would.stock_known,
        would.forecast_of,
        would.changes_nothing,
        rows,
    )


def ended(job: MaintenanceJob) -> MaintenanceJob:
    """Let a worker do a job; return it as it is then."""
    tasks.maintenance_job(job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("sites", [None, ["north"], ["south"]])
def test_a_worker_finds_what_a_request_finds(engine: Engine, sites: list[str] | None) -> None:
    backlog(engine)
    data = {} if sites is None else {"sites": sites}
    question = Question(Scope.MISSING, data, sites)
    expected = dry_run(scope=Scope.MISSING, scope_data=data, told=sites, now=engine.clock())
    assert len(expected.by_outcome) > 1
    job = ended(dry_run_jobs.start(question=question, actor=ADA, now=engine.clock()))
    assert (job.state, job.error, job.rows) == (JobState.DONE, "", [])
    found = dry_run_jobs.latest_result(question, now=engine.clock())
    assert found is not None
    assert found[0] == job
    assert seen(found[1]) == seen(expected)
    assert found[1].stock_at == job.started_at
    run = engine.reconcile(Scope.MISSING, **data)
    did = dict(run.entries.values_list("order", "state"))
    assert {row.order.pk: row.expected for row in found[1].rows}.items() <= did.items()


def test_it_plans_all_orders_and_a_request_no_more_than_it_may(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "ROUND", 4)
    monkeypatch.setattr(forecasts, "ROUND", 4)
    backlog(engine)
    last = Order.objects.get(order_no="A9")
    for scope, data in ((Scope.MISSING, {}), (Scope.ORDERS, {"orders": [last.pk]})):
        with pytest.raises(scopes.TooMany):
            dry_run(scope=scope, scope_data=data, now=engine.clock(), at_most=4)
    first = Order.objects.get(order_no="A0")
    alone = {"orders": [first.pk]}
    few = dry_run(scope=Scope.ORDERS, scope_data=alone, now=engine.clock(), at_most=4)
    assert few.orders == 1
    steps: list[tuple[int, int]] = []
    would = whole_dry_run(
        scope=Scope.MISSING,
        scope_data={},
        told=None,
        now=engine.clock(),
        progress=lambda done, of: steps.append((done, of)),
    )
    assert (would.orders, would.forecast_of) == (10, 10)
    assert steps == [(0, 10), (3, 10), (6, 10), (9, 10), (10, 10)]
    # Within a request the forecast covers the oldest four, as the API's does.
    part = dry_run(scope=Scope.MISSING, now=engine.clock())
    assert (part.orders, part.forecast_of) == (10, 4)


def test_orders_settled_meanwhile_are_left_out(engine: Engine) -> None:
    backlog(engine)

    def settle(done: int, steps: int) -> None:
        if done == 0:
            engine.reconcile()

    would = whole_dry_run(
        scope=Scope.MISSING, scope_data={}, told=None, now=engine.clock(), progress=settle
    )
    short = Order.objects.exclude(reservation_state=COMPLETE).count()
    assert 0 < short < 10
    assert (would.orders, would.by_outcome.get(COMPLETE, 0)) == (short, 0)


def test_when_oci_falls_silent_half_way_there_is_no_forecast(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = engine.site(dict.fromkeys(("MUG", "CUP"), 1000))
    for index, sku in enumerate(["MUG", "MUG", "MUG", "CUP"]):
        engine.capture(site, f"A{index}", [(sku, 1)])
    engine.at_oci({"MUG": 5, "CUP": 5})

    def fall_silent(done: int, steps: int) -> None:
        if done == 3:
            set_connection("OFFLINE")

    would = whole_dry_run(
        scope=Scope.MISSING, scope_data={}, told=None, now=engine.clock(), progress=fall_silent
    )
    assert (would.orders, would.units, would.stock_known) == (4, D(4), False)
    assert (would.by_outcome, would.stock_at, would.changes_nothing) == ({}, None, False)
    assert {row.expected for row in would.rows} == {None}
    assert seen(restored(stored(would))) == seen(would)


def test_who_sees_the_same_joins_and_others_wait_their_turn(engine: Engine) -> None:
    backlog(engine)
    now = engine.clock()
    first = dry_run_jobs.start(question=ALL, actor=ADA, now=now)
    with pytest.raises(jobs.AlreadyOpen) as refused:
        dry_run_jobs.start(question=ALL, actor=BOB, now=now)
    assert refused.value.job == first
    north = Question(Scope.MISSING, {"site": "north"}, ["north"])
    both = Question(Scope.MISSING, {"site": "north"}, ["south", "north"])
    assert both.key == Question(Scope.MISSING, {"site": "north"}, ("north", "south")).key
    second = dry_run_jobs.start(question=north, actor=BOB, now=now)
    MaintenanceJob.objects.filter(pk=first.pk).update(state=JobState.RUNNING, started_at=now)
    # One at a time: the other stays in the queue, and nobody is woken for it in vain.
    assert not jobs.work(second.pk, clock=engine.clock)
    assert jobs.tend(now + timedelta(seconds=40)) == []
    assert ended(second).state == JobState.QUEUED
    MaintenanceJob.objects.filter(pk=first.pk).update(state=JobState.QUEUED)
    assert ended(first).state == JobState.DONE
    assert ended(second).state == JobState.DONE
    # Neither result is shown to who sees other sites.
    assert dry_run_jobs.latest(both, now=now) is None
    assert dry_run_jobs.latest_result(both, now=now) is None
    found = dry_run_jobs.latest_result(north, now=now)
    assert found is not None
    assert {row.order.site_id for row in found[1].rows} == {"north"}


def test_the_end_of_one_wakes_the_next(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    backlog(engine, 1)
    now = engine.clock()
    first = dry_run_jobs.start(question=ALL, actor=ADA, now=now)
    north = Question(Scope.MISSING, {"site": "north"}, None)
    second = dry_run_jobs.start(question=north, actor=ADA, now=now)
    woken: list[int] = []
    monkeypatch.setattr(jobs, "_enqueue", lambda job: woken.append(job.pk))
    jobs.work(first.pk, clock=engine.clock)
    assert woken == [second.pk]
    assert dry_run_jobs.stop(question=north, now=now) == second
    assert dry_run_jobs.stop(question=north, now=now) is None
    assert woken == [second.pk]


def test_a_stopped_one_is_left_by_its_worker(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine)
    job = dry_run_jobs.start(question=ALL, actor=ADA, now=engine.clock())
    planned: list[int] = []
    plan = forecasts._Forecast.add

    def add(self: Any, order_ids: Any) -> None:
        plan(self, order_ids)
        planned.extend(order_ids)
        engine.clock.go(1)
        if len(planned) == 6:
            assert dry_run_jobs.stop(question=ALL, now=engine.clock()) == job

    monkeypatch.setattr(forecasts._Forecast, "add", add)
    assert jobs.work(job.pk, clock=engine.clock)
    job.refresh_from_db()
    assert (job.state, job.error, len(planned)) == (JobState.STOPPED, "", 6)
    assert (job.steps_done, job.steps) == (3, 10)
    assert BackgroundDryRun.objects.get().result == {}
    assert dry_run_jobs.latest_result(ALL, now=engine.clock()) is None
    again = ended(dry_run_jobs.start(question=ALL, actor=BOB, now=engine.clock()))
    assert (again.state, len(planned)) == (JobState.DONE, 16)


def test_one_whose_worker_is_gone_fails_and_results_go_with_their_jobs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, 2)
    now = engine.clock()
    job = dry_run_jobs.start(question=ALL, actor=ADA, now=now)
    check = jobs.start(kind=JobKind.CHECK, actor=ADA, now=now)
    MaintenanceJob.objects.update(state=JobState.RUNNING, started_at=now)
    # A dry run is given up after minutes, since others wait for it; a check may take longer.
    jobs.tend(now + timedelta(minutes=11))
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    jobs.tend(now + timedelta(minutes=11, seconds=1))
    job.refresh_from_db()
    check.refresh_from_db()
    assert check.state == JobState.RUNNING
    assert (job.state, "Start the job again" in job.error) == (JobState.FAILED, True)
    for _again in range(4):
        ended(dry_run_jobs.start(question=ALL, actor=ADA, now=now))
    assert BackgroundDryRun.objects.count() == 5
    monkeypatch.setattr(jobs, "_KEPT", 2)
    jobs.tend(now)
    assert BackgroundDryRun.objects.count() == 2
    assert MaintenanceJob.objects.filter(kind=JobKind.DRY_RUN).count() == 2
    assert MaintenanceJob.objects.filter(pk=check.pk).exists()
    assert dry_run_jobs.latest(ALL, now=now + timedelta(hours=23)) is not None
    assert dry_run_jobs.latest(ALL, now=now + timedelta(hours=25)) is None

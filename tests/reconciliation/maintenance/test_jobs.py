"""Maintenance jobs: started once, done once, kept with their result; the audit of every day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from orders.actors import person
from orders.models import EventKind, OrderEvent
from reconciliation import tasks
from reconciliation.alerts.actions import acknowledge
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.maintenance import job_kinds, jobs, nightly_audit, schedules
from reconciliation.maintenance.schedule_status import Standing, schedule_status
from reconciliation.models import Alert, IntervalSetting, JobKind, JobState, MaintenanceJob
from reconciliation.oci.errors import MalformedAnswer
from reconciliation.queue import enqueue, intervals
from tests.coc_admin.console import scene

pytestmark = pytest.mark.django_db

ADA = person("ada")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def impex(tmp_path: Path, settings: Any) -> Path:
    settings.COC_IMPEX_DIR = tmp_path
    return tmp_path


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...], int | None]]:
    """Return what workers are asked for."""
    asked: list[tuple[str, tuple[int, ...], int | None]] = []
    monkeypatch.setattr(
        enqueue, "soon", lambda name, *ids, seconds=None: asked.append((name, ids, seconds))
    )
    return asked


def finds(monkeypatch: pytest.MonkeyPatch, rows: list[Any], kind: JobKind = JobKind.AUDIT) -> None:
    """Let jobs of a kind find `rows`; an exception among them is raised in its turn."""

    def work(progress: job_kinds.Progress, now: datetime) -> Iterator[dict[str, Any]]:
        for row in rows:
            if isinstance(row, Exception):
                raise row
            yield row

    monkeypatch.setitem(job_kinds._WORK, kind, work)  # type: ignore[arg-type]


def test_one_of_a_kind_is_open_and_each_is_done_once(woken: Any, impex: Any) -> None:
    job = jobs.start(kind=JobKind.CHECK, actor=ADA, now=NOW)
    with pytest.raises(jobs.AlreadyOpen) as refused:
        jobs.start(kind=JobKind.CHECK, actor=person("bob"), now=NOW)
    assert refused.value.job == job
    other = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
    assert woken == [
        ("maintenance_job", (job.pk,), jobs.LONGEST_SECONDS),
        ("maintenance_job", (other.pk,), jobs.LONGEST_SECONDS),
    ]
    assert jobs.work(job.pk, clock=lambda: NOW)
    assert not jobs.work(job.pk, clock=lambda: NOW + timedelta(hours=1))
    job.refresh_from_db()
    assert (job.state, job.found, job.rows, job.finished_at, job.actor) == (
        JobState.DONE,
        0,
        [],
        NOW,
        "ada",
    )
    jobs.start(kind=JobKind.CHECK, actor=ADA, now=NOW)
    assert MaintenanceJob.objects.count() == 3


def test_the_check_proposes_a_repair_of_each_row(woken: Any, impex: Any) -> None:
    order = scene.place(scene.make_shop(), "A-1")
    OrderEvent.objects.filter(order=order, kind=EventKind.CAPTURED_OFFLINE).delete()
    job = jobs.start(kind=JobKind.CHECK, actor=ADA, now=NOW)
    tasks.maintenance_job(job.pk)
    job.refresh_from_db()
    (row,) = [one for one in job.rows if one["fault"] == "history"]
    assert row["id"].startswith(f"history:{order.pk}:")
    assert row["found"] == ["no event tells of its capture"] or len(row["found"]) > 0
    assert (row["before"] != row["after"], bool(row["why"])) == (True, True)


def test_a_failure_is_kept_with_its_reason(woken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for fault, told in (
        (MalformedAnswer("no export"), "no export"),
        (RuntimeError("bad\x00luck"), "RuntimeError: bad\ufffdluck"),
    ):
        finds(monkeypatch, [{"a": 1}, fault])
        job = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
        jobs.work(job.pk, clock=lambda: NOW)
        job.refresh_from_db()
        assert (job.state, job.error) == (JobState.FAILED, told)
    assert jobs.last_job(JobKind.AUDIT, done=True) is None


def test_a_long_result_is_cut_and_counted(woken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_ROWS", 2)
    finds(monkeypatch, [{"a": "x\x00"}, {"a": 2}, {"a": 3}])
    job = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
    jobs.work(job.pk, clock=lambda: NOW)
    job.refresh_from_db()
    assert (job.found, job.rows) == (3, [{"a": "x\ufffd"}, {"a": 2}])


def test_lost_wake_ups_are_repeated_and_lost_workers_end(woken: Any) -> None:
    waiting = jobs.start(kind=JobKind.CHECK, actor=ADA, now=NOW)
    running = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
    MaintenanceJob.objects.filter(pk=running.pk).update(state=JobState.RUNNING, started_at=NOW)
    woken.clear()
    assert jobs.tend(NOW + timedelta(seconds=10)) == []
    assert jobs.tend(NOW + timedelta(seconds=40)) == [f"maintenance job {waiting.pk}"]
    assert woken == [("maintenance_job", (waiting.pk,), jobs.LONGEST_SECONDS)]
    late = NOW + timedelta(seconds=jobs.LONGEST_SECONDS + 61)
    assert "abandoned maintenance jobs" in jobs.tend(late)
    running.refresh_from_db()
    assert (running.state, running.finished_at) == (JobState.FAILED, late)
    assert "Start the job again" in running.error


def test_old_jobs_go_and_the_last_result_stays(woken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_KEPT", 2)
    finds(monkeypatch, [])
    done = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
    jobs.work(done.pk, clock=lambda: NOW)
    finds(monkeypatch, [MalformedAnswer("away")])
    for _number in range(4):
        jobs.work(jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW).pk, clock=lambda: NOW)
    jobs.tend(NOW)
    assert MaintenanceJob.objects.count() == 3
    assert jobs.last_job(JobKind.AUDIT, done=True) == done


def audit_standing(now: datetime) -> Standing:
    (entry,) = [one for one in schedule_status(now) if one.interval.kind.name == "audit"]
    return entry.standing


def test_the_audit_is_off_until_a_time_is_chosen(woken: Any) -> None:
    assert not nightly_audit.is_wanted()
    assert not nightly_audit.start_if_due(NOW)
    assert audit_standing(NOW) == Standing.OFF
    IntervalSetting.objects.create(pk=intervals.AUDIT, at=time(3), zone="Europe/Berlin")
    schedules.follow(intervals.AUDIT, now=NOW)
    assert nightly_audit.is_wanted()
    assert nightly_audit.TURN.next_at() == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert not nightly_audit.start_if_due(NOW + timedelta(hours=13))
    due = NOW + timedelta(hours=14, minutes=1)
    assert nightly_audit.start_if_due(due)
    assert audit_standing(due) == Standing.RUNNING
    assert not nightly_audit.start_if_due(due)
    assert nightly_audit.TURN.next_at() == datetime(2026, 3, 3, 2, tzinfo=UTC)
    (job,) = MaintenanceJob.objects.all()
    assert (job.kind, job.actor, job.actor_kind) == ("audit", "schedule", "job")
    IntervalSetting.objects.update(paused=True)
    assert not nightly_audit.start_if_due(due + timedelta(days=2))


def test_a_difference_is_an_alert_until_an_audit_agrees(
    woken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done(rows: list[Any]) -> list[tuple[str, str]]:
        finds(monkeypatch, rows)
        job = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
        jobs.work(job.pk, clock=lambda: NOW)
        refresh_alerts(NOW)
        found = Alert.objects.filter(descriptor="audit_differs")
        return list(found.values_list("state", "link"))

    assert done([]) == []
    assert done([{"a": 1}, {"a": 2}]) == [("open", "/settings/maintenance/audit/")]
    # A failed audit proves nothing.
    assert done([MalformedAnswer("away")]) == [("open", "/settings/maintenance/audit/")]
    assert done([]) == [("resolved", "/settings/maintenance/audit/")]


def test_other_documents_that_differ_need_attention_again(
    woken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audited(*ids: str) -> Alert:
        finds(monkeypatch, [{"reservation_id": one} for one in ids])
        job = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
        jobs.work(job.pk, clock=lambda: NOW)
        for _twice in range(2):
            refresh_alerts(NOW)
        return Alert.objects.get(descriptor="audit_differs")

    def acknowledge_it() -> None:
        alert = Alert.objects.get(descriptor="audit_differs")
        acknowledge(alert_id=alert.pk, seen=alert.handled, actor=ADA, now=NOW)

    audited("a", "b")
    acknowledge_it()
    # The next audit finds the same, then one of them is put right.
    assert audited("a", "b").handling == "acknowledged"
    assert audited("b").handling == "acknowledged"
    # Another matter, with as many documents.
    alert = audited("c")
    assert (alert.handling, alert.occurrence) == ("", 2)
    acknowledge_it()
    # Another document joins; later one goes and another comes.
    assert audited("c", "d").handling == ""
    acknowledge_it()
    alert = audited("d", "e")
    assert (alert.handling, alert.occurrence) == ("", 2)
    acknowledge_it()
    # Too many to name them all: only their number tells.
    audited(*map(str, range(60)))
    acknowledge_it()
    assert audited(*map(str, range(60, 120))).handling == "acknowledged"
    assert audited(*map(str, range(61))).handling == ""


def test_without_settings_an_audit_says_what_is_missing(woken: Any, settings: Any) -> None:
    settings.COC_OCI_BASE_URL = ""
    job = jobs.start(kind=JobKind.AUDIT, actor=ADA, now=NOW)
    jobs.work(job.pk, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "COC_OCI" in job.error

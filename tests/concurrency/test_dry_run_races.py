"""The same dry run started by many, and several taken by workers at once, on PostgreSQL."""

from __future__ import annotations

import pytest
from django.utils import timezone

from orders.actors import person
from reconciliation.maintenance import dry_run_jobs, job_kinds, jobs
from reconciliation.maintenance.dry_run_jobs import Question
from reconciliation.models import BackgroundDryRun, JobKind, JobState, MaintenanceJob, Scope
from tests.concurrency.together import at_once

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

CLICKS = 6
ALL = Question(Scope.MISSING, {}, None)


def test_of_many_clicks_one_starts_and_the_others_join() -> None:
    def click(number: int) -> str:
        try:
            dry_run_jobs.start(question=ALL, actor=person(f"p{number}"), now=timezone.now())
        except jobs.AlreadyOpen as found:
            return f"joined {found.job.pk}"
        return "started"

    came = at_once(CLICKS, click)
    job = MaintenanceJob.objects.get()
    assert came == [f"joined {job.pk}"] * (CLICKS - 1) + ["started"]
    assert BackgroundDryRun.objects.get().job_id == job.pk


def test_of_several_dry_runs_one_is_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [Question(Scope.SKU, {"sku": f"S-{n}"}, None) for n in range(CLICKS)]
    pks = [
        dry_run_jobs.start(question=one, actor=person("ada"), now=timezone.now()).pk
        for one in questions
    ]

    def work(number: int) -> str:
        return "taken" if jobs._take(pks[number], timezone.now()) else "waits"

    assert at_once(CLICKS, work) == ["taken"] + ["waits"] * (CLICKS - 1)
    states = MaintenanceJob.objects.order_by("state").values_list("state", flat=True)
    assert list(states) == [JobState.QUEUED] * (CLICKS - 1) + [JobState.RUNNING]


def test_of_a_stop_and_an_end_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    job = dry_run_jobs.start(question=ALL, actor=person("ada"), now=timezone.now())
    monkeypatch.setitem(job_kinds._WORK, JobKind.DRY_RUN, lambda progress, now: iter(()))  # type: ignore[arg-type]
    assert jobs._take(job.pk, timezone.now())

    def end(number: int) -> str:
        if number:
            return f"stopped {jobs.stop(job.pk, now=timezone.now())}"
        jobs._finish(job.pk, error="", found=0, rows=[], now=timezone.now())
        return "ended"

    came = at_once(2, end)
    state = MaintenanceJob.objects.get().state
    assert (came[1], state) in (
        ("stopped True", JobState.STOPPED),
        ("stopped False", JobState.DONE),
    )

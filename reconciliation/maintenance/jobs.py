"""Maintenance jobs: started by a person or a schedule, done by a worker, kept with their result.

A job is a row; its task in the queue is only a wake-up. At most one job of a kind and key is open,
and one job of a kind runs. No job runs twice: a worker takes it by a conditional update, and a job
ends as failed when its worker is gone. The worker of a stopped or abandoned job notices and leaves
it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from orders.actors import Actor
from orders.texts import storable
from reconciliation.maintenance import job_kinds
from reconciliation.models import JobKind, JobState, MaintenanceJob
from reconciliation.queue import enqueue
from reconciliation.reasons import Reason, columns, say

logger = logging.getLogger(__name__)

MOST_ROWS = 500
# A worker gives up after this long; the queue's own limit suits only short tasks.
LONGEST_SECONDS = 2_700
# A dry run takes minutes, and other people's dry runs wait for it.
_LONGEST = {JobKind.DRY_RUN: 600}
# After the limit plus this, no worker can still be running the job.
_ABANDONED = timedelta(seconds=60)
# If a job waits longer, its wake-up was lost, or all workers are busy.
_OVERDUE = timedelta(seconds=30)
# Jobs to keep of each kind.
_KEPT = 30
_OPEN = (JobState.QUEUED, JobState.RUNNING)
_ENDED = (JobState.DONE, JobState.FAILED, JobState.STOPPED)
_MAX_ERROR = 500
_GONE = say("job_gone")


class _NotRunning(Exception):
    """The job was stopped or abandoned while a worker ran it."""


class AlreadyOpen(Exception):
    """A job of this kind and key, `job`, already waits or runs."""

    def __init__(self, job: MaintenanceJob) -> None:
        super().__init__(str(job))
        self.job = job


def start(*, kind: JobKind, actor: Actor, now: datetime, key: str = "") -> MaintenanceJob:
    """Queue a job of `kind`. Raises AlreadyOpen; call in the caller's transaction."""
    try:
        with transaction.atomic():
            job = MaintenanceJob.objects.create(
                kind=kind, key=key, actor_kind=actor.kind, actor=actor.name[:150], created_at=now
            )
    except IntegrityError:
        found = open_job(kind, key)
        if found is None:
            raise
        raise AlreadyOpen(found) from None
    _enqueue(job)
    return job


def longest(kind: str) -> int:
    """Return how many seconds a worker may spend on a job of `kind`."""
    return _LONGEST.get(JobKind(kind), LONGEST_SECONDS)


def open_job(kind: JobKind, key: str = "") -> MaintenanceJob | None:
    """Return the job of `kind` and `key` that waits or runs."""
    return MaintenanceJob.objects.filter(kind=kind, key=key, state__in=_OPEN).first()


def stop(job_id: int, *, now: datetime) -> bool:
    """End a job that waits or runs; its worker soon leaves it. False if it had ended."""
    found = MaintenanceJob.objects.filter(pk=job_id, state__in=_OPEN)
    if not found.update(state=JobState.STOPPED, finished_at=now):
        return False
    _wake_next(MaintenanceJob.objects.values_list("kind", flat=True).get(pk=job_id))
    return True


def last_job(kind: JobKind, *, done: bool = False) -> MaintenanceJob | None:
    """Return the latest job of `kind`, or the latest completed one."""
    jobs = MaintenanceJob.objects.filter(kind=kind)
    return (jobs.filter(state=JobState.DONE) if done else jobs).order_by("-pk").first()


@dataclass(slots=True)
class _Progress:
    """Writes a job's progress, at most a few times a second; raises _NotRunning if it was ended."""

    pk: int
    clock: Callable[[], datetime]
    at: datetime

    def __call__(self, done: int, steps: int) -> None:
        now = self.clock()
        if now - self.at >= timedelta(seconds=0.5):
            self.at = now
            running = MaintenanceJob.objects.filter(pk=self.pk, state=JobState.RUNNING)
            if not running.update(steps_done=done, steps=steps):
                raise _NotRunning


def work(job_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Run a waiting job; False if it no longer waits, or another job of its kind runs."""
    now = clock()
    if not _take(job_id, now):
        return False
    job = MaintenanceJob.objects.get(pk=job_id)
    rows: list[dict[str, Any]] = []
    found, error = 0, ""
    try:
        for row in job_kinds.work_of(JobKind(job.kind))(_Progress(job_id, clock, now), now):
            found += 1
            if len(rows) < MOST_ROWS:
                rows.append(_stored(row))
    except _NotRunning:
        logger.info("Maintenance job %s was ended while it was worked on", job)
    except job_kinds.EXPECTED as fault:
        error = _reason_of(fault)
    except Exception as fault:
        logger.exception("Maintenance job %s failed", job)
        error = storable(f"{type(fault).__name__}: {fault}")
    _finish(job_id, error=error, found=found, rows=rows, now=clock())
    _wake_next(job.kind)
    return True


def _reason_of(fault: Exception) -> str:
    """Return why a job failed, with reason codes if there are any."""
    first = fault.args[0] if fault.args else ""
    return first if isinstance(first, Reason) else storable(str(fault)) or type(fault).__name__


def _take(job_id: int, now: datetime) -> bool:
    waiting = MaintenanceJob.objects.filter(pk=job_id, state=JobState.QUEUED)
    try:
        with transaction.atomic():
            return bool(waiting.update(state=JobState.RUNNING, started_at=now))
    except IntegrityError:
        # Another job of this kind runs, and enqueues this one when it ends.
        return False


def _wake_next(kind: str) -> None:
    waiting = MaintenanceJob.objects.filter(kind=kind, state=JobState.QUEUED).order_by("pk")
    job = waiting.first()
    if job is not None:
        _enqueue(job)


def _stored(value: Any) -> Any:
    """Return a row in a form that every database can store."""
    if isinstance(value, dict):
        return {name: _stored(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_stored(one) for one in value]
    return storable(value) if isinstance(value, str) else value


def _finish(
    job_id: int, *, error: str, found: int, rows: list[dict[str, Any]], now: datetime
) -> None:
    running = MaintenanceJob.objects.filter(pk=job_id, state=JobState.RUNNING)
    state = JobState.FAILED if error else JobState.DONE
    codes = columns("error", error, limit=_MAX_ERROR)
    running.update(state=state, finished_at=now, found=found, rows=rows, **codes)


def tend(now: datetime) -> list[str]:
    """Wake waiting jobs, end abandoned ones, delete the oldest; called by the sweep."""
    done = []
    running = MaintenanceJob.objects.filter(state=JobState.RUNNING)
    for kind in JobKind:
        begun = now - timedelta(seconds=longest(kind)) - _ABANDONED
        gone = running.filter(kind=kind, started_at__lt=begun)
        if gone.update(
            state=JobState.FAILED, finished_at=now, **columns("error", _GONE, limit=_MAX_ERROR)
        ):
            done.append("abandoned maintenance jobs")
    overdue = MaintenanceJob.objects.filter(
        ~Q(kind__in=running.values("kind")), state=JobState.QUEUED, created_at__lt=now - _OVERDUE
    )
    for job in overdue.defer("rows").order_by("pk"):
        _enqueue(job)
        done.append(f"maintenance job {job.pk}")
    for kind in JobKind:
        ended = MaintenanceJob.objects.filter(kind=kind, state__in=_ENDED).order_by("-pk")
        # The newest completed job always stays: pages and the alert need it.
        last = last_job(kind, done=True)
        old = list(ended.values_list("pk", flat=True)[_KEPT : _KEPT + 100])
        kept = [last.pk] if last else []
        MaintenanceJob.objects.filter(pk__in=old).exclude(pk__in=kept).delete()
    return done


def _enqueue(job: MaintenanceJob) -> None:
    enqueue.soon("maintenance_job", job.pk, seconds=longest(job.kind))

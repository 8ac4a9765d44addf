"""Maintenance jobs: started by a person or a schedule, done by a worker, kept with their result.

A job is a row; its task in the queue is a wake-up. At most one of a kind is open. A job is never
done twice: a worker takes it by a conditional update, and one whose worker is gone ends as failed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from orders.actors import Actor
from orders.texts import storable
from reconciliation.maintenance import job_kinds
from reconciliation.models import JobKind, JobState, MaintenanceJob
from reconciliation.queue import enqueue

logger = logging.getLogger(__name__)

MOST_ROWS = 500
# A worker gives up after this long; the queue's own limit is for short tasks.
LONGEST_SECONDS = 2_700
# After that no worker can still be running it.
_ABANDONED = timedelta(seconds=LONGEST_SECONDS + 60)
# The wake-up of a job that waits longer was lost, or all workers are busy.
_OVERDUE = timedelta(seconds=30)
# Jobs of each kind that are kept.
_KEPT = 30
_GONE = "The worker that did it was stopped. Start it again."


class AlreadyOpen(Exception):
    """A job of this kind waits or runs; `job` is the one."""

    def __init__(self, job: MaintenanceJob) -> None:
        super().__init__(str(job))
        self.job = job


def start(*, kind: JobKind, actor: Actor, now: datetime) -> MaintenanceJob:
    """Have a worker run a job of `kind`. Raises AlreadyOpen; call in the caller's transaction."""
    try:
        with transaction.atomic():
            job = MaintenanceJob.objects.create(
                kind=kind, actor_kind=actor.kind, actor=actor.name[:150], created_at=now
            )
    except IntegrityError:
        found = open_job(kind)
        if found is None:
            raise
        raise AlreadyOpen(found) from None
    _enqueue(job.pk)
    return job


def open_job(kind: JobKind) -> MaintenanceJob | None:
    """Return the job of `kind` that waits or runs."""
    states = (JobState.QUEUED, JobState.RUNNING)
    return MaintenanceJob.objects.filter(kind=kind, state__in=states).first()


def last_job(kind: JobKind, *, done: bool = False) -> MaintenanceJob | None:
    """Return the latest job of `kind`, or the latest that was done."""
    jobs = MaintenanceJob.objects.filter(kind=kind)
    return (jobs.filter(state=JobState.DONE) if done else jobs).order_by("-pk").first()


@dataclass(slots=True)
class _Progress:
    """Writes how far a job is, a few times a second at most."""

    pk: int
    clock: Callable[[], datetime]
    at: datetime

    def __call__(self, done: int, steps: int) -> None:
        now = self.clock()
        if now - self.at >= timedelta(seconds=0.5):
            self.at = now
            MaintenanceJob.objects.filter(pk=self.pk).update(steps_done=done, steps=steps)


def work(job_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Run a waiting job; False if it no longer waits."""
    now = clock()
    waiting = MaintenanceJob.objects.filter(pk=job_id, state=JobState.QUEUED)
    if not waiting.update(state=JobState.RUNNING, started_at=now):
        return False
    job = MaintenanceJob.objects.get(pk=job_id)
    rows: list[dict[str, Any]] = []
    found, error = 0, ""
    try:
        for row in job_kinds.work_of(JobKind(job.kind))(_Progress(job_id, clock, now), now):
            found += 1
            if len(rows) < MOST_ROWS:
                rows.append(_stored(row))
    except job_kinds.EXPECTED as fault:
        error = str(fault)[:500] or type(fault).__name__
    except Exception as fault:
        logger.exception("Maintenance job %s failed", job)
        error = f"{type(fault).__name__}: {fault}"[:500]
    _finish(job_id, error=storable(error), found=found, rows=rows, now=clock())
    return True


def _stored(value: Any) -> Any:
    """Return a row as every database can keep it."""
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
    running.update(state=state, finished_at=now, error=error, found=found, rows=rows)


def tend(now: datetime) -> list[str]:
    """Wake waiting jobs, end abandoned ones, delete the oldest; called by the sweep."""
    done = []
    running = MaintenanceJob.objects.filter(state=JobState.RUNNING)
    gone = running.filter(started_at__lt=now - _ABANDONED)
    if gone.update(state=JobState.FAILED, finished_at=now, error=_GONE):
        done.append("abandoned maintenance jobs")
    overdue = MaintenanceJob.objects.filter(
        state=JobState.QUEUED, created_at__lt=now - _OVERDUE
    ).values_list("pk", flat=True)
    for pk in sorted(overdue):
        _enqueue(pk)
        done.append(f"maintenance job {pk}")
    for kind in JobKind:
        ended = MaintenanceJob.objects.filter(
            kind=kind, state__in=(JobState.DONE, JobState.FAILED)
        ).order_by("-pk")
        # The newest that was done stays in any case: pages and the alert rest on it.
        last = last_job(kind, done=True)
        old = list(ended.values_list("pk", flat=True)[_KEPT : _KEPT + 100])
        kept = [last.pk] if last else []
        MaintenanceJob.objects.filter(pk__in=old).exclude(pk__in=kept).delete()
    return done


def _enqueue(pk: int) -> None:
    enqueue.soon("maintenance_job", pk, seconds=LONGEST_SECONDS)

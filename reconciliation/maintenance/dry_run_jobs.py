"""Background dry runs, for backlogs that take too long to plan while a person waits.

A person with the same question and the same sites gets the existing job and its result. The job's
key contains both, so nobody else gets it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.actors import Actor
from reconciliation.maintenance import jobs
from reconciliation.models import BackgroundDryRun, JobKind, JobState, MaintenanceJob, Scope
from reconciliation.runs.dry_run import DryRun
from reconciliation.runs.dry_run_results import restored

# An older forecast says nothing about a rerun today.
_SHOWN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Question:
    """The orders of a dry run, and the sites that limit it (None: all)."""

    scope: Scope
    scope_data: Mapping[str, Any]
    sites: Collection[str] | None

    @property
    def key(self) -> str:
        """The key of its jobs."""
        sites = None if self.sites is None else sorted(self.sites)
        text = json.dumps([str(self.scope), self.scope_data, sites], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def start(*, question: Question, actor: Actor, now: datetime) -> MaintenanceJob:
    """Queue a dry run for a worker. Raises jobs.AlreadyOpen with the one that waits or runs."""
    with transaction.atomic():
        job = jobs.start(kind=JobKind.DRY_RUN, key=question.key, actor=actor, now=now)
        BackgroundDryRun.objects.create(
            job=job,
            scope=question.scope,
            scope_data=dict(question.scope_data),
            sites=None if question.sites is None else sorted(question.sites),
        )
    return job


def stop(*, question: Question, now: datetime) -> MaintenanceJob | None:
    """Stop the dry run that waits or runs and return its job; None if none does."""
    job = jobs.open_job(JobKind.DRY_RUN, question.key)
    return job if job is not None and jobs.stop(job.pk, now=now) else None


def latest(question: Question, *, now: datetime) -> MaintenanceJob | None:
    """Return the latest job for a question, of the last day."""
    return _recent(question, now).first()


def latest_result(question: Question, *, now: datetime) -> tuple[MaintenanceJob, DryRun] | None:
    """Return the latest job for a question that ended with a result, and the result."""
    job = _recent(question, now).filter(state=JobState.DONE).select_related("dry_run").first()
    return (job, restored(job.dry_run.result)) if job else None


def recent(sites: Collection[str] | None, *, now: datetime, most: int) -> list[BackgroundDryRun]:
    """Return the latest dry runs of the last day visible with these sites; one query."""
    found = BackgroundDryRun.objects.filter(job__created_at__gte=now - _SHOWN)
    same = Q(sites__isnull=True) if sites is None else Q(sites=sorted(sites))
    found = found.filter(same).select_related("job").defer("result", "job__rows")
    return list(found.order_by("-job")[:most])


def _recent(question: Question, now: datetime) -> QuerySet[MaintenanceJob]:
    found = MaintenanceJob.objects.filter(kind=JobKind.DRY_RUN, key=question.key)
    return found.filter(created_at__gte=now - _SHOWN).order_by("-pk")

"""Confirming an uploaded order file: one worker imports it, once."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from orders.actors import Actor
from reconciliation.maintenance import jobs
from reconciliation.models import JobKind, JobState, MaintenanceJob, OrderImport


class NotOpen(Exception):
    """The import was confirmed before."""


def confirm(*, import_id: int, actor: Actor, now: datetime) -> MaintenanceJob:
    """Queue the import of a stored file, or continue one that failed.

    Raises NotOpen if it was confirmed before, and jobs.AlreadyOpen while any import is open.
    """
    is_open = Q(confirmed_at=None) | Q(job__state=JobState.FAILED)
    waiting = OrderImport.objects.filter(is_open, pk=import_id, is_done=False)
    with transaction.atomic():
        # One import at a time: a second click waits here for the first.
        job = jobs.start(kind=JobKind.IMPORT, actor=actor, now=now)
        if not waiting.update(confirmed_at=now, job=job):
            raise NotOpen
    return job

"""The watchdog's queries to the database and the queue."""

from __future__ import annotations

import logging

from django.db import DatabaseError, OperationalError, connection
from django.db.models import Max

from coc_admin.processes.watchdog import Progress, Watchdog
from reconciliation.models import Batch
from reconciliation.queue import broker, enqueue, heartbeats

log = logging.getLogger(__name__)


def read() -> Progress:
    """Return the marks that move while a worker works: its beat, and batches of the active run."""
    work = Batch.objects.filter(run__is_active=True).aggregate(
        started=Max("started_at"), finished=Max("finished_at")
    )
    return Progress(
        beat_at=heartbeats.last_beat(heartbeats.WORKER), work=tuple(sorted(work.items()))
    )


def nudge() -> None:
    """Queue a beat.

    A SQLite that somebody keeps locked for as long as writing waits is no excuse: it may be the
    worker, halted in the middle of a transaction, and then nobody can write until it is replaced.
    """
    try:
        enqueue.soon("beat")
    except OperationalError as error:
        if not _is_locked(error):
            raise
        log.warning("No beat can be queued for the worker: somebody keeps the database locked.")


def _is_locked(error: OperationalError) -> bool:
    return str(getattr(error.__cause__, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def is_wedged(watchdog: Watchdog) -> bool:
    """Ask the watchdog; an unreachable database or broker proves nothing about the worker."""
    try:
        return watchdog.check()
    except broker.errors(DatabaseError) as error:
        log.warning("The watchdog cannot look at the worker now: %s", type(error).__name__)
        watchdog.excuse()
        return False
    finally:
        # The next look asks first whether the server is still there: it may have been restarted.
        connection.close_if_unusable_or_obsolete()

"""The watchdog's queries on the database and the queue."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, OperationalError, connection
from django.db.models import F, QuerySet

from coc_admin.processes.watchdog import Progress, Watchdog
from orders.standing_queries import Look
from reconciliation.models import Batch
from reconciliation.queue import broker, enqueue, heartbeats

log = logging.getLogger(__name__)


def read() -> Progress:
    """Return the marks of a working worker: its beat, and batches of the active run."""
    seen = _look()
    return Progress(beat_at=seen["beat"], work=(seen["started"], seen["finished"]))


def _questions() -> dict[str, QuerySet[Any]]:
    batches = Batch.objects.filter(run__is_active=True)
    return {
        "beat": heartbeats.of(heartbeats.WORKER).values_list("beat_at"),
        **{
            name: batches.order_by(F(f"{name}_at").desc(nulls_last=True)).values_list(f"{name}_at")
            for name in ("started", "finished")
        },
    }


_look = Look(_questions)


def nudge() -> None:
    """Queue a beat.

    A database locked for the whole write timeout is no excuse on SQLite: the lock may belong to the
    worker, halted in a transaction, and nobody can write until it is replaced.
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
        # The next check first asks whether the server is still there: it may have been restarted.
        connection.close_if_unusable_or_obsolete()

"""What the watchdog asks the database and the queue."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection
from django.db.models import Max
from redis.exceptions import RedisError

from coc_admin.supervisor.watchdog import Progress, Watchdog
from reconciliation import heartbeats, wake
from reconciliation.models import Batch

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
    """Queue a beat."""
    wake.soon("beat")


def is_wedged(watchdog: Watchdog) -> bool:
    """Ask the watchdog; a database or a broker that is away says nothing about the worker."""
    try:
        return watchdog.check()
    except (DatabaseError, RedisError, OSError) as error:
        log.warning("The watchdog cannot look at the worker now: %s", type(error).__name__)
        watchdog.excuse()
        return False
    finally:
        # The next look is seconds away, and a server that was restarted meanwhile would be missed.
        connection.close()

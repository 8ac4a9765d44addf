"""Wake-ups for the queue. A lost task costs time and nothing else: the sweep finds the work.

With the queue in our database an enqueue is part of the transaction; with Redis it waits for the
commit, or a worker could look before the rows are there.
"""

from __future__ import annotations

import logging
from functools import partial

from django.conf import settings
from django.db import transaction
from django_q.models import OrmQ
from django_q.tasks import async_task

from reconciliation.models import Channel
from reconciliation.queue import broker

logger = logging.getLogger(__name__)


def soon(name: str, *ids: int, seconds: int | None = None) -> None:
    """Ask a worker to run `reconciliation.tasks.<name>` with these ids.

    `seconds` limits the task instead of the queue's own limit.
    """
    if settings.COC_BROKER == "orm":
        _enqueue(name, ids, seconds)
    else:
        transaction.on_commit(partial(_enqueue, name, ids, seconds))


def deliver_alerts() -> bool:
    """Ask a worker to send alerts; False if there is no channel."""
    if not Channel.objects.filter(enabled=True).exists():
        return False
    soon("deliver_alerts")
    return True


def queued() -> int:
    """Return how many tasks wait in the database's queue; 0 with another broker."""
    return OrmQ.objects.count() if settings.COC_BROKER == "orm" else 0


def _enqueue(name: str, ids: tuple[int, ...], seconds: int | None) -> None:
    limit = {} if seconds is None else {"timeout": seconds}
    try:
        async_task(f"reconciliation.tasks.{name}", *ids, task_name=name, **limit)
    except broker.errors():
        # The broker is away. What was to be woken is in our rows; the sweep finds it.
        logger.warning("The queue cannot be reached; %s waits for the sweep.", name)

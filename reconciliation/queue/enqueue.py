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


def soon(name: str, *ids: int) -> None:
    """Ask a worker to run `reconciliation.tasks.<name>` with these ids."""
    if settings.COC_BROKER == "orm":
        _enqueue(name, ids)
    else:
        transaction.on_commit(partial(_enqueue, name, ids))


def deliver_alerts() -> bool:
    """Ask a worker to tell people outside; False if there is no channel to tell them over."""
    if not Channel.objects.filter(enabled=True).exists():
        return False
    soon("deliver_alerts")
    return True


def queued() -> int:
    """Return how many tasks wait in the database's queue; 0 with another broker."""
    return OrmQ.objects.count() if settings.COC_BROKER == "orm" else 0


def _enqueue(name: str, ids: tuple[int, ...]) -> None:
    try:
        async_task(f"reconciliation.tasks.{name}", *ids, task_name=name)
    except broker.errors():
        # The broker is away. What was to be woken is in our rows; the sweep finds it.
        logger.warning("The queue cannot be reached; %s waits for the sweep.", name)

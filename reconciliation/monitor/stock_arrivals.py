"""Starting a run when stock has arrived for orders that keep a place in the queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from orders import promises
from orders.actors import job
from orders.models import Order, Promise
from reconciliation import connection
from reconciliation.models import ConnectionState, Run, Scope, Trigger
from reconciliation.reasons import say
from reconciliation.runs.lifecycle import RunRefused, start_run

MONITOR = job("monitor")
# After a run that left something waiting, a moment for what made it wait.
BETWEEN_RUNS = timedelta(seconds=5)
# How long after such a run new orders may be left that queued behind its orders.
LATECOMERS = timedelta(minutes=2)
# Kept small: the ids go into the run's row.
MOST = 500


def start_if_due(now: datetime) -> Run | None:
    """Start a run if OCI's figures show units that promised orders want; or None.

    New orders that queued behind promises are taken with these. Those that queued just when the run
    ended get one of their own, or they would wait for the next retry cycle.
    """
    # Asked each second; mostly there is neither, and the question after arrivals is a long one.
    has_promises, has_latecomers = Promise.objects.exists(), _has_latecomers(now)
    if not has_promises and not has_latecomers:
        return None
    if connection.current().state != ConnectionState.ONLINE:
        return None
    found = []
    if has_promises:
        found = list(promises.arrived(now).select_related("order", "record")[:MOST])
    if not found and not has_latecomers:
        return None
    if Run.objects.filter(is_active=True).exists():
        return None
    ids = sorted({row.order_id for row in found})
    try:
        with transaction.atomic():
            run = start_run(
                trigger=Trigger.STOCK,
                actor=MONITOR,
                reason=say("stock_for_promises"),
                scope=Scope.PROMISES,
                scope_data={"orders": ids},
                now=now,
            )
            promises.note_asked(found, actor=MONITOR, now=now)
    except RunRefused:
        # Another one started it first, or nothing is left to do.
        return None
    return run


def ended_since(moment: Any) -> QuerySet[Run]:
    """Return the runs for arriving stock that ended at `moment`, or an expression, or later."""
    return Run.objects.filter(trigger=Trigger.STOCK, finished_at__gte=moment)


def _has_latecomers(now: datetime) -> bool:
    runs = Run.objects.filter(trigger=Trigger.STOCK).order_by("-id")
    created_at, finished_at = runs.values_list("created_at", "finished_at").first() or (now, None)
    if finished_at is None:
        return False
    if not finished_at + BETWEEN_RUNS <= now <= finished_at + LATECOMERS:
        return False
    return Order.objects.waiting().filter(captured_at__gte=created_at).exists()

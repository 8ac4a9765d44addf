"""Finding work that nobody does: what makes lost, late and double tasks harmless."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from orders import outcomes
from orders.actors import job
from orders.models import Order, OrderEvent
from reconciliation import connection, releases, runs, wake
from reconciliation.models import BatchState, ReportDay, Run, Trigger

SWEEP = job("sweep")


def sweep(*, clock: Callable[[], datetime]) -> list[str]:
    """Wake what is due and unattended; return the names of what was woken or done, for the log."""
    now = clock()
    found = []
    if outcomes.adopt_abandoned(actor=SWEEP, now=now):
        found.append("adopted abandoned orders")
    found.extend(_wake_run(now))
    if releases.something_to_undo():
        wake.soon("finish_cancellations")
        found.append("cancellations")
    if OrderEvent.objects.filter(projected=False).exists():
        wake.soon("project_reports")
        found.append("reports")
    elif ReportDay.objects.filter(needs_merge=True).exists():
        wake.soon("merge_reports")
        found.append("merge")
    return found


def _wake_run(now: datetime) -> list[str]:
    run = runs.active_run()
    if run is not None:
        worked_on = run.batches.filter(state=BatchState.RUNNING, leased_until__gt=now).exists()
        fresh = now - run.created_at < timedelta(seconds=5)
        if worked_on or fresh:
            return []
        wake.soon("work_run", run.pk)
        return [f"run {run.pk}"]
    if not _retry_is_due(now):
        return []
    try:
        run = runs.start_run(
            trigger=Trigger.SCHEDULE,
            actor=SWEEP,
            reason="Orders wait for their reservation.",
            now=now,
        )
    except runs.RunRefused:
        return []
    return [f"started run {run.pk}"]


def _retry_is_due(now: datetime) -> bool:
    if not connection.may_call(connection.current()) or not Order.objects.waiting().exists():
        return False
    pause = timedelta(minutes=settings.COC_RETRY_MINUTES)
    return not Run.objects.filter(finished_at__gt=now - pause).exists()

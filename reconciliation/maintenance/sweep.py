"""Find abandoned work, which makes lost, late and duplicate tasks harmless."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection as database
from django.db.models import Exists, OuterRef, Q, QuerySet

from orders import handover, open_remedies, outcomes, promises
from orders import lifecycle as order_lifecycle
from orders.actors import job
from orders.lifecycle import Action
from orders.models import Order, OrderEvent
from orders.search import index
from orders.standing_queries import Look
from reconciliation import connection, remedies
from reconciliation.decisions import bulk_sending, single_sending
from reconciliation.maintenance import jobs, nightly_audit, order_imports, retention
from reconciliation.models import (
    BatchState,
    DocumentState,
    ReportDay,
    ReservationDocument,
    Run,
    Scope,
    Trigger,
)
from reconciliation.models.attempts import OF_REMEDIES
from reconciliation.queue import enqueue, intervals
from reconciliation.reasons import say
from reconciliation.reservation import release
from reconciliation.runs import lifecycle

SWEEP = job("sweep")
# Small, because the run's row stores the ids.
_MOST_HALF_RERUN = 500


def sweep(*, clock: Callable[[], datetime]) -> list[str]:
    """Wake due and abandoned work; return the names of woken or finished work, for the log."""
    now = clock()
    found = []
    if outcomes.resume_abandoned(actor=SWEEP, now=now):
        found.append("resumed abandoned orders")
    if handover.hand_over_due(actor=SWEEP, now=now):
        found.append("handed over short orders")
    if open_remedies.correct():
        found.append("marks of open remedies")
    if promises.tidy(now=now):
        found.append("places in the queue")
    index.tidy(database)
    found.extend(_wake_run(now))
    if release.something_to_undo():
        enqueue.soon("finish_cancellations")
        found.append("cancellations")
    if remedies.has_open_replacements():
        enqueue.soon("finish_replacements")
        found.append("replacements")
    if remedies.has_open_adjustments():
        enqueue.soon("finish_adjustments")
        found.append("adjustments")
    if bulk_sending.has_due(now=now) or single_sending.has_left(now=now):
        enqueue.soon("send_bulk_letters")
        found.append("messages to customers")
    if OrderEvent.objects.filter(projected=False).exists():
        enqueue.soon("project_reports")
        found.append("reports")
    elif ReportDay.objects.filter(needs_merge=True).exists():
        enqueue.soon("merge_reports")
        found.append("merge")
    if retention.is_due(now):
        enqueue.soon("retain")
        found.append("retention")
    if nightly_audit.start_if_due(now):
        found.append("audit")
    found.extend(jobs.tend(now))
    if order_imports.forget(now):
        found.append("old order files")
    if enqueue.deliver_alerts():
        found.append("deliveries")
    return found


def _wake_run(now: datetime) -> list[str]:
    run = lifecycle.active_run()
    if run is not None:
        worked_on = run.batches.filter(state=BatchState.RUNNING, leased_until__gt=now).exists()
        fresh = now - run.created_at < timedelta(seconds=5)
        if worked_on or fresh:
            return []
        enqueue.soon("work_run", run.pk)
        return [f"run {run.pk}"]
    run = retry_if_due(now)
    return [f"started run {run.pk}"] if run else []


def retry_if_due(now: datetime) -> Run | None:
    """Start the next retry cycle if it is due and orders wait; return the run, or None.

    The monitor calls this once a second, so a cycle may be a few seconds long; so does the sweep,
    in case no monitor runs.
    """
    if not _what_waits()["order"] and not _what_is_half_done()["order"]:
        return None
    if lifecycle.active_run() is not None or not _retry_is_due(now):
        return None
    scope, data = _what_to_retry()
    try:
        return lifecycle.start_run(
            trigger=Trigger.SCHEDULE,
            actor=SWEEP,
            reason=say("orders_wait"),
            scope=scope,
            scope_data=data,
            now=now,
        )
    except lifecycle.RunRefused:
        return None


# Usually nothing waits, so the cheaper query comes first.
_what_waits = Look(lambda: {"order": Order.objects.waiting()})
_what_is_half_done = Look(lambda: {"order": _half_rerun()})


def _retry_is_due(now: datetime) -> bool:
    if not connection.is_usable(connection.current(), now=now, patience=0):
        return False
    pause = intervals.interval_of(intervals.RETRY).length
    return not Run.objects.filter(finished_at__gt=now - pause).exists()


def _what_to_retry() -> tuple[Scope, dict[str, list[int]]]:
    half_rerun = list(_half_rerun().values_list("pk", flat=True)[:_MOST_HALF_RERUN])
    if not half_rerun or Order.objects.waiting().exists():
        return Scope.MISSING, {}
    return Scope.ORDERS, {"orders": half_rerun}


def _half_rerun() -> QuerySet[Order]:
    """Return short orders for which OCI may hold uncounted units.

    A run requested their shortfall and ended before the answer was known or counted.
    """
    uncounted = ReservationDocument.objects.filter(
        Q(state=DocumentState.ANSWERED) | Q(state=DocumentState.PREPARED, sends__gt=0),
        ~Q(purpose__in=OF_REMEDIES),
        order=OuterRef("pk"),
    )
    short = Order.objects.filter(order_lifecycle.open_to(Action.RESERVE_AGAIN), Exists(uncounted))
    return short.order_by("captured_at", "id")

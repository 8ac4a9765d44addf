"""When each alert is true, and its data: it follows from rows, and nothing is remembered."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Min
from django.utils import timezone

from orders.models import Order, OrderEvent
from reconciliation.alerts.channels import failures
from reconciliation.alerts.lifecycle import resolve_alert, resolve_others
from reconciliation.alerts.text import raise_said, waiting_data
from reconciliation.models import (
    ConnectionState,
    Descriptor,
    OfflineCause,
    Priority,
    ReportDay,
    RunState,
)
from reconciliation.queue import heartbeats, intervals
from reconciliation.reports.missing_orders import still_vanished
from reconciliation.runs.status import LastRun, Status, open_shortages, summary

WORKER_SILENT = timedelta(seconds=90)  # with the quickest sweep
# How long after a sweep that should have come a worker counts as silent.
SWEEP_LATE = timedelta(seconds=30)
MONITOR_SILENT = timedelta(seconds=10)
REPORTS_BEHIND = timedelta(minutes=2)
# Runs with open shortages that get an alert of their own; older ones are on the oversold desk.
MOST_SHORTAGES = 20
# Days with vanished orders that get an alert of their own, and orders that each of them names;
# coc_check names all.
MOST_DAYS_OF_VANISHED = 20
MOST_NAMED = 10

# Silence is counted from here at the earliest: when everything starts at once after a night, the
# others' last beats are old although nothing is wrong.
PROCESS_STARTED = timezone.now()


def is_worker_silent(quiet: timedelta) -> bool:
    """Whether a worker that has not beaten for so long is silent: the sweep makes it beat."""
    if quiet <= WORKER_SILENT:
        return False
    return quiet > intervals.interval_of(intervals.SWEEP).length + SWEEP_LATE


def refresh_alerts(now: datetime, *, watching_since: datetime = PROCESS_STARTED) -> None:
    """Make every alert true to the database; may run anywhere, at any time, twice at once."""
    status = summary()
    _offline(status, now)
    _configuration_fault(status, now)
    _running(status.last_run, now)
    _finished(status.last_run, now)
    _still_offline(status, now)
    _shortages(now)
    _needs_review(status, now)
    _report_failure(now)
    _vanished_orders(now)
    failures.refresh(now)
    refresh_silence_alerts(now, watching_since=watching_since)


def refresh_silence_alerts(now: datetime, *, watching_since: datetime = PROCESS_STARTED) -> None:
    """Raise or resolve the alerts about silent components; four small queries.

    Call it from processes that would notice: the home page, the worker, the monitor.
    """
    worker = heartbeats.last_beat(heartbeats.WORKER)
    monitor = heartbeats.last_beat(heartbeats.MONITOR)
    # One that has never beaten is missed as soon as the other works.
    expected = worker is not None or monitor is not None
    worker_quiet = max(worker or watching_since, watching_since)
    if expected and is_worker_silent(now - worker_quiet):
        raise_said(
            descriptor=Descriptor.SILENT_WORKER,
            priority=Priority.ACTION,
            link="/",
            data={},
            now=now,
            since=worker,
        )
    else:
        resolve_alert(descriptor=Descriptor.SILENT_WORKER, now=now)
    monitor_quiet = max(monitor or watching_since, watching_since)
    if expected and now - monitor_quiet > MONITOR_SILENT:
        raise_said(
            descriptor=Descriptor.SILENT_MONITOR,
            priority=Priority.ACTION,
            link="/",
            data={},
            now=now,
            since=monitor,
        )
    else:
        resolve_alert(descriptor=Descriptor.SILENT_MONITOR, now=now)


def _offline(status: Status, now: datetime) -> None:
    if status.connection not in (ConnectionState.OFFLINE, ConnectionState.FORCED_OFFLINE):
        resolve_alert(descriptor=Descriptor.OCI_OFFLINE, now=now)
        return
    since = status.offline_since or status.since
    credentials = status.cause == OfflineCause.CONFIGURATION
    why, by, reason = "no_answer", "", ""
    if status.connection == ConnectionState.FORCED_OFFLINE:
        why, by, reason = "forced", status.forced_by, status.reason
    elif credentials:
        why = "credentials"
    elif status.cause == OfflineCause.FORCED:
        why = "released"
    raise_said(
        descriptor=Descriptor.OCI_OFFLINE,
        priority=Priority.ACTION if credentials else Priority.WARN,
        link="/",
        data={"why": why, "by": by, "reason": reason, **waiting_data(status.waiting)},
        now=now,
        since=since,
    )


def _configuration_fault(status: Status, now: datetime) -> None:
    if (status.connection, status.cause) != (
        ConnectionState.OFFLINE,
        OfflineCause.CONFIGURATION,
    ):
        resolve_alert(descriptor=Descriptor.CONFIGURATION_FAULT, now=now)
        return
    raise_said(
        descriptor=Descriptor.CONFIGURATION_FAULT,
        priority=Priority.ACTION,
        link="/",
        data={},
        now=now,
        since=status.since,
    )


def _running(last: LastRun | None, now: datetime) -> None:
    if last is None or not last.run.is_active:
        resolve_alert(descriptor=Descriptor.RECONCILIATION_RUNNING, now=now)
        return
    run = last.run
    raise_said(
        descriptor=Descriptor.RECONCILIATION_RUNNING,
        priority=Priority.INFO,
        link=_run_link(run.pk),
        data={"run": run.pk, "done": last.done, "total": last.total},
        now=now,
        since=run.created_at,
    )


def _finished(last: LastRun | None, now: datetime) -> None:
    if last is None or last.run.state != RunState.COMPLETED:
        resolve_alert(descriptor=Descriptor.RECONCILIATION_FINISHED, now=now)
        return
    run = last.run
    raise_said(
        descriptor=Descriptor.RECONCILIATION_FINISHED,
        priority=Priority.INFO,
        link=_run_link(run.pk),
        data={"run": run.pk, **{str(state): n for state, n in last.counts.items()}},
        now=now,
        since=run.finished_at or now,
    )


def _still_offline(status: Status, now: datetime) -> None:
    last = status.last_run
    if last is None or last.run.state != RunState.OCI_OFFLINE or not status.waiting.orders:
        resolve_alert(descriptor=Descriptor.STILL_OFFLINE, now=now)
        return
    run = last.run
    raise_said(
        descriptor=Descriptor.STILL_OFFLINE,
        priority=Priority.WARN,
        link=_run_link(run.pk),
        data={"run": run.pk, **waiting_data(status.waiting)},
        now=now,
        since=run.finished_at or now,
    )


def _shortages(now: datetime) -> None:
    """One alert per run that left orders short, until none of them is open any more."""
    open_by_run = (
        open_shortages(Order.objects.all())
        .order_by("-run")
        .values("run", "run__finished_at")
        .annotate(number=Count("pk"))[:MOST_SHORTAGES]
    )
    contexts = []
    for row in open_by_run:
        contexts.append(f"run:{row['run']}")
        raise_said(
            descriptor=Descriptor.RECONCILIATION_SHORTAGES,
            context=contexts[-1],
            priority=Priority.ACTION,
            link="/desk/",
            data={"run": row["run"], "orders": row["number"]},
            now=now,
            since=row["run__finished_at"] or now,
        )
    resolve_others(descriptor=Descriptor.RECONCILIATION_SHORTAGES, keep=contexts, now=now)


def _needs_review(status: Status, now: datetime) -> None:
    if not status.review:
        resolve_alert(descriptor=Descriptor.NEEDS_REVIEW, now=now)
        return
    oldest = Order.objects.needing_review().order_by().aggregate(at=Min("needs_review_since"))["at"]
    raise_said(
        descriptor=Descriptor.NEEDS_REVIEW,
        priority=Priority.ACTION,
        link="/orders/?state=review",
        data={"orders": status.review},
        now=now,
        since=oldest or now,
    )


def _report_failure(now: datetime) -> None:
    contexts = []
    failed = ReportDay.objects.exclude(last_error="").order_by("date", "site_id", "report_type")
    number = failed.count()
    first = failed.first()
    if first is not None:
        contexts.append("")
        raise_said(
            descriptor=Descriptor.REPORT_FAILURE,
            priority=Priority.ACTION,
            link="/",
            data={
                "reports": number,
                "date": f"{first.date:%Y-%m-%d}",
                "kind": first.report_type,
                "site": first.site_id,
                "error": first.last_error,
            },
            now=now,
            since=None,
        )
    behind = OrderEvent.objects.filter(projected=False).order_by("id").first()
    if behind is not None and now - behind.at > REPORTS_BEHIND:
        contexts.append("behind")
        raise_said(
            descriptor=Descriptor.REPORT_FAILURE,
            context="behind",
            priority=Priority.ACTION,
            link="/",
            data={},
            now=now,
            since=behind.at,
        )
    resolve_others(descriptor=Descriptor.REPORT_FAILURE, keep=contexts, now=now)


def _vanished_orders(now: datetime) -> None:
    """One alert per site and day, until each order exists again or was given up."""
    contexts = []
    of_day = (
        still_vanished()
        .values("site_id", "date")
        .annotate(number=Count("pk"), first=Min("found_at"))
    )
    for row in of_day.order_by("-date", "site_id")[:MOST_DAYS_OF_VANISHED]:
        day = f"{row['date']:%Y-%m-%d}"
        contexts.append(f"{row['site_id']}:{day}")
        orders = still_vanished().filter(site_id=row["site_id"], date=row["date"])
        raise_said(
            descriptor=Descriptor.VANISHED_ORDERS,
            context=contexts[-1],
            priority=Priority.ACTION,
            link=f"/reports/?{urlencode({'site': row['site_id'], 'date': day})}",
            data={
                "site": row["site_id"],
                "date": day,
                "orders": row["number"],
                "order_nos": list(orders.values_list("order_no", flat=True)[:MOST_NAMED]),
            },
            now=now,
            since=row["first"],
        )
    resolve_others(descriptor=Descriptor.VANISHED_ORDERS, keep=contexts, now=now)


def _run_link(run_id: int) -> str:
    return f"/runs/{run_id}/"

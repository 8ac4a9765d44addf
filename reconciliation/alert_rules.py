"""When each alert is true, and what it says: it follows from rows, and nothing is remembered."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Exists, Min, OuterRef
from django.utils import timezone

from orders.models import Order, OrderEvent
from reconciliation import heartbeats
from reconciliation.alert_words import at_stake, moment, orders, outcomes
from reconciliation.alerts import raise_alert, resolve_alert, resolve_others
from reconciliation.models import (
    ConnectionState,
    Descriptor,
    EntryState,
    OfflineCause,
    Priority,
    ReportDay,
    RunEntry,
    RunState,
)
from reconciliation.status import LastRun, Status, Waiting, summary

WORKER_SILENT = timedelta(seconds=90)
MONITOR_SILENT = timedelta(seconds=10)
REPORTS_BEHIND = timedelta(minutes=2)
# Runs with open shortages that get an alert of their own; older ones are on the oversold desk.
MOST_SHORTAGES = 20

# Silence is counted from here at the earliest: when everything starts at once after a night, the
# others' last beats are old although nothing is wrong.
PROCESS_STARTED = timezone.now()


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
    if expected and now - worker_quiet > WORKER_SILENT:
        raise_alert(
            descriptor=Descriptor.SILENT_WORKER,
            priority=Priority.ACTION,
            message=f"No worker has reported {_since_or_ever(worker)}. Orders are captured, but"
            " none is reconciled and no report is written.",
            remedy="Start the worker (manage.py qcluster), or stop it and start it again.",
            link="/",
            now=now,
            since=worker,
        )
    else:
        resolve_alert(descriptor=Descriptor.SILENT_WORKER, now=now)
    monitor_quiet = max(monitor or watching_since, watching_since)
    if expected and now - monitor_quiet > MONITOR_SILENT:
        raise_alert(
            descriptor=Descriptor.SILENT_MONITOR,
            priority=Priority.ACTION,
            message=f"No monitor has reported {_since_or_ever(monitor)}. Loss and return of the"
            " inventory service are noticed late, and reconciliation does not start by itself.",
            remedy="Start the monitor (manage.py watch_oci), or stop it and start it again.",
            link="/",
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
    what, remedy = "OCI does not answer", _BY_ITSELF
    if status.connection == ConnectionState.FORCED_OFFLINE:
        what = f"{status.forced_by} took it offline ({status.reason})"
        remedy = "Release the connection when OCI may be used again."
    elif credentials:
        what, remedy = "OCI refuses our credentials", _CREDENTIALS
    elif status.cause == OfflineCause.FORCED:
        what = "it was forced offline and released, and OCI is being checked"
    raise_alert(
        descriptor=Descriptor.OCI_OFFLINE,
        priority=Priority.ACTION if credentials else Priority.WARN,
        message=f"Inventory service offline since {moment(since)}: {what}."
        f" {at_stake(status.waiting)}",
        remedy=remedy,
        link="/",
        data=_waiting_data(status.waiting),
        now=now,
        since=since,
    )


_BY_ITSELF = (
    "Nothing to do: orders are captured, and reconciliation starts by itself when OCI is back."
)
_CREDENTIALS = (
    "Check COC_OCI_CLIENT_ID, COC_OCI_CLIENT_SECRET, COC_OCI_SCOPE and COC_OCI_TENANT_GROUP_ID,"
    " then start the processes again."
)


def _configuration_fault(status: Status, now: datetime) -> None:
    if (status.connection, status.cause) != (
        ConnectionState.OFFLINE,
        OfflineCause.CONFIGURATION,
    ):
        resolve_alert(descriptor=Descriptor.CONFIGURATION_FAULT, now=now)
        return
    raise_alert(
        descriptor=Descriptor.CONFIGURATION_FAULT,
        priority=Priority.ACTION,
        message=f"OCI has refused our credentials since {moment(status.since)}. Orders are captured"
        " offline until this is put right.",
        remedy=_CREDENTIALS,
        link="/",
        now=now,
        since=status.since,
    )


def _running(last: LastRun | None, now: datetime) -> None:
    if last is None or not last.run.is_active:
        resolve_alert(descriptor=Descriptor.RECONCILIATION_RUNNING, now=now)
        return
    run = last.run
    percent = 100 * last.done // last.total if last.total else 0
    raise_alert(
        descriptor=Descriptor.RECONCILIATION_RUNNING,
        priority=Priority.INFO,
        message=f"Reconciliation {run.pk} has been running since {moment(run.created_at)}:"
        f" {last.done:,} of {orders(last.total)} done ({percent} %).",
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
    raise_alert(
        descriptor=Descriptor.RECONCILIATION_FINISHED,
        priority=Priority.INFO,
        message=f"Reconciliation {run.pk} finished at {moment(run.finished_at or now)}:"
        f" {outcomes(last.counts)}.",
        link=_run_link(run.pk),
        data={"run": run.pk, **{str(state): n for state, n in last.counts.items()}},
        now=now,
        since=run.finished_at,
    )


def _still_offline(status: Status, now: datetime) -> None:
    last = status.last_run
    if last is None or last.run.state != RunState.OCI_OFFLINE or not status.waiting.orders:
        resolve_alert(descriptor=Descriptor.STILL_OFFLINE, now=now)
        return
    run = last.run
    raise_alert(
        descriptor=Descriptor.STILL_OFFLINE,
        priority=Priority.WARN,
        message=f"Reconciliation {run.pk} ended at {moment(run.finished_at or now)} because"
        f" Omnichannel Inventory remains offline. {at_stake(status.waiting)}",
        remedy="Nothing to do: what waits is tried again in the next cycle.",
        link=_run_link(run.pk),
        data={"run": run.pk, **_waiting_data(status.waiting)},
        now=now,
        since=run.finished_at,
    )


def _shortages(now: datetime) -> None:
    """One alert per run that left orders short, until none of them is open any more.

    An order that a later run left short again belongs to the later run.
    """
    short = RunEntry.objects.filter(state__in=[EntryState.PARTIAL, EntryState.NOTHING])
    later = short.filter(order=OuterRef("order"), run__gt=OuterRef("run"))
    open_by_run = (
        short.filter(run__is_active=False, order__in=Order.objects.oversold().order_by())
        .exclude(Exists(later))
        .order_by("-run")
        .values("run", "run__finished_at")
        .annotate(number=Count("pk"))[:MOST_SHORTAGES]
    )
    contexts = []
    for row in open_by_run:
        contexts.append(f"run:{row['run']}")
        raise_alert(
            descriptor=Descriptor.RECONCILIATION_SHORTAGES,
            context=contexts[-1],
            priority=Priority.ACTION,
            message=f"Reconciliation {row['run']} finished at"
            f" {moment(row['run__finished_at'] or now)} with shortages:"
            f" {orders(row['number'])} could not be reserved in full and"
            f" {'waits' if row['number'] == 1 else 'wait'} for a decision.",
            remedy="Cancel, replace or reserve each of them again on the oversold desk.",
            link="/orders/?state=oversold",
            data={"run": row["run"], "orders": row["number"]},
            now=now,
            since=row["run__finished_at"],
        )
    resolve_others(descriptor=Descriptor.RECONCILIATION_SHORTAGES, keep=contexts, now=now)


def _needs_review(status: Status, now: datetime) -> None:
    if not status.review:
        resolve_alert(descriptor=Descriptor.NEEDS_REVIEW, now=now)
        return
    oldest = Order.objects.needing_review().order_by().aggregate(at=Min("needs_review_since"))["at"]
    raise_alert(
        descriptor=Descriptor.NEEDS_REVIEW,
        priority=Priority.ACTION,
        message=f"{orders(status.review).capitalize()} cannot go on without a person;"
        f" the first since {moment(oldest or now)}. They are not tried again by themselves.",
        remedy="Open each order, read why it stopped, and end its review or cancel it.",
        link="/orders/?state=review",
        data={"orders": status.review},
        now=now,
        since=oldest,
    )


def _report_failure(now: datetime) -> None:
    contexts = []
    failed = ReportDay.objects.exclude(last_error="").order_by("date", "site_id", "report_type")
    number = failed.count()
    first = failed.first()
    if first is not None:
        contexts.append("")
        raise_alert(
            descriptor=Descriptor.REPORT_FAILURE,
            priority=Priority.ACTION,
            message=f"{number:,} daily report{'s' if number != 1 else ''} could not be written; the"
            f" first is {first.date:%Y-%m-%d} {first.report_type} of {first.site_id}:"
            f" {first.last_error}",
            remedy="See that COC_IMPEX_DIR is there, writable and not full; writing goes on then.",
            link="/",
            data={"reports": number},
            now=now,
        )
    behind = OrderEvent.objects.filter(projected=False).order_by("id").first()
    if behind is not None and now - behind.at > REPORTS_BEHIND:
        contexts.append("behind")
        raise_alert(
            descriptor=Descriptor.REPORT_FAILURE,
            context="behind",
            priority=Priority.ACTION,
            message=f"The reports are behind: what happened at {moment(behind.at)} is not in them.",
            remedy="See that the worker runs and that COC_IMPEX_DIR can be written.",
            link="/",
            now=now,
            since=behind.at,
        )
    resolve_others(descriptor=Descriptor.REPORT_FAILURE, keep=contexts, now=now)


def _waiting_data(waiting: Waiting) -> dict[str, object]:
    return {
        "orders": waiting.orders,
        "units": str(waiting.units),
        "value": {code: str(amount) for code, amount in waiting.value.items()},
    }


def _since_or_ever(at: datetime | None) -> str:
    return "yet" if at is None else f"since {moment(at)}"


def _run_link(run_id: int) -> str:
    return f"/runs/{run_id}/"

"""Scheduled tasks: their last run, next run, and whether they are late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Max

from orders.models import Order
from reconciliation import connection
from reconciliation.alerts.rules.silent_monitor import MONITOR_SILENT
from reconciliation.maintenance import jobs, nightly_audit, retention, schedules
from reconciliation.maintenance.schedules import Fault
from reconciliation.models import JobKind, ReportDay, Run, Trigger
from reconciliation.queue import heartbeats, intervals
from reconciliation.queue.intervals import Interval

# The queue polls twice a minute, and due work may wait for the next sweep.
_GRACE = timedelta(minutes=2)


class Standing(StrEnum):
    """The state of a scheduled task."""

    GOOD = ""
    LATE = "late"
    BROKEN = "broken"  # its schedule differs from the code
    PAUSED = "paused"
    IDLE = "idle"  # there is nothing to do
    RUNNING = "running"
    AWAY = "away"  # waiting for the connection
    OFF = "off"  # switched off by the environment


@dataclass(frozen=True, slots=True)
class Entry:
    """One scheduled task; `next_at` is None if unknown."""

    interval: Interval
    last_at: datetime | None
    next_at: datetime | None = None
    standing: Standing = Standing.GOOD


def schedule_status(now: datetime) -> list[Entry]:
    """Return the scheduled tasks, most important first."""
    found = intervals.all_intervals()
    grace = _GRACE + 2 * found[intervals.SWEEP].length
    return [_ENTRIES[name](found[name], now, grace) for name in _ENTRIES]


def _due(interval: Interval, last: datetime | None, at: datetime, *, late: bool) -> Entry:
    return Entry(interval, last, at, Standing.LATE if late else Standing.GOOD)


def _retry(interval: Interval, now: datetime, grace: timedelta) -> Entry:
    # Only one run is open at a time, so the latest key is the latest run.
    runs = Run.objects.order_by("-pk")
    scheduled = runs.filter(trigger=Trigger.SCHEDULE)
    last = scheduled.values_list("created_at", flat=True).first()
    if Run.objects.filter(is_active=True).exists():
        return Entry(interval, last, standing=Standing.RUNNING)
    if not Order.objects.waiting().exists():
        return Entry(interval, last, standing=Standing.IDLE)
    if not connection.may_call(connection.current()):
        return Entry(interval, last, standing=Standing.AWAY)
    ended = runs.exclude(finished_at=None).values_list("finished_at", flat=True).first()
    at = now if ended is None else ended + interval.length
    return _due(interval, last, max(at, now), late=at < now - grace)


def _sweep(interval: Interval, now: datetime, grace: timedelta) -> Entry:
    [state] = [one for one in schedules.states(now) if one.is_own and one.name == intervals.SWEEP]
    standing = {Fault.NONE: Standing.GOOD, Fault.LATE: Standing.LATE}
    return Entry(
        interval, interval.done_at, state.next_run, standing.get(state.fault, Standing.BROKEN)
    )


def _probe(interval: Interval, now: datetime, grace: timedelta) -> Entry:
    beat = heartbeats.last_beat(heartbeats.MONITOR)
    is_silent = beat is None or beat < now - MONITOR_SILENT
    standing = Standing.LATE if is_silent else Standing.GOOD
    return Entry(interval, connection.current().last_good_at, standing=standing)


def _merge(interval: Interval, now: datetime, grace: timedelta) -> Entry:
    last = ReportDay.objects.aggregate(at=Max("generated_at"))["at"]
    behind = ReportDay.objects.filter(needs_merge=True).order_by("generated_at")
    first = behind.values_list("generated_at", flat=True).first()
    if first is None:
        return Entry(interval, last, standing=Standing.IDLE)
    at = first + interval.length
    return _due(interval, last, max(at, now), late=at < now - grace)


def _retention(interval: Interval, now: datetime, grace: timedelta) -> Entry:
    if not retention.is_wanted():
        return Entry(interval, interval.done_at, standing=Standing.OFF)
    if interval.paused:
        return Entry(interval, interval.done_at, standing=Standing.PAUSED)
    at = retention.TURN.next_at() or now
    return _due(interval, interval.done_at, max(at, now), late=at < now - grace)


def _audit(interval: Interval, now: datetime, grace: timedelta) -> Entry:
    last = jobs.last_job(JobKind.AUDIT, done=True)
    last_at = last.finished_at if last else None
    if interval.at is None:
        return Entry(interval, last_at, standing=Standing.OFF)
    if interval.paused:
        return Entry(interval, last_at, standing=Standing.PAUSED)
    if jobs.open_job(JobKind.AUDIT):
        return Entry(interval, last_at, standing=Standing.RUNNING)
    at = nightly_audit.TURN.next_at() or now
    return _due(interval, last_at, max(at, now), late=at < now - grace)


_ENTRIES: dict[str, Callable[[Interval, datetime, timedelta], Entry]] = {
    intervals.RETRY: _retry,
    intervals.SWEEP: _sweep,
    intervals.PROBE: _probe,
    intervals.MERGE: _merge,
    intervals.RETENTION: _retention,
    intervals.AUDIT: _audit,
}

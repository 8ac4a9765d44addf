"""What runs by itself: when it did last, when it will, and whether it is late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Max

from orders.models import Order
from reconciliation import connection
from reconciliation.alerts.rules import MONITOR_SILENT
from reconciliation.maintenance import retention, schedules
from reconciliation.maintenance.schedules import Fault
from reconciliation.models import ReportDay, Run, Trigger
from reconciliation.queue import heartbeats, intervals
from reconciliation.queue.intervals import Pace

# The queue looks twice a minute, and what is due may have to wait for the next sweep.
_GRACE = timedelta(minutes=2)


class Standing(StrEnum):
    """How something that runs by itself stands."""

    GOOD = ""
    LATE = "late"
    BROKEN = "broken"  # its schedule is not as it must be
    PAUSED = "paused"
    IDLE = "idle"  # there is nothing to do
    RUNNING = "running"
    AWAY = "away"  # it waits for the connection
    OFF = "off"  # the environment asks for nothing


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that runs by itself; `next_at` is None where no moment can be told."""

    pace: Pace
    last_at: datetime | None
    next_at: datetime | None = None
    standing: Standing = Standing.GOOD


def timetable(now: datetime) -> list[Entry]:
    """Return what runs by itself, what people ask for most first."""
    paces = intervals.paces()
    grace = _GRACE + 2 * paces[intervals.SWEEP].interval
    return [_ENTRIES[name](paces[name], now, grace) for name in _ENTRIES]


def _due(pace: Pace, last: datetime | None, at: datetime, *, late: bool) -> Entry:
    return Entry(pace, last, at, Standing.LATE if late else Standing.GOOD)


def _retry(pace: Pace, now: datetime, grace: timedelta) -> Entry:
    # There is one run at a time, so that the latest key is the latest run.
    runs = Run.objects.order_by("-pk")
    scheduled = runs.filter(trigger=Trigger.SCHEDULE)
    last = scheduled.values_list("created_at", flat=True).first()
    if Run.objects.filter(is_active=True).exists():
        return Entry(pace, last, standing=Standing.RUNNING)
    if not Order.objects.waiting().exists():
        return Entry(pace, last, standing=Standing.IDLE)
    if not connection.may_call(connection.current()):
        return Entry(pace, last, standing=Standing.AWAY)
    ended = runs.exclude(finished_at=None).values_list("finished_at", flat=True).first()
    at = now if ended is None else ended + pace.interval
    return _due(pace, last, max(at, now), late=at < now - grace)


def _sweep(pace: Pace, now: datetime, grace: timedelta) -> Entry:
    [state] = [one for one in schedules.states(now) if one.is_own and one.name == intervals.SWEEP]
    standing = {Fault.NONE: Standing.GOOD, Fault.LATE: Standing.LATE}
    return Entry(pace, pace.done_at, state.next_run, standing.get(state.fault, Standing.BROKEN))


def _probe(pace: Pace, now: datetime, grace: timedelta) -> Entry:
    beat = heartbeats.last_beat(heartbeats.MONITOR)
    is_silent = beat is None or beat < now - MONITOR_SILENT
    standing = Standing.LATE if is_silent else Standing.GOOD
    return Entry(pace, connection.current().last_good_at, standing=standing)


def _merge(pace: Pace, now: datetime, grace: timedelta) -> Entry:
    last = ReportDay.objects.aggregate(at=Max("generated_at"))["at"]
    behind = ReportDay.objects.filter(needs_merge=True).order_by("generated_at")
    first = behind.values_list("generated_at", flat=True).first()
    if first is None:
        return Entry(pace, last, standing=Standing.IDLE)
    at = first + pace.interval
    return _due(pace, last, max(at, now), late=at < now - grace)


def _retention(pace: Pace, now: datetime, grace: timedelta) -> Entry:
    if not retention.is_wanted():
        return Entry(pace, pace.done_at, standing=Standing.OFF)
    if pace.paused:
        return Entry(pace, pace.done_at, standing=Standing.PAUSED)
    at = retention.next_at() or now
    return _due(pace, pace.done_at, max(at, now), late=at < now - grace)


_ENTRIES: dict[str, Callable[[Pace, datetime, timedelta], Entry]] = {
    intervals.RETRY: _retry,
    intervals.SWEEP: _sweep,
    intervals.PROBE: _probe,
    intervals.MERGE: _merge,
    intervals.RETENTION: _retention,
}

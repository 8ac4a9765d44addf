"""The daily audit with OCI: off until people choose a time for it."""

from __future__ import annotations

from datetime import datetime

from orders.actors import job
from reconciliation.maintenance import jobs
from reconciliation.maintenance.daily_turn import DailyTurn
from reconciliation.models import JobKind
from reconciliation.queue import intervals

SCHEDULE = job("schedule")
TURN = DailyTurn("audit", intervals.AUDIT)


def is_wanted() -> bool:
    """Whether people have chosen a time, and not paused it."""
    interval = intervals.interval_of(intervals.AUDIT)
    return interval.at is not None and not interval.paused


def start_if_due(now: datetime) -> bool:
    """Start the audit of the day; True for one of several simultaneous callers."""
    interval = intervals.interval_of(intervals.AUDIT)
    if interval.at is None or not TURN.take(interval, now):
        return False
    try:
        jobs.start(kind=JobKind.AUDIT, actor=SCHEDULE, now=now)
    except jobs.AlreadyOpen:
        return False
    return True

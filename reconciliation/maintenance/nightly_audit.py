"""The daily audit with OCI: off until people choose a time for it."""

from __future__ import annotations

import uuid
from datetime import datetime

from orders.actors import job
from reconciliation.maintenance import jobs
from reconciliation.models import JobKind, Lease
from reconciliation.queue import intervals, leases

SCHEDULE = job("schedule")
_LEASE = "audit"


def is_wanted() -> bool:
    """Whether people have chosen a time, and not paused it."""
    interval = intervals.interval_of(intervals.AUDIT)
    return interval.at is not None and not interval.paused


def start_if_due(now: datetime) -> bool:
    """Start the audit of the day; True for one of several simultaneous callers."""
    interval = intervals.interval_of(intervals.AUDIT)
    if interval.at is None or interval.paused:
        return False
    # A lease that is never released: the process that gets it starts the day's audit.
    seconds = (interval.next_time(now) - now).total_seconds()
    if not leases.take(name=_LEASE, holder=uuid.uuid4().hex, seconds=seconds, now=now):
        return False
    try:
        jobs.start(kind=JobKind.AUDIT, actor=SCHEDULE, now=now)
    except jobs.AlreadyOpen:
        return False
    return True


def next_at() -> datetime | None:
    """Return when it is next due; None if at once."""
    return Lease.objects.filter(pk=_LEASE).values_list("until", flat=True).first()


def follow_interval(now: datetime) -> None:
    """Wait for the newly chosen time of day."""
    interval = intervals.interval_of(intervals.AUDIT)
    if interval.at is not None:
        until = interval.next_time(now)
        Lease.objects.update_or_create(pk=_LEASE, defaults={"holder": "interval", "until": until})

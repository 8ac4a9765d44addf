"""Work that one process does once a day, at a time that people may choose."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from reconciliation.models import Lease
from reconciliation.queue import leases
from reconciliation.queue.intervals import Interval, interval_of


@dataclass(frozen=True, slots=True)
class DailyTurn:
    """The day's turn at a kind of work: a lease that is never released."""

    lease: str
    kind: str

    def take(self, interval: Interval, now: datetime) -> bool:
        """Take the turn of the day; True for one of several simultaneous callers."""
        if interval.paused:
            return False
        seconds = (interval.next_time(now) - now).total_seconds()
        return leases.take(name=self.lease, holder=uuid.uuid4().hex, seconds=seconds, now=now)

    def next_at(self) -> datetime | None:
        """Return when the work is next due; None if at once."""
        return Lease.objects.filter(pk=self.lease).values_list("until", flat=True).first()

    def follow_interval(self, now: datetime) -> None:
        """Wait for the newly chosen time of day, instead of a day after the last time."""
        interval = interval_of(self.kind)
        if interval.at is not None:
            values = {"holder": "interval", "until": interval.next_time(now)}
            Lease.objects.update_or_create(pk=self.lease, defaults=values)

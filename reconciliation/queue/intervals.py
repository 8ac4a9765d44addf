"""Intervals of scheduled tasks: the environment's, unless people changed them.

A changed interval is a row (`IntervalSetting`); without one, and for a value that this code does
not accept, the environment's counts. Code that acts on an interval asks here each time, so that a
change needs no restart; `reconciliation.maintenance.schedules` updates the queue's table of
schedules.
"""

from __future__ import annotations

import logging
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings

from reconciliation.models import IntervalSetting

logger = logging.getLogger(__name__)

SWEEP, RETRY, PROBE, MERGE, RETENTION = "sweep", "retry", "probe", "merge", "retention"
AUDIT = "audit"
MINUTE = 60
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Kind:
    """A scheduled job, and how people may change its interval.

    `unit` is in seconds; `low` and `high` are the least and most of them. With `daily` it is done
    once a day, and people choose the time; with `off_without_time` not at all until they do.
    `variable` names the environment's setting, if there is one, else the interval is `usual`
    seconds; `in_seconds` one that counts before it, if it is set.
    """

    name: str
    unit: int = 1
    low: int = 1
    high: int = 1
    variable: str = ""
    in_seconds: str = ""
    usual: int = MINUTE
    daily: bool = False
    pausable: bool = False
    off_without_time: bool = False

    @property
    def default(self) -> float:
        """Seconds between two runs by the environment."""
        if self.in_seconds and getattr(settings, self.in_seconds):
            return float(getattr(settings, self.in_seconds))
        return getattr(settings, self.variable) * self.unit if self.variable else self.usual


# Pausing anything but retention and the audit would break a promise: orders would wait, or files
# lag, for ever.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        # The queue counts in minutes.
        Kind(SWEEP, unit=MINUTE, high=5),
        Kind(
            RETRY,
            unit=MINUTE,
            high=1440,
            variable="COC_RETRY_MINUTES",
            in_seconds="COC_RETRY_SECONDS",
        ),
        Kind(PROBE, high=60, variable="COC_PROBE_SECONDS"),
        Kind(MERGE, high=3600, variable="COC_MERGE_SECONDS"),
        Kind(RETENTION, usual=DAY, daily=True, pausable=True),
        Kind(AUDIT, usual=DAY, daily=True, pausable=True, off_without_time=True),
    )
}


class IntervalRefused(Exception):
    """An interval that this thing cannot have; `field` is the member of the row it is about."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Interval:
    """The interval that counts: `seconds` between two runs, or once a day `at` a time of `zone`."""

    kind: Kind
    seconds: float
    at: time | None = None
    zone: str = ""
    paused: bool = False
    done_at: datetime | None = None

    @property
    def length(self) -> timedelta:
        """The time between two runs."""
        return timedelta(seconds=self.seconds)

    @property
    def is_changed(self) -> bool:
        """Whether people have made it another than the environment's."""
        return self.paused or self.at is not None or self.seconds != self.kind.default

    def next_time(self, now: datetime) -> datetime:
        """Return when it is next that time of day, or else `seconds` from now."""
        if self.at is None:
            return now + self.length
        zone = zoneinfo.ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        days = (today + timedelta(days=ahead) for ahead in range(3))
        moments = (datetime.combine(day, self.at, tzinfo=zone) for day in days)
        return next(at.astimezone(now.tzinfo) for at in moments if at > now)


def interval_of(name: str) -> Interval:
    """Return the interval that counts now; one query."""
    return _interval(KINDS[name], IntervalSetting.objects.filter(pk=name).first())


def unchanged(name: str) -> Interval:
    """Return the interval that counts while people have changed nothing; no query."""
    return _interval(KINDS[name], None)


def all_intervals() -> dict[str, Interval]:
    """Return every interval that counts now, by name; one query."""
    rows = IntervalSetting.objects.in_bulk(list(KINDS))
    return {name: _interval(kind, rows.get(name)) for name, kind in KINDS.items()}


def row_to_change(name: str) -> Any:
    """Return the rows with the one of `name`, which is made if it is not there."""
    IntervalSetting.objects.get_or_create(pk=name)
    return IntervalSetting.objects.filter(pk=name)


def note_done(name: str, *, now: datetime) -> None:
    """Note that it has been done at `now`."""
    if not IntervalSetting.objects.filter(pk=name).update(done_at=now):
        IntervalSetting.objects.get_or_create(pk=name, defaults={"done_at": now})


def check(name: str, values: Mapping[str, Any]) -> None:
    """Raise IntervalRefused if a row with `values` would not be accepted."""
    fault = _fault(KINDS[name], IntervalSetting(pk=name, **values))
    if fault:
        raise IntervalRefused(fault)


def _interval(kind: Kind, row: IntervalSetting | None) -> Interval:
    usual = Interval(kind, kind.default, done_at=row.done_at if row else None)
    if row is None:
        return usual
    fault = _fault(kind, row)
    if fault:
        _tell_once(kind.name, fault, str(getattr(row, fault)))
        return usual
    seconds = usual.seconds if row.every is None else float(row.every * kind.unit)
    return Interval(kind, seconds, row.at, row.zone, row.paused, row.done_at)


def _fault(kind: Kind, row: IntervalSetting) -> str:
    """Return the member of a row that cannot be; empty if all is well."""
    if row.every is not None and (kind.daily or not kind.low <= row.every <= kind.high):
        return "every"
    if row.at is not None and not kind.daily:
        return "at"
    if row.zone and (row.at is None or row.zone not in _zones()):
        return "zone"
    if row.at is not None and not row.zone:
        return "zone"
    return "paused" if row.paused and not kind.pausable else ""


def _zones() -> set[str]:
    if not _ZONES:
        _ZONES.update(zoneinfo.available_timezones() - {"localtime"})
    return _ZONES


def _tell_once(name: str, field: str, value: str) -> None:
    """Log that a stored value is ignored; once a process, not each time."""
    if (name, field, value) not in _TOLD:
        _TOLD.add((name, field, value))
        logger.warning(
            "The interval of %r in the database is not accepted (%s %s); the environment's counts.",
            name,
            field,
            value,
        )


_ZONES: set[str] = set()
_TOLD: set[tuple[str, str, str]] = set()

"""Keep the queue's table of schedules equal to the code and the chosen intervals, by name.

This happens when processes start, when a person changes an interval, and regularly in the monitor.
"""

from __future__ import annotations

import ast
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django_q.models import Failure, Schedule

from reconciliation.maintenance import nightly_audit, retention
from reconciliation.queue import intervals
from reconciliation.queue.intervals import Interval

logger = logging.getLogger(__name__)

_FUNCS = {intervals.SWEEP: "reconciliation.tasks.sweep"}
# The queue polls twice a minute; a longer delay means that no worker polls at all.
_LATE = timedelta(minutes=2)


class Fault(StrEnum):
    """Faults of a schedule."""

    NONE = ""
    MISSING = "missing"
    CHANGED = "changed"  # differs from the code
    UNREADABLE = "unreadable"  # the queue fails on it, and then on every schedule
    LATE = "late"
    FOREIGN = "foreign"  # not part of this product


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """One schedule as stored in the database."""

    name: str
    fault: Fault
    key: int | None = None
    next_run: datetime | None = None
    failed_at: datetime | None = None
    is_own: bool = True


def ensure() -> None:
    """Make the schedules in the database equal to the code. Idempotent."""
    for name in _FUNCS:
        with transaction.atomic():
            interval = intervals.interval_of(name)
            rows = list(Schedule.objects.select_for_update().filter(name=name).order_by("pk"))
            if rows:
                Schedule.objects.filter(pk__in=[row.pk for row in rows[1:]]).delete()
                Schedule.objects.filter(pk=rows[0].pk).update(**_wanted(interval))
                _pull_forward(rows[0].pk, interval)
            else:
                Schedule.objects.create(name=name, **_wanted(interval))


def follow(name: str, *, now: datetime) -> None:
    """Apply the changed interval of `name` at once; call in the transaction of the change.

    Other intervals are read each time (`intervals.interval_of`), and need no update.
    """
    if name in _FUNCS:
        ensure()
    elif name == intervals.RETENTION:
        retention.TURN.follow_interval(now)
    elif name == intervals.AUDIT:
        nightly_audit.TURN.follow_interval(now)


def states(now: datetime) -> list[ScheduleState]:
    """Return every schedule, of the code or only in the table, with its fault."""
    rows: dict[str, list[Any]] = {}
    for row in Schedule.objects.order_by("pk"):
        rows.setdefault(row.name or "", []).append(row)
    failed = Failure.objects.filter(func__in=_FUNCS.values()).order_by().values_list("func")
    failures = dict(failed.annotate(last=Max("stopped")))
    found = [
        _state(
            intervals.interval_of(name), rows.pop(name, []), failed_at=failures.get(func), now=now
        )
        for name, func in _FUNCS.items()
    ]
    for name, others in sorted(rows.items()):
        for row in others:
            fault = Fault.FOREIGN if _is_readable(row) else Fault.UNREADABLE
            found.append(ScheduleState(name or row.func, fault, row.pk, row.next_run, is_own=False))
    return found


def heal(now: datetime) -> list[str]:
    """Repair the schedules while everything runs; return the names of those repaired.

    The monitor calls this, because the queue would never miss a deleted schedule, and one
    unreadable row, even of another product, stops every schedule. Such a foreign row is disabled;
    people find it on the page of the schedules.
    """
    healed, is_own = [], False
    for found in states(now):
        if not found.is_own and found.fault == Fault.UNREADABLE:
            if Schedule.objects.filter(pk=found.key).exclude(repeats=0).update(repeats=0):
                healed.append(found.name)
                logger.error("Schedule %r cannot be read; it does not run any more.", found.name)
        elif found.is_own and found.fault in (Fault.MISSING, Fault.CHANGED, Fault.UNREADABLE):
            healed.append(found.name)
            logger.warning("Schedule %r was %s; it is created again.", found.name, found.fault)
            is_own = True
    if is_own:
        ensure()
    return healed


def remove_foreign(key: int) -> bool:
    """Delete a schedule that is not in the code; False if there is none."""
    others = Schedule.objects.filter(pk=key).exclude(name__in=_FUNCS)
    return bool(others.delete()[0])


def _wanted(interval: Interval) -> dict[str, Any]:
    return {
        "func": _FUNCS[interval.kind.name],
        "hook": None,
        "args": None,
        "kwargs": None,
        "schedule_type": Schedule.MINUTES,
        "minutes": int(interval.seconds // intervals.MINUTE),
        "repeats": -1,
        "cron": None,
        "cluster": None,
        "intended_date_kwarg": None,
    }


def _pull_forward(key: int, interval: Interval) -> None:
    """Run a schedule earlier if its next run is further away than its interval."""
    now = timezone.now()
    Schedule.objects.filter(pk=key, next_run__gt=now + interval.length).update(next_run=now)
    Schedule.objects.filter(pk=key, next_run=None).update(next_run=now)


def _state(
    interval: Interval, rows: list[Any], *, failed_at: datetime | None, now: datetime
) -> ScheduleState:
    name = interval.kind.name
    if not rows:
        return ScheduleState(name, Fault.MISSING, failed_at=failed_at)
    row = rows[0]
    is_changed = len(rows) > 1 or any(
        (getattr(row, field) or None) != value for field, value in _wanted(interval).items()
    )
    never = row.next_run is None or row.next_run > now + 2 * interval.length
    fault = Fault.NONE
    if not all(_is_readable(one) for one in rows):
        fault = Fault.UNREADABLE
    elif is_changed or never:
        fault = Fault.CHANGED
    elif row.next_run < now - _LATE:
        fault = Fault.LATE
    return ScheduleState(name, fault, row.pk, row.next_run, failed_at)


def _is_readable(row: Any) -> bool:
    """Whether the queue can read the row: an unreadable one stops all the others."""
    try:
        if row.args:
            ast.literal_eval(row.args)
        row.calculate_next_run(row.next_run or timezone.now())
    except Exception:
        return False
    return True

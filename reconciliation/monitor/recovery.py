"""Work that the monitor starts: the run after an outage, and wake-ups of the queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orders.actors import job
from orders.models import Order, OrderEvent
from reconciliation import connection
from reconciliation.models import (
    CallKind,
    Connection,
    ConnectionState,
    ReportDay,
    Run,
    Trigger,
)
from reconciliation.queue import enqueue
from reconciliation.reasons import say
from reconciliation.reservation import release
from reconciliation.runs.lifecycle import RunRefused, start_run

MONITOR = job("monitor")
# After a run that left something waiting, a moment for what made it wait.
BETWEEN_RUNS = timedelta(seconds=10)
# A queue that is not being worked on must not fill with wake-ups.
BETWEEN_WAKES = timedelta(seconds=5)
ENOUGH_QUEUED = 50


def start_if_due(now: datetime) -> Run | None:
    """Start a run if OCI is back for orders that wait and none is active; or return None.

    That is while RECOVERING, and while ONLINE for orders that a moment's trouble left waiting: when
    the pause ends that OCI asked for, or a reservation works again after one that failed. Asked at
    every tick, so that a run that could not be started or was lost is made good. One run starts at
    once for each recovery; later ones wait a little after the one before.
    """
    # Asked first, since mostly nothing waits.
    if not Order.objects.waiting().exists():
        return None
    state = connection.current()
    if not connection.may_call(state) or Run.objects.filter(is_active=True).exists():
        return None
    since, reason = _due_since(state, now)
    if since is None:
        return None
    is_recovery = state.state == ConnectionState.RECOVERING
    ran = Run.objects.filter(created_at__gte=since).order_by("-id").first()
    if ran is not None and (not is_recovery or (ran.finished_at or now) > now - BETWEEN_RUNS):
        return None
    trigger = Trigger.RECOVERY if is_recovery else Trigger.SCHEDULE
    try:
        return start_run(trigger=trigger, actor=MONITOR, reason=reason, now=now)
    except RunRefused:
        # Another one started it first, or nothing waits any more.
        return None


def _due_since(state: Connection, now: datetime) -> tuple[datetime | None, str]:
    """Return since when a run is due for what waits, and why; None if none is."""
    if state.wait_until is not None and state.wait_until > now:
        return None, ""
    if state.state == ConnectionState.RECOVERING:
        return state.since, say("oci_answers_again")
    writes = connection.healths()[CallKind.RESERVE]
    if writes.failures or writes.throttles > 1:
        return None, ""
    ends = [state.wait_until, writes.last_failed_at]
    since = max((end for end in ends if end is not None), default=None)
    return since, say("trouble_over")


@dataclass(slots=True)
class Wakes:
    """Wakes the queue when it has work and may not know; each task at most once in a while."""

    _next: dict[str, datetime] = field(default_factory=dict)

    def wake(self, now: datetime) -> list[str]:
        """Wake the tasks due at `now`; return their names."""
        due = [name for name, is_due in _WORK.items() if self._may(name, now) and is_due()]
        if not due or enqueue.queued() >= ENOUGH_QUEUED:
            return []
        for name in due:
            self._next[name] = now + BETWEEN_WAKES
            enqueue.soon(name)
        return due

    def _may(self, name: str, now: datetime) -> bool:
        return self._next.get(name, now) <= now


def _reports_wait() -> bool:
    if OrderEvent.objects.filter(projected=False).exists():
        return True
    return ReportDay.objects.filter(needs_merge=True).exists()


def _run_is_active() -> bool:
    return Run.objects.filter(is_active=True).exists()


_WORK = {
    "project_reports": _reports_wait,
    "finish_cancellations": release.something_to_undo,
    "sweep": _run_is_active,
}

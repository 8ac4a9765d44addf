"""The monitor's loop: one leader among any number, one tick a second, for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orders import handover, refused_orders, statement_limit
from reconciliation import connection, liveness
from reconciliation.alerts import lifecycle, refresh
from reconciliation.connection.state import has_answered
from reconciliation.maintenance import schedules, sweep
from reconciliation.models import ConnectionState
from reconciliation.monitor import looks, recovery, stock_arrivals
from reconciliation.monitor.looks import LEASE
from reconciliation.monitor.probe import Prober
from reconciliation.outages import minutes, planned
from reconciliation.queue import heartbeats, intervals, leases
from reconciliation.queue.loops import Turns

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

LEASE_SECONDS = 5.0
# Also how often it beats: silence is an alert after ten seconds.
RENEW_SECONDS = 2.0
TICK_SECONDS = 1.0
ALERTS_EVERY = timedelta(seconds=2)
# While OCI answers and no alert is open; a state change does not wait for it.
QUIET_ALERTS_EVERY = timedelta(seconds=5)
FORGET_EVERY = timedelta(hours=1)
SAMPLE_EVERY = timedelta(seconds=10)
RETRY_LOOK = timedelta(seconds=10)
# Long enough to compare one peak season with the next.
KEEP_REFUSED = timedelta(days=400)
HEAL_EVERY = timedelta(seconds=30)
# Between two probes until there is a list, once OCI has answered.
WITHOUT_A_LIST = timedelta(minutes=1)
# A statement that waits for SQLite's write lock gives up after 30 s, and the tick with it.
STUCK_SECONDS = 90.0
# Also how long loss and recovery may go unnoticed when the database comes back.
LONGEST_PAUSE = 4.0


@dataclass(slots=True)
class Monitor:
    """One monitor. `holder` names it among the others; `clock` gives the time of each tick."""

    holder: str
    prober: Prober
    clock: Clock
    leads: bool = False
    turns: int = 0
    _wakes: recovery.Wakes = field(default_factory=recovery.Wakes)
    _lease: leases.Renewal = field(
        default_factory=lambda: leases.Renewal(LEASE, LEASE_SECONDS, every=RENEW_SECONDS)
    )
    _watch: leases.Watch = field(default_factory=lambda: leases.Watch(LEASE))
    _last_probe: datetime | None = None
    _next_alerts: datetime | None = None
    _next_forget: datetime | None = None
    _next_heal: datetime | None = None
    _next_retry: datetime | None = None
    _next_sample: datetime | None = None
    _state: str = ""

    def run(self, stop: threading.Event) -> None:
        """Tick once a second until `stop` is set; no exception ends the loop."""
        turns = Turns("monitor", logger)
        liveness.watch("the loop", lambda: self.turns, patience=STUCK_SECONDS)
        while not stop.is_set():
            self.turns += 1
            started = time.monotonic()
            turns.take(self.tick)
            spent = time.monotonic() - started
            stop.wait(max(0.0, turns.pause(TICK_SECONDS, longest=LONGEST_PAUSE) - spent))
        turns.give_back(LEASE, holder=self.holder, now=self.clock())

    def tick(self) -> bool:
        """Run due work if this monitor leads; True if it does."""
        now = self.clock()
        is_renewal = not self._lease.is_fresh(now)
        self._note_leadership(self._takes_lead(now))
        if not self.leads:
            return False
        seen = self._look(now)
        if not seen["leads"]:
            self._lease.forget()
            self._note_leadership(False)
            return False
        if is_renewal:
            heartbeats.beat(component=heartbeats.MONITOR, now=now)
        if seen["window"]:
            planned.keep_times(now)
        if seen["list"] or not self._may_be_quiet(now):
            self._probe(now, is_changed=seen["probe_interval"], asked_to_wait=seen["pause"])
        if seen["window"] or seen["trouble"] or seen["state"] != ConnectionState.ONLINE:
            # The window or the probe may have begun or ended something, which must not wait.
            seen = self._look(now)
        self._act(now, seen)
        if self._next_sample is None or now >= self._next_sample:
            self._next_sample = now + SAMPLE_EVERY
            minutes.sample_if_changed(now)
        if self._next_heal is None or now >= self._next_heal:
            self._next_heal = now + HEAL_EVERY
            schedules.heal(now)
        if self._next_forget is None or now >= self._next_forget:
            self._next_forget = now + FORGET_EVERY
            heartbeats.forget_old(now)
            lifecycle.forget_old(now)
            refused_orders.forget_old(before=now - KEEP_REFUSED)
        return True

    def _look(self, now: datetime) -> Mapping[str, Any]:
        lately = now - stock_arrivals.LATECOMERS
        return looks.look(holder=self.holder, now=now, lately=lately)

    def _act(self, now: datetime, seen: Mapping[str, Any]) -> None:
        """Do what is due by what was `seen`."""
        state = seen["state"] or connection.current().state
        if seen["trouble"]:
            connection.lose_if_unanswered(now)
        if state != ConnectionState.ONLINE:
            # A recovery that was held back may be due.
            connection.mark_recovering(now)
        if seen["waiting"]:
            recovery.start_if_due(now)
        self._retry(now)
        if state != ConnectionState.ONLINE:
            connection.mark_online_if_drained(now)
        if seen["promises"] or seen["latecomers"]:
            stock_arrivals.start_if_due(now)
        if seen["handover"]:
            handover.hand_over_due(actor=recovery.MONITOR, now=now)
        if any(seen[name] for name in looks.MAY_WAKE):
            self._wakes.wake(now)
        if seen["trouble"] or state != ConnectionState.ONLINE:
            # This tick may have changed it.
            state = connection.current_state()
        self._refresh_alerts(now, state)

    def _refresh_alerts(self, now: datetime, state: str) -> None:
        # An alert about the connection does not wait for its turn.
        has_moved = self._has_moved(state)
        if not has_moved and self._next_alerts is not None and now < self._next_alerts:
            return
        started = time.monotonic()
        with statement_limit.for_work():
            found = refresh.refresh_alerts(now)
        # A backlog that takes long to sum up is summed up less often.
        spent = timedelta(seconds=time.monotonic() - started)
        is_quiet = not found and state == ConnectionState.ONLINE
        pause = QUIET_ALERTS_EVERY if is_quiet else ALERTS_EVERY
        self._next_alerts = now + max(pause, 10 * spent)

    def _has_moved(self, state: str) -> bool:
        """Whether the connection has changed its state since the last tick."""
        moved, self._state = self._state != state, state
        return moved

    def _retry(self, now: datetime) -> None:
        """Start the next retry cycle if it is due; the look itself is not for each second."""
        if self._next_retry is not None and now < self._next_retry:
            return
        interval = intervals.interval_of(intervals.RETRY).length
        self._next_retry = now + min(interval, RETRY_LOOK)
        sweep.retry_if_due(now)

    def _takes_lead(self, now: datetime) -> bool:
        if self._lease.take(holder=self.holder, now=now):
            return True
        return self._watch.take_over(holder=self.holder, seconds=LEASE_SECONDS, now=now)

    def _may_be_quiet(self, now: datetime) -> bool:
        """Whether OCI answers, and was asked not long ago; matters while there is no list.

        There is nothing to ask for then but a place that OCI does not know and refuses.
        """
        if self._last_probe is None or now >= self._last_probe + WITHOUT_A_LIST:
            return False
        link = connection.current()
        if link.state != ConnectionState.ONLINE or not has_answered(link):
            return False
        return not connection.has_trouble()

    def _probe(self, now: datetime, *, is_changed: bool, asked_to_wait: bool) -> None:
        # A little under the interval: a tick that comes a moment early must not skip a probe. Ticks
        # are a second apart, which keeps probes at one a second. Asked for at each tick, so that a
        # interval that people shorten counts at once.
        interval = intervals.interval_of if is_changed else intervals.unchanged
        pause = interval(intervals.PROBE).length - timedelta(seconds=0.1)
        if self._last_probe is not None and now < self._last_probe + pause:
            return
        if asked_to_wait:
            return
        self._last_probe = now
        self.prober.start()

    def _note_leadership(self, leads: bool) -> None:
        if leads != self.leads:
            logger.info(
                "This monitor leads now." if leads else "Another monitor leads; standing by."
            )
        self.leads = leads

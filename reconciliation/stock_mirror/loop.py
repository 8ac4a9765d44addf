"""The loop of the stock mirror: one leader among any number, each list in its turn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from reconciliation import connection, liveness
from reconciliation.models import StockFeed
from reconciliation.oci.feeds import FeedClient
from reconciliation.queue import leases
from reconciliation.queue.loops import Turns
from reconciliation.reasons import say
from reconciliation.stock_mirror import age, changes, feeds, full_export
from reconciliation.stock_mirror.feeds import LEASE

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
# Between two turns while OCI has no changes: so old are the figures then, of five seconds promised.
QUIET_SECONDS = 2.0
MEASURE_EVERY = timedelta(seconds=5)
# While no figure changes, its age is known from when its list was last current.
QUIET_MEASURE_EVERY = timedelta(seconds=30)
# One turn asks for the changes of every list, each for as long as a call may take.
STUCK_SECONDS = 300.0
LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class StockMirror:
    """One poller. `holder` names it among the others; `clock` gives the time of each call.

    Changes are asked for in the loop, a bounded number of each list in turn, so that a list with a
    backlog keeps no other waiting. Beside it one thread brings in one full export at a time, so
    that a long export keeps no other list from its changes.
    """

    holder: str
    client: FeedClient
    clock: Callable[[], datetime]
    leads: bool = False
    # Whether a list has more changes than it was given time for: the next turn comes at once.
    is_behind: bool = False
    # Whether the last turn found every list current and nothing new.
    is_quiet: bool = False
    turns: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _export: threading.Thread | None = None
    _lease: leases.Renewal = field(
        default_factory=lambda: leases.Renewal(LEASE, LEASE_SECONDS, every=RENEW_SECONDS)
    )
    _measured_at: datetime | None = None
    _pause_of_measures: timedelta = MEASURE_EVERY
    _has_news: bool = True
    _turns: Turns = field(default_factory=lambda: Turns("stock mirror", logger))

    def run(self, stop: threading.Event) -> None:
        """Take turns until `stop` is set; no exception ends the loop."""
        self._stop = stop
        liveness.watch("the stock mirror", lambda: self.turns, patience=STUCK_SECONDS)
        try:
            while not stop.is_set():
                started = time.monotonic()
                self._turns.take(self.turn)
                pause = self._turns.pause(self.pause(), longest=LONGEST_PAUSE)
                stop.wait(max(0.05, pause - (time.monotonic() - started)))
            self.stand_down()
        finally:
            connections.close_all()

    def pause(self) -> float:
        """Return the seconds from the last turn to the next."""
        if self.is_behind:
            return 0.0
        seconds: float = settings.COC_STOCK_FEED_SECONDS
        return max(seconds, QUIET_SECONDS) if self.is_quiet else seconds

    def turn(self) -> bool:
        """Ask for the changes of every list that is due; True if this poller leads."""
        self.turns += 1
        self.is_behind = self.is_quiet = False
        now = self.clock()
        self.leads = self._lease.take(holder=self.holder, now=now)
        if not self.leads:
            return False
        seen = feeds.look(holder=self.holder, now=now)
        if not seen["leads"]:
            self._lease.forget()
            self.leads = False
            return False
        if seen["new_lists"]:
            feeds.ensure_rows()
        # While OFFLINE one good answer proves little, and nobody wants what is forced offline.
        state = seen["state"] or connection.current().state
        if state in connection.ANSWERING and not seen["pause"]:
            self._follow(now, is_due=seen["changes"])
            self.is_quiet = self.is_quiet and not seen["not_followed"]
            if seen["export"] or seen["new_lists"]:
                self._start_export(now)
        self._measure(now)
        return True

    def _follow(self, now: datetime, *, is_due: bool) -> None:
        found = []
        for feed in feeds.in_turn(now) if is_due else ():
            found.append(changes.follow(feed, client=self.client, clock=self.clock))
            self.turns += 1
        self.is_behind = any(one.has_more for one in found)
        is_alone = self._export is None or not self._export.is_alive()
        news = sum(one.figures for one in found)
        is_current = bool(found) and all(one.is_current for one in found)
        self.is_quiet = is_alone and is_current and not news

    def stand_down(self) -> None:
        """End the export under way and let another poller take over at once."""
        self._stop.set()
        if self._export is not None:
            self._export.join(10)
        self._turns.give_back(LEASE, holder=self.holder, now=self.clock())

    def _start_export(self, now: datetime) -> None:
        if self._export is not None and self._export.is_alive():
            return
        feed = feeds.due_for_export(now)
        if feed is None:
            return
        self._export = threading.Thread(
            target=self._run_export, args=(feed,), name="stock-export", daemon=True
        )
        self._export.start()

    def _run_export(self, feed: StockFeed) -> None:
        try:
            self._bring_in(feed)
        except full_export.Interrupted:
            logger.info("The export of list %s is left to the next poller.", feed.pk)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("An export was not brought in: %s.", type(error).__name__)
        except Exception:
            logger.exception("An export could not be given up.")
        finally:
            connections.close_all()

    def _bring_in(self, feed: StockFeed) -> None:
        try:
            full_export.bring_in(feed, client=self.client, clock=self.clock, pause=self._pause)
        except (full_export.Interrupted, DatabaseError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("The export of list %s failed for a reason of our own.", feed.pk)
            why = say("feed_own_fault", fault=type(error).__name__)
            feeds.note_export_failed(feed, why=why, now=self.clock())

    def _pause(self, seconds: float) -> None:
        """Wait within an export; it ends when we lead no longer or OCI is away."""
        if seconds and not self._stop.is_set():
            self._stop.wait(seconds)
        if self._stop.is_set() or not self.leads:
            raise full_export.Interrupted
        if not connection.may_call(connection.current()):
            raise full_export.Interrupted

    def _measure(self, now: datetime) -> None:
        self._has_news = self._has_news or not self.is_quiet
        pause = self._pause_of_measures if self._has_news else QUIET_MEASURE_EVERY
        if self._measured_at is not None and now < self._measured_at + pause:
            return
        started = time.monotonic()
        for feed in StockFeed.objects.order_by("pk"):
            age.measure(feed)
        # Many SKUs take longer to count, and are counted less often.
        spent = timedelta(seconds=time.monotonic() - started)
        self._pause_of_measures = max(MEASURE_EVERY, 20 * spent)
        self._measured_at, self._has_news = now, False

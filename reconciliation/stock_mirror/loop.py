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

logger = logging.getLogger(__name__)

LEASE = "stock_mirror"
LEASE_SECONDS = 15.0
MEASURE_EVERY = timedelta(seconds=5)
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
    turns: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _export: threading.Thread | None = None
    _next_measure: datetime | None = None
    _turns: Turns = field(default_factory=lambda: Turns("stock mirror", logger))

    def run(self, stop: threading.Event) -> None:
        """Take turns until `stop` is set; no exception ends the loop."""
        self._stop = stop
        liveness.watch("the stock mirror", lambda: self.turns, patience=STUCK_SECONDS)
        try:
            while not stop.is_set():
                started = time.monotonic()
                self._turns.take(self.turn)
                usual = 0.0 if self.is_behind else settings.COC_STOCK_FEED_SECONDS
                pause = self._turns.pause(usual, longest=LONGEST_PAUSE)
                stop.wait(max(0.05, pause - (time.monotonic() - started)))
            self.stand_down()
        finally:
            connections.close_all()

    def turn(self) -> bool:
        """Ask for the changes of every list that is due; True if this poller leads."""
        self.turns += 1
        self.is_behind = False
        now = self.clock()
        self.leads = leases.take(name=LEASE, holder=self.holder, seconds=LEASE_SECONDS, now=now)
        if not self.leads:
            return False
        seen = feeds.look(now=now)
        if seen["new_lists"]:
            feeds.ensure_rows()
        # While OFFLINE one good answer proves little, and nobody wants what is forced offline.
        state = seen["state"] or connection.current().state
        if state in connection.ANSWERING and not seen["pause"]:
            self._follow(now, is_due=seen["changes"])
            if seen["export"] or seen["new_lists"]:
                self._start_export(now)
        self._measure(now)
        return True

    def _follow(self, now: datetime, *, is_due: bool) -> None:
        for feed in feeds.in_turn(now) if is_due else ():
            has_more = changes.follow(feed, client=self.client, clock=self.clock)
            self.is_behind = self.is_behind or has_more
            self.turns += 1

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
        if self._next_measure is not None and now < self._next_measure:
            return
        started = time.monotonic()
        for feed in StockFeed.objects.order_by("pk"):
            age.measure(feed)
        # Many SKUs take longer to count, and are counted less often.
        spent = timedelta(seconds=time.monotonic() - started)
        self._next_measure = now + max(MEASURE_EVERY, 20 * spent)

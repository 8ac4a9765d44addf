"""Probes: small calls to OCI, at most one a second, whether or not orders come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections, connections

from reconciliation import connection
from reconciliation.models import HeldFigures
from reconciliation.monitor import trials
from reconciliation.oci.client import OciClient
from reconciliation.oci.errors import OciError, OciRefused, OciThrottled
from reconciliation.reservation import stock_refresh

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

# A probe that hangs must not stop the next ones: they are what shows that OCI hangs, or is back.
MOST_UNDER_WAY = 6
# Longer than the shortest pause between two probes. A thread that is no longer needed ends.
KEEP_SECONDS = 3.0
# A list that OCI refuses to tell about must not keep the others from their figures.
SKIP_REFUSED = timedelta(seconds=60)


@dataclass(slots=True)
class Prober:
    """Sends probes, each in a thread beside the others, and tells the connection what came of them.

    `client` counts its calls in the shared row by its observer; here only good and bad probes in a
    row are counted, which is what ends an outage.
    """

    client: OciClient
    clock: Clock
    _threads: list[threading.Thread] = field(default_factory=list)
    _under_way: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _wanted: int = 0
    _skip: dict[str, datetime] = field(default_factory=dict)

    def start(self) -> bool:
        """Start a probe and return at once; False if too many still wait for their answer.

        A thread that has probed waits for the next probe, and keeps its connection to the database.
        """
        with self._changed:
            if self._under_way >= MOST_UNDER_WAY:
                return False
            if self._under_way == len(self._threads):
                thread = threading.Thread(target=self._serve, name="probe", daemon=True)
                thread.start()
                self._threads.append(thread)
            self._under_way += 1
            self._wanted += 1
            self._changed.notify_all()
        return True

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for the probes under way; True if none is left."""
        with self._changed:
            return self._changed.wait_for(lambda: self._under_way == 0, seconds)

    def _serve(self) -> None:
        while self._takes_one():
            try:
                self._run()
            finally:
                with self._changed:
                    self._under_way -= 1
                    self._changed.notify_all()

    def _takes_one(self) -> bool:
        """Wait for a probe that is wanted; False, and the thread is none of ours, if none comes."""
        with self._changed:
            if self._changed.wait_for(lambda: self._wanted > 0, KEEP_SECONDS):
                self._wanted -= 1
                return True
            self._threads.remove(threading.current_thread())
        connections.close_all()
        return False

    def probe_and_try(self) -> None:
        """Probe OCI. If it answers, check whether a trial with a waiting order is due."""
        due = self._next_due()
        if not self._ask(due) or due.is_calm:
            return
        if trials.try_one(client=self.client, clock=self.clock):
            # The proof, and the probe before it, may be all that a recovery wants.
            connection.mark_recovering(self.clock())

    def _run(self) -> None:
        try:
            self.probe_and_try()
        except DatabaseError as error:
            logger.warning("A probe could not be noted: %s.", type(error).__name__)
            connections.close_all()
        except Exception:
            logger.exception("A probe failed for a reason of our own.")
            connections.close_all()
        finally:
            # A server that was restarted between two probes is noticed before the next one.
            close_old_connections()

    def probe(self) -> bool:
        """Ask OCI for the figures that need renewing most; True if it answered as it should."""
        return self._ask(self._next_due())

    def _next_due(self) -> stock_refresh.Due:
        now = self.clock()
        self._skip = {list_id: until for list_id, until in self._skip.items() if until > now}
        return stock_refresh.next_due(now=now, skip=list(self._skip))

    def _ask(self, due: stock_refresh.Due) -> bool:
        sent_at = self.clock()
        try:
            suspicious = stock_refresh.ask(due, client=self.client, clock=self.clock).suspicious
        except OciThrottled:
            # Neither good nor bad (design 5): it is there, and wants to be left alone.
            return False
        except OciRefused as refusal:
            suspicious = False
            if due.list_id:
                self._skip[due.list_id] = sent_at + SKIP_REFUSED
                if stock_refresh.is_known(due):
                    why = HeldFigures.Why.VANISHED
                    stock_refresh.hold_figures(due, why=why, skus=len(due.skus), now=sent_at)
                logger.warning(
                    "OCI gives no figures of list %s: %s.", due.list_id, refusal.error_code
                )
        except OciError:
            connection.note_bad_probe(sent_at=sent_at)
            return False
        if due.list_id and suspicious:
            self._skip[due.list_id] = sent_at + SKIP_REFUSED
            connection.note_bad_probe(sent_at=sent_at)
            return False
        if not due.is_calm:
            connection.note_good_probe(self.clock())
        return True

"""Probes: small calls to OCI, at most one a second, whether or not orders come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, connections

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
# A list that OCI refuses to tell about must not keep the others from their figures.
SKIP_REFUSED = timedelta(seconds=60)


@dataclass(slots=True)
class Prober:
    """Sends probes, each in a thread of its own, and tells the connection what came of them.

    `client` counts its calls in the shared row by its observer; here only good and bad probes in a
    row are counted, which is what ends an outage.
    """

    client: OciClient
    clock: Clock
    _under_way: list[threading.Thread] = field(default_factory=list)
    _skip: dict[str, datetime] = field(default_factory=dict)

    def start(self) -> bool:
        """Start a probe and return at once; False if too many still wait for their answer."""
        self._under_way = [thread for thread in self._under_way if thread.is_alive()]
        if len(self._under_way) >= MOST_UNDER_WAY:
            return False
        thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._under_way.append(thread)
        thread.start()
        return True

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for each probe under way; True if none is left."""
        for thread in self._under_way:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._under_way)

    def probe_and_try(self) -> None:
        """Probe; if OCI answers, see whether a waiting order's reservation is due to be tried."""
        if self.probe() and trials.try_one(client=self.client, clock=self.clock):
            # The proof, and the probe before it, may be all that a recovery wants.
            connection.mark_recovering(self.clock())

    def _run(self) -> None:
        try:
            self.probe_and_try()
        except DatabaseError as error:
            logger.warning("A probe could not be noted: %s.", type(error).__name__)
        except Exception:
            logger.exception("A probe failed for a reason of our own.")
        finally:
            connections.close_all()

    def probe(self) -> bool:
        """Ask OCI for the figures that need renewing most; True if it answered as it should."""
        sent_at = self.clock()
        self._skip = {list_id: until for list_id, until in self._skip.items() if until > sent_at}
        due = stock_refresh.next_due(now=sent_at, skip=list(self._skip))
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
        connection.note_good_probe(self.clock())
        return True

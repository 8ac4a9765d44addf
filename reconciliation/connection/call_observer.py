"""Observes the OCI client's calls: keeps counts in memory, writes them into the shared rows.

A process writes good calls at most once a second, and failures at once. Detection does not
depend on one process seeing enough: each writes its own counts, which add up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from reconciliation.connection import call_counts
from reconciliation.connection.state import current
from reconciliation.connection.tally import Sent, Tally
from reconciliation.models import CallKind
from reconciliation.oci.client import CallObserver
from reconciliation.oci.errors import OciConfigurationFault, OciNoAnswer, OciThrottled

logger = logging.getLogger(__name__)

_KINDS = {
    "put": CallKind.RESERVE,
    "cancel": CallKind.RELEASE,
    "release": CallKind.RELEASE,
}


# A call that was cut off after this share of the limit would have been over it.
_NEARLY = 0.75


class StateObserver:
    """Feeds the outcome of every call into the connection's rows; any threads.

    Never raises into the caller: a call's own outcome matters more than its being counted.
    """

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._calls = threading.local()
        self._tallies = {kind: Tally() for kind in CallKind}

    def sent(self, operation: str, subject: str, seconds: float) -> None:
        """A call is about to be sent, in this thread."""
        kind = _KINDS.get(operation, CallKind.READ)
        now = self._clock()
        # Of slowness only calls tell that a shopper waits for, or might.
        is_live = seconds <= settings.COC_OCI_LIVE_TIMEOUT
        call = Sent(kind, subject, at=now, started=time.monotonic(), is_live=is_live)
        self._calls.sent = call
        due = self._tallies[kind].sent(call)
        if due is not None:
            self._safely(
                lambda: call_counts.note_sent(now, kind=kind, calls=due.calls, since=due.since)
            )

    def answered(self) -> None:
        """OCI answered the call of this thread, be it with a refusal."""
        call, now = self._ended()
        tally = self._tallies[call.kind]
        seconds = time.monotonic() - call.started
        is_due = tally.answered(call, now=now, seconds=seconds)
        if is_due:
            self._safely(
                lambda: call_counts.note_good(
                    now, kind=call.kind, sent_at=call.at, p95_ms=tally.p95_ms()
                )
            )
        self._note_if_slow(call, now, seconds)

    def undecided(self) -> None:
        """OCI still works on an earlier call for the document of this one, in this thread.

        That shows only that it is there: whether it takes reservations, the earlier call shows.
        """
        call, now = self._ended()
        self._tallies[call.kind].troubled(call)
        self._safely(lambda: call_counts.note_undecided(now, kind=call.kind))

    def failed(self, error: OciNoAnswer) -> None:
        """The call of this thread brought no trustworthy answer."""
        call, now = self._ended()
        tally = self._tallies[call.kind]
        took = self._took(call) if error.kind == "timeout" else None
        if tally.failed(call, now=now, seconds=took):
            # A document cannot be at fault for a call that never reached OCI.
            subject = call.subject if error.sent else ""
            self._safely(
                lambda: call_counts.note_failure(
                    sent_at=call.at, now=now, message=error.reason, kind=call.kind, subject=subject
                )
            )
        self._note_if_slow(call, now, took)

    def throttled(self, error: OciThrottled) -> None:
        """OCI asked us to slow down."""
        call, now = self._ended()
        self._tallies[call.kind].troubled(call)
        self._safely(
            lambda: call_counts.note_throttled(
                retry_after=error.retry_after, now=now, kind=call.kind
            )
        )

    def configuration_fault(self, error: OciConfigurationFault) -> None:
        """OCI refused our credentials."""
        call, now = self._ended()
        self._tallies[call.kind].troubled(call)
        self._safely(
            lambda: call_counts.note_configuration_fault(
                now=now, message=error.reason, kind=call.kind
            )
        )

    def _took(self, call: Sent) -> float:
        """Return how long a call took that ran out of time.

        What was spent before it was sent leaves a little less than the limit: it was over all the
        same.
        """
        seconds, limit = time.monotonic() - call.started, settings.COC_OCI_LIVE_TIMEOUT
        return max(seconds, limit) if call.is_live and seconds >= _NEARLY * limit else seconds

    def _ended(self) -> tuple[Sent, datetime]:
        now = self._clock()
        call: Sent | None = getattr(self._calls, "sent", None)
        if call is None:
            call = Sent(CallKind.READ, "", at=now, started=time.monotonic(), is_live=False)
        return call, now

    def _note_if_slow(self, call: Sent, now: datetime, seconds: float | None) -> None:
        """Count a call that took longer than a shopper may wait; None tells nothing."""
        limit = settings.COC_OCI_LIVE_TIMEOUT
        if call.kind != CallKind.RESERVE or not call.is_live or seconds is None or seconds < limit:
            return
        self._safely(lambda: self._note_slow(call, now))

    def _note_slow(self, call: Sent, now: datetime) -> None:
        # Calls that hung in an outage must not make the service slow that has just come back.
        if call.at < current().since:
            return
        tally = self._tallies[CallKind.RESERVE]
        call_counts.note_slow(
            now,
            sent_at=call.at,
            of=tally.calls_to_slow(limit=settings.COC_OCI_LIVE_TIMEOUT),
            p95_ms=tally.p95_ms() or 0,
        )

    def _safely(self, note: Callable[[], None]) -> None:
        try:
            note()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The outcome of a call was not counted: %s.", type(error).__name__)


def observer() -> CallObserver:
    """Return an observer that feeds the outcome of every call into the connection's rows."""
    return StateObserver()

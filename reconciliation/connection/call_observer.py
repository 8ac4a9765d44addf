"""What the OCI client tells about its calls, written into the shared row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from reconciliation.connection import call_counts
from reconciliation.oci.client import CallObserver
from reconciliation.oci.errors import OciConfigurationFault, OciNoAnswer, OciThrottled

logger = logging.getLogger(__name__)

# A service that answered us a moment ago does not hang, so that a busy process need not count each
# call as it is sent; one that begins to hang is counted after this many seconds.
MOMENT = 0.2
# How often, in seconds, a process writes down that all is well.
WELL_EVERY = 1.0


class StateObserver:
    """Feeds the outcome of every call into the connection row; one per process, any threads.

    Never raises into the caller: a call's own outcome matters more than its being counted.
    """

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._call = threading.local()
        self._last_good = self._written_at = float("-inf")
        # Whether a good answer changes what was written since the last one.
        self._has_news = False

    def sent(self) -> None:
        """A call is about to be sent, in this thread."""
        self._call.sent_at = self._clock()
        if time.monotonic() - self._last_good > MOMENT:
            self._has_news = True
            self._safely(lambda: call_counts.note_sent(self._call.sent_at))

    def answered(self) -> None:
        """OCI answered the call of this thread, be it with a refusal."""
        now = self._last_good = time.monotonic()
        if not self._has_news and now - self._written_at < WELL_EVERY:
            return
        self._has_news, self._written_at = False, now
        self._safely(lambda: call_counts.note_good(self._clock()))

    def failed(self, error: OciNoAnswer) -> None:
        """The call of this thread brought no trustworthy answer."""
        self._has_news = True
        self._last_good = float("-inf")
        now = self._clock()
        sent_at = getattr(self._call, "sent_at", now)
        self._safely(
            lambda: call_counts.note_failure(sent_at=sent_at, now=now, message=error.reason)
        )

    def throttled(self, error: OciThrottled) -> None:
        """OCI asked us to slow down."""
        self._has_news = True
        self._safely(
            lambda: call_counts.note_throttled(retry_after=error.retry_after, now=self._clock())
        )

    def configuration_fault(self, error: OciConfigurationFault) -> None:
        """OCI refused our credentials."""
        self._has_news = True
        self._last_good = float("-inf")
        self._safely(
            lambda: call_counts.note_configuration_fault(now=self._clock(), message=error.reason)
        )

    def _safely(self, note: Callable[[], None]) -> None:
        try:
            note()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The outcome of a call was not counted: %s.", type(error).__name__)


def observer() -> CallObserver:
    """Return an observer that feeds the outcome of every call into the connection row."""
    return StateObserver()

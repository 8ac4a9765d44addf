"""A process's own counts of one kind of call, and when to write them."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciliation.connection.verdict import SLOW_FOR
from reconciliation.models import CallKind

# What is well is written no more often.
EVERY = timedelta(seconds=1)
# A service that answered as lately as this does not hang, so calls need not be counted as they are
# sent. A little over the second between two probes, of which one may come a moment late.
LATELY = timedelta(seconds=1.2)
# While it does not answer, calls are counted as often. A little under that second.
HANGING_EVERY = timedelta(seconds=0.9)
# The durations that are kept: of so many calls, of the last while.
_KEPT_CALLS = 40
_KEPT_FOR = SLOW_FOR


@dataclass(frozen=True, slots=True)
class Sent:
    """A call under way. `at` is wall-clock time, `started` a time of `time.monotonic()`.

    `is_live`: its limit is the time that a shopper may wait.
    """

    kind: CallKind
    subject: str
    at: datetime
    started: float
    is_live: bool


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Sent calls to count now, and when the first of them was sent."""

    calls: int
    since: datetime


@dataclass(frozen=True, slots=True)
class _Took:
    at: datetime
    seconds: float


@dataclass(slots=True)
class Tally:
    """Calls of one kind that one process has made; safe for any threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last_good: datetime | None = None
    _good_written: datetime | None = None
    _sent_written: datetime | None = None
    _uncounted: list[Sent] = field(default_factory=list)
    _last_subject: str = ""
    _first: datetime | None = None
    # Something was written since the last good answer that the next one takes back.
    _is_dirty: bool = False
    _took: deque[_Took] = field(default_factory=lambda: deque(maxlen=_KEPT_CALLS))

    def sent(self, call: Sent) -> Uncounted | None:
        """Note a call as it is sent; returns the calls to count now, or None.

        A document that is sent again is not counted again.
        """
        with self._lock:
            self._first = self._first or call.at
            if call.subject and call.subject == self._last_subject:
                return None
            self._last_subject = call.subject
            self._uncounted.append(call)
            if _within(self._last_good, call.at, LATELY):
                return None
            if _within(self._sent_written, call.at, HANGING_EVERY):
                return None
            due = Uncounted(len(self._uncounted), self._first)
            self._uncounted, self._sent_written, self._is_dirty = [], call.at, True
            return due

    def answered(self, call: Sent, *, now: datetime, seconds: float) -> bool:
        """Note a good answer; True if it must be written now."""
        with self._lock:
            self._note(call, _Took(now, seconds))
            self._last_good, self._sent_written = now, None
            self._uncounted, self._first, self._last_subject = [], None, ""
            if not self._is_dirty and _within(self._good_written, now, EVERY):
                return False
            self._good_written, self._is_dirty = now, False
            return True

    def failed(self, call: Sent, *, now: datetime, seconds: float | None) -> bool:
        """Note a call without an answer; False if a later one was answered: it proves nothing.

        `seconds` is None unless the call ran out of time: other failures say nothing about speed.
        """
        with self._lock:
            if seconds is not None:
                self._note(call, _Took(now, seconds))
            if self._last_good is not None and self._last_good > call.at:
                return False
            self._is_dirty = True
            # It is counted as one that failed.
            self._uncounted = [one for one in self._uncounted if one is not call]
            return True

    def troubled(self, call: Sent) -> None:
        """Note an answer that is neither good nor a failure; the next good one must be written.

        The shared row forgets what hung before it, so later calls hang since they were sent.
        """
        with self._lock:
            self._is_dirty = True
            self._uncounted = [one for one in self._uncounted if one is not call]
            self._first = min((one.at for one in self._uncounted), default=None)

    def p95_ms(self) -> int | None:
        """Return what 19 of the last 20 calls took at most, in milliseconds."""
        with self._lock:
            took = sorted(one.seconds for one in self._took)
        return round(1000 * took[math.ceil(0.95 * len(took)) - 1]) if took else None

    def calls_to_slow(self, *, limit: float) -> int:
        """Return how many calls the last slow one ends: itself, and those since the one before.

        A call is slow if it takes `limit` seconds or longer.
        """
        with self._lock:
            recent = self._recent()
        over = [number for number, one in enumerate(recent) if one.seconds >= limit]
        if not over:
            return 1
        return over[-1] - over[-2] if len(over) > 1 else over[-1] + 1

    def _note(self, call: Sent, took: _Took) -> None:
        # Work in the background may take longer, and many such calls at once slow each other.
        if call.is_live or call.kind != CallKind.RESERVE:
            self._took.append(took)

    def _recent(self) -> Sequence[_Took]:
        if not self._took:
            return []
        newest = self._took[-1].at
        return [one for one in self._took if newest - one.at <= _KEPT_FOR]


def _within(moment: datetime | None, now: datetime, length: timedelta) -> bool:
    return moment is not None and moment <= now < moment + length

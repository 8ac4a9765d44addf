"""Detects a worker cluster that is alive but does nothing.

A cluster with a killed idle worker can hold its queue's lock for good: every process lives and no
task runs. Process states don't show that, so the supervisor checks progress: it queues a beat, and
if neither the beat nor any other work arrives within the patience, the cluster counts as wedged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

# A beat goes through the queue, and costs what every task does.
BEAT_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Marks that change when the worker works; only changes count, not the marks' clock."""

    beat_at: datetime | None
    work: object


class Watchdog:
    """Decides whether a worker is wedged; call `check` every few seconds.

    `progress` reads the marks, `nudge` queues a beat, `patience` is in seconds.
    """

    def __init__(
        self,
        *,
        patience: float,
        progress: Callable[[], Progress],
        nudge: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._progress = progress
        self._nudge = nudge
        self._clock = clock
        self._seen: Progress | None = None
        self._due_since: float | None = None
        self._nudged_at = float("-inf")

    def check(self) -> bool:
        """Return whether the worker is wedged. If it is, the wait starts again."""
        now = self._clock()
        self._look(now)
        if self._due_since is None:
            if now - self._nudged_at >= min(BEAT_EVERY_SECONDS, self._patience / 2):
                self._ask(now)
                self._due_since = now
            return False
        if now - self._due_since > self._patience:
            self._due_since = None
            self._nudged_at = float("-inf")
            return True
        if now - self._nudged_at > self._patience / 2:
            # The first beat may be lost with the broker that held it.
            self._ask(now)
        return False

    def excuse(self) -> None:
        """Restart the wait: the missing progress is not the worker's fault."""
        if self._due_since is not None:
            self._due_since = self._clock()

    def _look(self, now: float) -> None:
        found = self._progress()
        seen, self._seen = self._seen, found
        if seen is None or found.beat_at != seen.beat_at:
            self._due_since = None
        elif found.work != seen.work and self._due_since is not None:
            # Busy: the beat waits behind the work.
            self._due_since = now

    def _ask(self, now: float) -> None:
        self._nudge()
        self._nudged_at = now

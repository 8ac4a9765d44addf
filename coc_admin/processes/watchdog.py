"""Detects a worker cluster that is alive but does nothing.

A cluster whose idle worker was killed can hold its queue's lock for good: every process lives and
no task runs. Process states don't show that, so the supervisor checks progress instead: it
queues a beat, and when neither the beat nor any other work has come within the patience, the
cluster counts as wedged.
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
    """Marks that move when the worker works; only a change of them counts, not their clock."""

    beat_at: datetime | None
    work: object


class Watchdog:
    """Decides when a worker is wedged; `check` is to be called every few seconds.

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
        """Return whether the worker is wedged; after a yes, waiting starts from the beginning."""
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
        """Restart the waiting time: the missing progress is not the worker's fault."""
        if self._due_since is not None:
            self._due_since = self._clock()

    def _look(self, now: float) -> None:
        found = self._progress()
        seen, self._seen = self._seen, found
        if seen is None or found.beat_at != seen.beat_at:
            self._due_since = None
        elif found.work != seen.work and self._due_since is not None:
            # Busy, and the beat waits its turn behind the work.
            self._due_since = now

    def _ask(self, now: float) -> None:
        self._nudge()
        self._nudged_at = now

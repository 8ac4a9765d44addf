"""A short cache: values read a moment ago are reused for the next order, if the process enables it.

A process that answers orders sets `seconds`; everywhere else nothing is remembered. `seconds` is
the bound on how long a change that another process has committed may stay unseen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Of `seconds`: from then on one thread reads again, while the others go on with what is kept.
_READ_AGAIN_AFTER = 0.8
# Seconds to wait for a thread that reads: many that read at once only slow each other down.
_PATIENCE = 0.1


class Recent(Generic[K, V]):
    """Values by key, none older than `seconds` and no more of them than `most`."""

    def __init__(self, *, most: int = 1_000) -> None:
        self.seconds = 0.0
        self._most = most
        self._kept: dict[K, tuple[float, V]] = {}
        self._reading = threading.Lock()

    def get(self, key: K, read: Callable[[], V | None]) -> V | None:
        """Return the value of `key`, read now or a moment ago; None is never remembered."""
        if not self.seconds:
            return read()
        kept = self._kept_for(key, self.seconds * _READ_AGAIN_AFTER)
        if kept is not None:
            return kept
        if key not in self._kept:
            # What nobody knows, as tokens that somebody makes up, keeps no other waiting.
            return self._read(key, read)
        is_ours = self._reading.acquire(blocking=False)
        if not is_ours:
            kept = self._kept_for(key, self.seconds)
            if kept is not None:
                return kept
            is_ours = self._reading.acquire(timeout=_PATIENCE)
        try:
            # Another thread may have read it meanwhile.
            kept = self._kept_for(key, self.seconds * _READ_AGAIN_AFTER)
            return self._read(key, read) if kept is None else kept
        finally:
            if is_ours:
                self._reading.release()

    def _kept_for(self, key: K, seconds: float) -> V | None:
        """Return a value that is no older than that."""
        kept = self._kept.get(key)
        if kept is None or time.monotonic() - kept[0] >= seconds:
            return None
        return kept[1]

    def _read(self, key: K, read: Callable[[], V | None]) -> V | None:
        # From before the reading: what is committed meanwhile may not have been seen.
        at = time.monotonic()
        value = read()
        if value is None:
            self._kept.pop(key, None)
            return None
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[key] = (at, value)
        return value

    def forget(self) -> None:
        """Read everything again."""
        self._kept.clear()

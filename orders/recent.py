"""A short cache: values read a moment ago are reused for the next order, if the process enables it.

A process that answers orders sets `seconds`; everywhere else nothing is remembered. `seconds` is
the bound on how long a change that another process has committed may stay unseen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Of `seconds`: from then on one thread reads again, while the others go on with what is kept.
_READ_AGAIN_AFTER = 0.8


class Recent(Generic[K, V]):
    """Values by key, none older than `seconds` and no more of them than `most`."""

    def __init__(self, *, most: int = 1_000) -> None:
        self.seconds = 0.0
        self._most = most
        self._kept: dict[K, tuple[float, V]] = {}
        self._read_now: set[K] = set()

    def get(self, key: K, read: Callable[[], V | None]) -> V | None:
        """Return the value of `key`, read now or a moment ago; None is never remembered."""
        if not self.seconds:
            return read()
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and self._is_good(key, age=now - kept[0]):
            return kept[1]
        self._read_now.add(key)
        try:
            return self._keep(key, read(), at=now)
        finally:
            self._read_now.discard(key)

    def _is_good(self, key: K, *, age: float) -> bool:
        """Whether a value of this age will do; near its end, only while somebody reads it again."""
        if age < self.seconds * _READ_AGAIN_AFTER:
            return True
        return age < self.seconds and key in self._read_now

    def _keep(self, key: K, value: V | None, *, at: float) -> V | None:
        # `at` is from before the reading: what is committed meanwhile may not have been seen.
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

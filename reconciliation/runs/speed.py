"""The number of a run's concurrent calls: slow start, and half as many after failures."""

from __future__ import annotations

from datetime import datetime, timedelta

# What goes wrong together was sent together: it halves once.
_HALVED_EVERY = timedelta(seconds=1)


class Speed:
    """The calls that one dispatcher may have under way.

    Begins with what all processes have found that OCI bears, and doubles with as many good answers
    as calls may be under way, up to `most`.
    """

    def __init__(self, *, most: int) -> None:
        self.limit = 1
        self._most = most
        self._good = 0
        self._shared: int | None = None
        self._is_troubled = False
        self._halved_at: datetime | None = None

    def good(self) -> bool:
        """Count a good answer; return whether the limit has grown by it."""
        self._good += 1
        if self.limit >= self._most or self._good < self.limit:
            return False
        self._good = 0
        self.limit = min(2 * self.limit, self._most)
        return True

    def trouble(self) -> None:
        """Note a call that OCI throttled or did not answer."""
        self._is_troubled = True
        self._good = 0

    def seen(self, shared: int, *, now: datetime) -> int:
        """Take note of what all processes have found (`Pace.concurrency`); return the limit."""
        if self._shared is None:
            self.limit = shared
        elif self._is_troubled or shared < self._shared:
            self._halve(now)
        self._shared, self._is_troubled = shared, False
        return self.limit

    def _halve(self, now: datetime) -> None:
        if self._halved_at is None or now - self._halved_at >= _HALVED_EVERY:
            self.limit = max(1, self.limit // 2)
            self._halved_at = now

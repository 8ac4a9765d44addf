"""The simulator's requests: a bounded log and counters. No headers, bodies or tokens."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from itertools import islice, takewhile
from typing import Any

from .amounts import iso

KEPT = 100_000


class RequestLog:
    """Thread-safe; numbers continue after a reset so that ``since`` stays meaningful."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._number = 0
        self._total: Counter[tuple[str, str]] = Counter()
        self._since_reset: Counter[tuple[str, str]] = Counter()

    def add(
        self,
        *,
        method: str,
        path: str,
        operation: str,
        status: int,
        committed: bool,
        fault: str,
        dropped: bool,
    ) -> None:
        """Log one request; status 0 means that no status was sent."""
        with self._lock:
            self._number += 1
            self._entries.append(
                {
                    "number": self._number,
                    "at": iso(self._clock()),
                    "method": method,
                    "path": path[:500],
                    "operation": operation,
                    "status": status,
                    "committed": committed,
                    "dropped": dropped,
                    "fault": fault,
                }
            )
            key = (operation, str(status) if status else "no answer")
            self._total[key] += 1
            self._since_reset[key] += 1

    def reset(self) -> None:
        """Empty the log and the counters since reset."""
        with self._lock:
            self._entries.clear()
            self._since_reset.clear()

    def since(self, number: int, limit: int = KEPT) -> list[dict[str, Any]]:
        """Entries with a higher number, oldest first, at most the last ``limit``."""
        with self._lock:
            newer = takewhile(lambda entry: entry["number"] > number, reversed(self._entries))
            entries = list(islice(newer, limit))
        return entries[::-1]

    def last(self, number: int) -> list[dict[str, Any]]:
        """The last entries, newest first."""
        with self._lock:
            size = len(self._entries)
            return [self._entries[-1 - i] for i in range(min(number, size))]

    def counters(self) -> dict[str, Any]:
        """Requests by operation and status, in total and since the reset."""
        with self._lock:
            return {
                "requests": self._number,
                "total": _nested(self._total),
                "sinceReset": _nested(self._since_reset),
            }


def _nested(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    tree: dict[str, dict[str, int]] = {}
    for (operation, status), number in sorted(counter.items()):
        tree.setdefault(operation, {})[status] = number
    return tree

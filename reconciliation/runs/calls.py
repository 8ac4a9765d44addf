"""Calls to OCI side by side: a queue that threads work off, at most so many at once.

The threads live as long as the process, and so do their HTTP connections. They write nothing of a
reconciliation: what came of a call goes back to the one who asked for it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from django.db import connections

Result = TypeVar("Result")

_lock = threading.Lock()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _after_fork() -> None:
    """Give the child a lock of its own: the parent's may be held by a thread it does not have."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _pool(size: int) -> ThreadPoolExecutor:
    # A fork has none of its parent's threads.
    key = (os.getpid(), size)
    with _lock:
        if key not in _pools:
            _pools[key] = ThreadPoolExecutor(size, thread_name_prefix="oci")
        return _pools[key]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class Calls(Protocol[Result]):
    """Calls that wait, calls under way, and results to be collected."""

    def set_limit(self, limit: int) -> None:
        """Set the number of concurrent calls."""

    def add(self, calls: Iterable[Callable[[], Result]]) -> None:
        """Queue calls that may be held up by `hold` and dropped by `drop`."""

    def add_first(self, call: Callable[[], Result]) -> None:
        """Queue a call that comes before all others, and that nothing holds up."""

    def add_apart(self, call: Callable[[], Result]) -> None:
        """Queue other work than calls to OCI: one after the other, beside the calls."""

    def hold(self, held: bool) -> None:
        """Begin no more calls of `add` for now, or begin them again."""

    def drop(self) -> None:
        """Forget the calls of `add` that were not begun."""

    def waiting(self) -> int:
        """Return how many calls of `add` were not begun."""

    def is_idle(self) -> bool:
        """Whether no work is running and none can begin."""

    def collect(self, timeout: float) -> list[Result]:
        """Wait for results, for `timeout` seconds at most; raises what a call raised."""

    def close(self) -> None:
        """Begin nothing more."""


class CallsHere(Generic[Result]):
    """Calls one after the other in the thread that collects: for one call at a time."""

    def __init__(self) -> None:
        self._first: deque[Callable[[], Result]] = deque()
        self._others: deque[Callable[[], Result]] = deque()
        self._held = False

    def set_limit(self, limit: int) -> None:
        """See `Calls`; it is 1."""

    def add(self, calls: Iterable[Callable[[], Result]]) -> None:
        """See `Calls`."""
        self._others.extend(calls)

    def add_first(self, call: Callable[[], Result]) -> None:
        """See `Calls`."""
        self._first.append(call)

    add_apart = add_first

    def hold(self, held: bool) -> None:
        """See `Calls`."""
        self._held = held

    def drop(self) -> None:
        """See `Calls`."""
        self._others.clear()

    def waiting(self) -> int:
        """See `Calls`."""
        return len(self._others)

    def is_idle(self) -> bool:
        """See `Calls`."""
        return not self._first and (self._held or not self._others)

    def collect(self, timeout: float) -> list[Result]:
        """Make the next call."""
        if self._first:
            return [self._first.popleft()()]
        return [self._others.popleft()()] if self._others and not self._held else []

    def close(self) -> None:
        """Do nothing."""


class CallsInThreads(Generic[Result]):
    """Calls in the threads of this process, at most `limit` at once."""

    def __init__(self, *, most: int) -> None:
        """`most` is the highest that the limit will ever be."""
        self._limit = 1
        self._first: deque[Callable[[], Result]] = deque()
        self._others: deque[Callable[[], Result]] = deque()
        self._apart: deque[Callable[[], Result]] = deque()
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        self._running = self._running_apart = 0
        self._held = self._closed = False
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._came = threading.Condition(lock)
        self._work_apart = threading.Condition(lock)
        pool = _pool(most + 1)
        for _ in range(most):
            pool.submit(self._loop)
        pool.submit(self._loop_apart)

    def set_limit(self, limit: int) -> None:
        """See `Calls`."""
        with self._work:
            more, self._limit = limit - self._limit, limit
            if more > 0:
                self._work.notify(more)

    def add(self, calls: Iterable[Callable[[], Result]]) -> None:
        """See `Calls`."""
        with self._work:
            before = len(self._others)
            self._others.extend(calls)
            self._work.notify(len(self._others) - before)

    def add_first(self, call: Callable[[], Result]) -> None:
        """See `Calls`."""
        with self._work:
            self._first.append(call)
            self._work.notify()

    def add_apart(self, call: Callable[[], Result]) -> None:
        """See `Calls`."""
        with self._work:
            self._apart.append(call)
            self._work_apart.notify()

    def hold(self, held: bool) -> None:
        """See `Calls`."""
        with self._work:
            self._held = held
            self._work.notify_all()

    def drop(self) -> None:
        """See `Calls`."""
        with self._work:
            self._others.clear()

    def waiting(self) -> int:
        """See `Calls`."""
        return len(self._others)

    def is_idle(self) -> bool:
        """See `Calls`."""
        with self._work:
            may_begin = bool(self._first) or (bool(self._others) and not self._held)
            under_way = self._running or self._running_apart or self._apart
            return not (under_way or self._results or self._errors or may_begin)

    def collect(self, timeout: float) -> list[Result]:
        """See `Calls`. Some results are collected together: each waking costs the threads time."""
        until = time.monotonic() + timeout
        with self._work:
            while not self._errors and len(self._results) < max(1, self._running // 4):
                left = until - time.monotonic()
                if left <= 0 or not self._came.wait(left):
                    break
            if self._errors:
                raise self._errors[0]
            results, self._results = self._results, []
            return results

    def close(self) -> None:
        """See `Calls`."""
        with self._work:
            self._closed = True
            self._first.clear()
            self._others.clear()
            self._apart.clear()
            self._work.notify_all()
            self._work_apart.notify_all()

    def _loop(self) -> None:
        while (call := self._next()) is not None:
            made = _make(call)
            _close_database()
            with self._work:
                self._running -= 1
                self._end(made)

    def _loop_apart(self) -> None:
        """One thread keeps its database connection as long as there is work for it."""
        while (call := self._next_apart()) is not None:
            made = _make(call)
            with self._work:
                self._running_apart -= 1
                self._end(made)
        _close_database()

    def _end(self, made: Result | _Failed) -> None:
        if isinstance(made, _Failed):
            self._errors.append(made.error)
        else:
            self._results.append(made)
        self._came.notify()

    def _next_apart(self) -> Callable[[], Result] | None:
        with self._work:
            while not self._closed:
                if self._apart:
                    self._running_apart += 1
                    return self._apart.popleft()
                self._work_apart.wait()
        return None

    def _next(self) -> Callable[[], Result] | None:
        with self._work:
            while not self._closed:
                if self._running < self._limit:
                    if self._first:
                        self._running += 1
                        return self._first.popleft()
                    if self._others and not self._held:
                        self._running += 1
                        return self._others.popleft()
                self._work.wait()
        return None


def _make(call: Callable[[], Result]) -> Result | _Failed:
    try:
        return call()
    except BaseException as error:
        return _Failed(error)


def _close_database() -> None:
    """Close this thread's database connections: nobody else could, and threads live long."""
    for connection in connections.all(initialized_only=True):
        connection.close()

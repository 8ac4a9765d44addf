"""How long one statement may keep PostgreSQL, and a silent connection its thread.

A process is one of three kinds. Web, monitor and all undeclared ones are SERVICE: a person
waits. A worker has more time, a command that a person started has no limit. A thread
may take more or less for a while.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


class Kind(enum.Enum):
    """The kind of a process; the value is the setting with its limit in seconds."""

    SERVICE = "COC_DATABASE_SECONDS"
    WORKER = "COC_DATABASE_WORK_SECONDS"
    COMMAND = "COC_DATABASE_COMMAND_SECONDS"

    @property
    def seconds(self) -> float:
        """Return the limit of this kind."""
        return float(getattr(settings, self.value))


class _Process:
    kind = Kind.SERVICE


class _Thread(threading.local):
    kind: Kind | None = None
    seconds: float | None = None


_thread = _Thread()


def set_kind(kind: Kind) -> None:
    """Declare the kind of this process; open connections keep the server's limits."""
    _Process.kind = kind


def kind() -> Kind:
    """Return what this process is, or what this thread is for now."""
    return _thread.kind or _Process.kind


def seconds() -> float:
    """Return how long a statement of this thread may take now."""
    return kind().seconds if _thread.seconds is None else _thread.seconds


@contextmanager
def acting_as(kind: Kind) -> Iterator[None]:
    """Let this thread be of another kind; connections that it opens meanwhile are of that kind."""
    before, _thread.kind = _thread.kind, kind
    try:
        yield
    finally:
        _thread.kind = before


@contextmanager
def at_most(limit: float) -> Iterator[None]:
    """Give the statements of this thread no more than `limit` seconds each."""
    with _seconds(min(limit, seconds())):
        yield


@contextmanager
def for_work() -> Iterator[None]:
    """Give the statements of this thread as long as a worker's: exports, sums of a backlog."""
    with _seconds(max(Kind.WORKER.seconds, seconds())):
        yield


@contextmanager
def _seconds(limit: float) -> Iterator[None]:
    before, _thread.seconds = _thread.seconds, limit
    try:
        yield
    finally:
        _thread.seconds = before

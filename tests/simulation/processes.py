"""Simulated processes that take turns, interrupt each other, and die.

The database sees one statement after the other. Before a statement outside a transaction, and
during a call to OCI, another process may do its own work. At any statement or call a process may
die: its uncommitted changes are rolled back, and none of its code runs any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

# At this depth no process is interrupted any more.
DEEPEST = 3

_READS = re.compile(r"\s*(SELECT|EXPLAIN|PRAGMA)\b")
_ENDS = ("RELEASE", "ROLLBACK")


class Death(BaseException):
    """The process is killed; no `except Exception` may catch it."""


@dataclass
class Process:
    """One process. It dies at event `dies_at` and is interrupted at point `overtaken_at`.

    Events are calls to OCI and statements that write, or begin or end a transaction; points are
    calls and statements outside transactions. `began` is the last order event at its start.
    """

    name: str
    began: int = 0
    dies_at: int = 0
    overtaken_at: int = 0
    events: int = 0
    points: int = 0
    # Seconds spent waiting for OCI.
    waited: float = 0.0
    dead: bool = False

    def event(self) -> None:
        """Die if it is time."""
        self.events += 1
        if self.dead or self.events == self.dies_at:
            self.dead = True
            raise Death

    def reaches_overtaking(self) -> bool:
        self.points += 1
        return self.points == self.overtaken_at


class Processes:
    """The stack of processes: the last one runs, the others are interrupted."""

    def __init__(self, *, overtake: Callable[[], None], written: Callable[[str], None]) -> None:
        """`written` gets each statement that wrote or rolled back."""
        self._overtake = overtake
        self._written = written
        self._stack: list[Process] = []
        # Not `connection` itself, a proxy that looks the connection up at each use.
        self._database = connections[DEFAULT_DB_ALIAS]
        self._base = len(self._database.savepoint_ids)

    @property
    def depth(self) -> int:
        return len(self._stack)

    @property
    def running(self) -> Process:
        return self._stack[-1]

    @property
    def in_transaction(self) -> bool:
        return len(self._database.savepoint_ids) > self._base

    def run(self, process: Process, work: Callable[[], Any]) -> Any:
        """Run `work` in `process`; return its result, or Death if it died."""
        self._stack.append(process)
        try:
            return work()
        except Death:
            # Nothing may survive a transaction that was not committed.
            self._database.needs_rollback = False
            return Death
        finally:
            assert self._stack.pop() is process
            assert not self.in_transaction, f"{process.name} left a transaction open"

    def calling(self) -> None:
        """Record that the running process calls OCI; it may die or be interrupted."""
        assert not self.in_transaction, "a call to OCI inside a transaction"
        if self._stack:
            self._stack[-1].event()
            self.point()

    def point(self) -> None:
        """Let another process interrupt, if it is time."""
        process = self._stack[-1]
        if not process.dead and process.reaches_overtaking() and self.depth < DEEPEST:
            self._overtake()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch every statement."""
        with self._database.execute_wrapper(self._statement):
            yield

    def _statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if not self._stack:
            return execute(sql, params, many, context)
        process = self._stack[-1]
        if sql.startswith(_ENDS):
            result = execute(sql, params, many, context)
            if sql.startswith("ROLLBACK"):
                self._written(sql)
            # A transaction committed just before stays.
            elif not process.dead:
                process.event()
            return result
        if process.dead:
            raise Death
        if not self.in_transaction:
            self.point()
        if sql.startswith("SELECT") or _READS.match(sql):
            return execute(sql, params, many, context)
        process.event()
        result = execute(sql, params, many, context)
        self._written(sql)
        return result

"""A psycopg connection that is closed when the server falls silent.

TCP detects a lost peer (`tcp_user_timeout`, keepalives), and the server ends statements
that take too long. Neither helps when a device in between acknowledges every byte and passes none
on: a pooler that is stuck, a proxy whose other side has moved. So each wait for the server has a
limit here, after which the socket is closed. Nothing is sent to it any more: rolling back and
closing fail at once, and the server rolls back when it learns of it.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg

from orders import statement_limit

# How often a wait is interrupted to look at the clock.
_INTERVAL = 0.1


class _Silent(Exception):
    """The server has sent nothing for too long."""


class SilentServer(psycopg.OperationalError):
    """No answer. Statements, even a COMMIT, may have been executed: check, or repeat them."""


class Connection(psycopg.Connection[Any]):
    """Closes itself, with SilentServer, when a statement gets no answer within its limit."""

    # When it answered last, by `time.monotonic`.
    answered_at = float("-inf")

    def wait(
        self,
        gen: Generator[Any, Any, Any],
        interval: float = _INTERVAL,
        timeout: float | None = None,
    ) -> Any:
        """Wait for the server; `timeout` is of those who wait for what may never come (LISTEN)."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        limit = statement_limit.seconds()
        try:
            found = super().wait(_watched(gen, limit), min(interval, _INTERVAL))
            self.answered_at = time.monotonic()
            return found
        except _Silent:
            self.pgconn.finish()
            raise SilentServer(
                f"the database has not answered for {limit:g} seconds; the connection was closed"
            ) from None


def _watched(gen: Generator[Any, Any, Any], limit: float) -> Generator[Any, Any, Any]:
    """Do as `gen` does, and raise _Silent when nothing moves on its socket for `limit` seconds.

    Bytes that still move are no silence: a large result may take its time.
    """
    try:
        wanted = next(gen)
        until = time.monotonic() + limit
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + limit
            elif time.monotonic() >= until:
                raise _Silent
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value

"""Doing things at the same moment, each in a thread with a database connection of its own.

No race may hope for an order of statements, nor for a quick machine: who is to come second is held
until the other is where the test needs it; PostgreSQL tells who waits for whom.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection, connections, transaction

# Nothing here lasts as long unless something is broken, on however slow a machine.
SECONDS = 60.0

# Of those that wait for one row the first waits for who has it, the others for each other.
_WAITING_FOR_ME = """\
WITH RECURSIVE waiting AS MATERIALIZED (
    SELECT DISTINCT pid, pg_blocking_pids(pid) AS for_whom FROM pg_locks WHERE NOT granted
), mine AS (
    SELECT pid FROM waiting WHERE pg_backend_pid() = ANY(for_whom)
    UNION
    SELECT waiting.pid FROM waiting JOIN mine ON mine.pid = ANY(waiting.for_whom)
)
SELECT count(*) FROM mine
"""


def at_once(count: int, act: Callable[[int], str]) -> list[str]:
    """Run `act(0..count-1)` in threads that start together; return what each came to."""
    start = barrier(count)
    results = [""] * count

    def one(index: int) -> None:
        try:
            start.wait()
            results[index] = act(index)
        except Exception as error:
            results[index] = f"error: {error!r}"
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


def barrier(count: int) -> threading.Barrier:
    """Return a barrier for `count` threads, which breaks when one of them never comes."""
    return threading.Barrier(count, timeout=SECONDS)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, however long a slow machine takes."""
    until = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < until, "what this thread waits for has not happened"
        time.sleep(0.005)


def waiting_for_me() -> int:
    """Return how many connections wait for locks of this thread's transaction.

    On SQLite, where it can't be seen, none.
    """
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_FOR_ME)
        return int(cursor.fetchone()[0])


class Meeting:
    """Where `count` threads wait for each other, as far as a lock lets them come.

    With the guard the first one goes on when all others wait for its lock; without it all of them
    have come. Who ends without coming here says so with `leave`.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._come = 0

    def wait(self) -> None:
        """Wait until every other thread has come, has left or waits for a lock of this one."""
        self.leave()
        wait_until(lambda: self._come + waiting_for_me() >= self._count)

    def leave(self) -> None:
        """Let nobody wait for this thread."""
        with self._lock:
            self._come += 1


def while_uncommitted(first: Callable[[], object], then: Callable[[], object]) -> list[object]:
    """Do `then` in a thread while `first` is done and not committed; return what it came to.

    `then` must come to a lock that `first` has, which is waited for; PostgreSQL only.
    """
    results: list[object] = []

    def second() -> None:
        try:
            results.append(then())
        except Exception as error:
            results.append(f"error: {error!r}")
        finally:
            connections.close_all()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        first()
        thread.start()
        wait_until(lambda: bool(results) or waiting_for_me() > 0)
        assert results == [], "it has not waited for the first one"
    thread.join()
    return results

"""Doing things at the same moment, each in a thread with a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections, transaction


def at_once(count: int, act: Callable[[int], str]) -> list[str]:
    """Run `act(0..count-1)` in threads that start together; return what each came to."""
    barrier = threading.Barrier(count)
    results = [""] * count

    def one(index: int) -> None:
        try:
            barrier.wait()
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


def while_uncommitted(first: Callable[[], object], then: Callable[[], object]) -> list[object]:
    """Do `then` in a thread while `first` is done and not committed; return what it came to."""
    begun = threading.Event()
    results: list[object] = []

    def waits() -> None:
        begun.set()
        try:
            results.append(then())
        finally:
            connections.close_all()

    thread = threading.Thread(target=waits)
    with transaction.atomic():
        first()
        thread.start()
        begun.wait(10)
        # Long enough for its statement to begin, and to wait for the row.
        thread.join(0.5)
        assert results == []
    thread.join(10)
    return results

"""Counts of failed sign-ins, in the database for all processes and hosts, and in memory as well.

A count is a level that goes up by one with each failure and down with time. Only a password that
was hashed and found wrong is written down, so nobody causes more writes than hashes. When the
database is too slow for a count, the memory of this process counts alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import django.db
from django.conf import settings
from django.db import connection, transaction

from coc_admin.models import SignInCount

logger = logging.getLogger(__name__)

DATABASE_SECONDS = 1.0
MOST_ROWS = 20_000
KEEP_SECONDS = 2 * 24 * 3600.0
MEMORY_KEYS = 10_000
_PRUNE_EVERY = 60.0

_ADD = """
INSERT INTO {table} ("key", "level", "at", "leak", "name_hash", "address") VALUES {rows}
ON CONFLICT ("key") DO UPDATE SET
    "level" = 1 + CASE
        WHEN EXCLUDED."at" <= {table}."at" THEN {table}."level"
        WHEN {table}."level" > (EXCLUDED."at" - {table}."at") * EXCLUDED."leak"
        THEN {table}."level" - (EXCLUDED."at" - {table}."at") * EXCLUDED."leak"
        ELSE 0 END,
    "at" = CASE WHEN EXCLUDED."at" > {table}."at" THEN EXCLUDED."at" ELSE {table}."at" END
"""


@dataclass(frozen=True, slots=True)
class Count:
    """How many failures something has against it, at a moment in seconds since the epoch.

    `leak` is how many of them a second forgives. `name_hash` and `address` help people to find it.
    With `alone` the database could not take it, and only this process knows.
    """

    key: str
    level: float
    at: float
    leak: float
    name_hash: str = ""
    address: str = ""
    alone: bool = False

    def left(self, at: float) -> float:
        """Return the level that is left at a moment."""
        return max(0.0, self.level - max(0.0, at - self.at) * self.leak)

    def plus_one(self, before: Count | None) -> Count:
        """Return the count with this failure added."""
        if before is None:
            return replace(self, level=1.0)
        return replace(self, level=1 + before.left(self.at), at=max(self.at, before.at))


class Memory:
    """The counts that this process has seen last, a bounded number of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[Count, float]] = OrderedDict()

    def get(self, key: str, *, newer_than: float = float("-inf")) -> Count | None:
        """Return a count, if it was seen after `newer_than` on the monotonic clock."""
        with self._lock:
            count, seen_at = self._counts.get(key, (None, 0.0))
        return count if count is not None and seen_at > newer_than else None

    def put(self, count: Count) -> None:
        """Remember a count; the one that was not touched for longest makes room."""
        with self._lock:
            self._counts[count.key] = count, time.monotonic()
            self._counts.move_to_end(count.key)
            while len(self._counts) > MEMORY_KEYS:
                self._counts.popitem(last=False)

    def forget(self, keys: Collection[str]) -> None:
        """Forget some counts."""
        with self._lock:
            for key in keys:
                self._counts.pop(key, None)

    def clear(self) -> None:
        """Forget every count, as a process does that has just started."""
        with self._lock:
            self._counts.clear()

    def __len__(self) -> int:
        return len(self._counts)


memory = Memory()
_pruned_at = float("-inf")


@contextmanager
def bounded(*, write: bool) -> Iterator[None]:
    """Let the database take DATABASE_SECONDS for each statement of the block, a transaction.

    Inside another transaction the block is a part of it, and has its bounds.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    elif connection.vendor == "postgresql":
        milliseconds = f"{DATABASE_SECONDS * 1000:.0f}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('lock_timeout', %s, true)",
                [milliseconds, milliseconds],
            )
            yield
    elif write:
        _set_busy_timeout(DATABASE_SECONDS)
        try:
            with transaction.atomic():
                yield
        finally:
            _set_busy_timeout(settings.DATABASES["default"]["OPTIONS"].get("timeout", 5))
    else:
        yield  # readers of SQLite wait for nobody


def read(keys: Sequence[str]) -> dict[str, Count]:
    """Return the counts of `keys` that all processes share; those of this one if it must be."""
    try:
        with bounded(write=False):
            rows = list(SignInCount.objects.filter(pk__in=keys))
    except django.db.Error as error:
        logger.warning("Counts of sign-ins cannot be read; this process counts alone: %s", error)
        return {key: count for key in keys if (count := memory.get(key))}
    return _remember(keys, {row.key: _count_of(row) for row in rows})


def add(failures: Sequence[Count]) -> dict[str, float]:
    """Count one failure for each key; return the new levels. Call in `bounded(write=True)`."""
    table = connection.ops.quote_name(SignInCount._meta.db_table)
    # Locked in one order, so that two processes do not wait for each other.
    rows = sorted(failures, key=lambda count: count.key)
    statement = _ADD.format(table=table, rows=", ".join(["(%s, 1, %s, %s, %s, %s)"] * len(rows)))
    values = [v for c in rows for v in (c.key, c.at, c.leak, c.name_hash, c.address)]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    found = SignInCount.objects.filter(pk__in=[count.key for count in rows])
    shared = {row.key: _count_of(row) for row in found}
    add_alone([count for count in rows if (c := memory.get(count.key)) and c.alone])
    _remember(list(shared), shared)
    return {key: count.level for key, count in shared.items()}


def add_alone(failures: Sequence[Count]) -> None:
    """Count failures in the memory of this process, which the database could not take."""
    for count in failures:
        memory.put(replace(count.plus_one(memory.get(count.key)), alone=True))


def forget(keys: Sequence[str]) -> None:
    """Forget the failures of `keys`; call in `bounded(write=True)`."""
    SignInCount.objects.filter(pk__in=keys).delete()
    memory.forget(keys)


def prune(now: float) -> int:
    """Delete counts that are old, and the oldest above MOST_ROWS, once in a while; how many."""
    global _pruned_at
    if time.monotonic() - _pruned_at < _PRUNE_EVERY:
        return 0
    _pruned_at = time.monotonic()
    with bounded(write=True):
        rows = SignInCount.objects.all()
        gone = rows.filter(at__lt=now - KEEP_SECONDS).delete()[0]
        # Those of the audit log (coc_admin.accounts.sign_in.notes) are few, and must last.
        rows = rows.exclude(pk__startswith="note:")
        last = rows.order_by("-at").values_list("at", flat=True)[MOST_ROWS : MOST_ROWS + 1]
        for at in last:
            gone += rows.filter(at__lte=at).delete()[0]
    return gone


def _remember(keys: Sequence[str], shared: dict[str, Count]) -> dict[str, Count]:
    """Keep the counts that were read; return them, or this process's own where they are higher."""
    now, found = time.time(), dict(shared)
    for key in keys:
        own = memory.get(key)
        if (
            own is not None
            and own.alone
            and own.left(now) > (found[key].level if key in found else 0)
        ):
            found[key] = own
    memory.forget([key for key in keys if key not in found])
    for count in found.values():
        memory.put(count)
    return found


def _count_of(row: SignInCount) -> Count:
    return Count(row.key, row.level, row.at, row.leak, row.name_hash, row.address)


def _set_busy_timeout(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

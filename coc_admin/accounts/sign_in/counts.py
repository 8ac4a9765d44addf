"""Counts of failed sign-ins, in the database for all processes and hosts, and in memory.

A count is a level that rises by one with each failure and falls with time. Only a hashed and wrong
password is stored, so nobody causes more writes than hashes. If the database is too slow for a
count, only the memory of this process counts it.
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
    """The level of failures at a moment in seconds since the epoch.

    `leak` is how many failures a second forgives. `name_hash` and `address` help people to find the
    count. `alone`: the database could not store it, so only this process knows it.
    """

    key: str
    level: float
    at: float
    leak: float
    name_hash: str = ""
    address: str = ""
    alone: bool = False

    def left(self, at: float) -> float:
        """Return the level remaining at a moment."""
        return max(0.0, self.level - max(0.0, at - self.at) * self.leak)

    def plus_one(self, before: Count | None) -> Count:
        """Return the count with this failure added."""
        if before is None:
            return replace(self, level=1.0)
        return replace(self, level=1 + before.left(self.at), at=max(self.at, before.at))


class Memory:
    """The counts last seen by this process, limited in number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[Count, float]] = OrderedDict()

    def get(self, key: str, *, newer_than: float = float("-inf")) -> Count | None:
        """Return a count, if it was seen after `newer_than` on the monotonic clock."""
        with self._lock:
            count, seen_at = self._counts.get(key, (None, 0.0))
        return count if count is not None and seen_at > newer_than else None

    def put(self, count: Count) -> None:
        """Remember a count; evicts the least recently changed one."""
        with self._lock:
            self._counts[count.key] = count, time.monotonic()
            self._counts.move_to_end(count.key)
            while len(self._counts) > MEMORY_KEYS:
                self._counts.popitem(last=False)

    def forget(self, keys: Collection[str]) -> None:
        """Forget these counts."""
        with self._lock:
            for key in keys:
                self._counts.pop(key, None)

    def clear(self) -> None:
        """Forget every count, as after a process start."""
        with self._lock:
            self._counts.clear()

    def __len__(self) -> int:
        return len(self._counts)


memory = Memory()
_pruned_at = float("-inf")


@contextmanager
def bounded(*, write: bool) -> Iterator[None]:
    """Limit each statement of the block, a transaction, to DATABASE_SECONDS.

    Inside another transaction the block is part of it, and uses its limits.
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
        yield  # SQLite readers never wait


def read(keys: Sequence[str]) -> dict[str, Count]:
    """Return the shared counts of `keys`, or this process's own if the database fails."""
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
    # Locked in sorted order, so that two processes can't deadlock.
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
    """Count failures only in this process's memory, because the database could not store them."""
    for count in failures:
        memory.put(replace(count.plus_one(memory.get(count.key)), alone=True))


def forget(keys: Sequence[str]) -> None:
    """Delete the failures of `keys`; call in `bounded(write=True)`."""
    SignInCount.objects.filter(pk__in=keys).delete()
    memory.forget(keys)


def prune(now: float) -> int:
    """Delete old counts, and the oldest above MOST_ROWS, from time to time; return how many."""
    global _pruned_at
    if time.monotonic() - _pruned_at < _PRUNE_EVERY:
        return 0
    _pruned_at = time.monotonic()
    with bounded(write=True):
        rows = SignInCount.objects.all()
        gone = rows.filter(at__lt=now - KEEP_SECONDS).delete()[0]
        # Counts of the audit log (coc_admin.accounts.sign_in.notes) are few, and must stay.
        rows = rows.exclude(pk__startswith="note:")
        last = rows.order_by("-at").values_list("at", flat=True)[MOST_ROWS : MOST_ROWS + 1]
        for at in last:
            gone += rows.filter(at__lte=at).delete()[0]
    return gone


def _remember(keys: Sequence[str], shared: dict[str, Count]) -> dict[str, Count]:
    """Cache the counts that were read; return them, or this process's own if higher."""
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

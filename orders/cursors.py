"""Cursors and parameters for statements that every order, or very many orders, need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL


def prepared_cursor() -> Any:
    """Return a cursor whose statements the server prepares once per connection, where it can.

    SQLite prepares every statement anyway; behind a pooler that pools by transaction nothing can be
    prepared. Use it with `with`, and with statements whose text never changes.
    """
    make = getattr(connection, "prepared_cursor", connection.cursor)
    return make()


@lru_cache(maxsize=1_000)
def time_on_sqlite(at: datetime) -> Any:
    """Return a moment as SQLite stores it. An order writes its own seven times."""
    return connection.ops.adapt_datetimefield_value(at)


def next_ids_on_sqlite(cursor: Any, *tables: str) -> list[int]:
    """Return the next row id of each table; the write lock keeps other processes from using it."""
    marks = ", ".join(["%s"] * len(tables))
    cursor.execute(f"SELECT name, seq FROM sqlite_sequence WHERE name IN ({marks})", tables)  # noqa: S608
    last = dict(cursor.fetchall())
    return [last.get(table, 0) + 1 for table in tables]


def among(ids: Sequence[int]) -> RawSQL:
    """Return `ids` for a lookup with `in`, as one parameter whatever their number.

    With one parameter each, Django and psycopg need longer than the statement.
    """
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", [f"{{{','.join(map(str, ids))}}}"])
    return RawSQL("SELECT value FROM json_each(%s)", [f"[{','.join(map(str, ids))}]"])

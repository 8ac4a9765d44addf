"""What PostgreSQL knows of tables: nothing, as after an import, a restore or an upgrade of it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection


def forget(tables: Sequence[str]) -> None:
    """Make PostgreSQL forget what it has counted in `tables`, until the transaction is undone.

    The user of the database must be a superuser. The plans then depend on nothing else: not on
    whether, and after which rows, autovacuum has counted the tables.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM pg_statistic WHERE starelid = ANY(%s::regclass[])", [list(tables)]
        )
        cursor.execute(
            "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = ANY(%s::regclass[])",
            [list(tables)],
        )

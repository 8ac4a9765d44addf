"""Keys that a page shows by chance nowhere else, and that are those of one table alone.

An order with the key 7 made tests pass or fail by what else on its page is a 7, and a key of the
wrong table was often one of the right table as well. The sequences go on after a rollback on
PostgreSQL, so that such a test depended on those before it.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

_LABELS = ("orders", "reconciliation", "coc_admin", "auth")
# Nine digits, as a form takes them; a million for each table.
_FIRST, _EACH = 900_373_000, 1_000_000


def begin() -> None:
    """Let each table of the database give out keys from its own first one on."""
    with connection.cursor() as cursor:
        for place, (table, column) in enumerate(_tables()):
            first = _FIRST + place * _EACH
            if connection.vendor == "sqlite":
                _begin_on_sqlite(cursor, table, first)
            else:
                _begin_on_postgresql(cursor, table, column, first)


def _tables() -> list[tuple[str, str]]:
    models = [
        model
        for label in _LABELS
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.auto_field is not None
    ]
    return sorted((model._meta.db_table, model._meta.pk.column) for model in models)


def _begin_on_sqlite(cursor: Any, table: str, first: int) -> None:
    cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
    cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, %s)", [table, first])


def _begin_on_postgresql(cursor: Any, table: str, column: str, first: int) -> None:
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [f'"{table}"', column])
    (sequence,) = cursor.fetchone()
    # With --reuse-db it has begun before.
    cursor.execute(
        f"SELECT setval('{sequence}', greatest(last_value, %s)) FROM {sequence}", [first]
    )

"""Triggers and indexes behind the search, on both databases.

Triggers write the texts, so capture needs no extra statement. On PostgreSQL a trigram index
(`pg_trgm`) answers fragments. New texts wait in its pending list, which costs capture little; the
sweep merges them (`tidy`). On SQLite FTS5 with its trigram tokenizer does the same. Where neither
is available, search matches only complete numbers and beginnings, and `manage.py check` reports it
(coc.W031).
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, connections, transaction

from orders.search import postgresql, sqlite

logger = logging.getLogger(__name__)

_TABLES = {"orders_ordertext", "orders_producttext", "orders_order", "orders_inventoryrecord"}


def _of(connection: Any) -> Any:
    return sqlite if connection.vendor == "sqlite" else postgresql


def install(connection: Any) -> None:
    """Create missing triggers; waits for transactions that are writing orders."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        _of(connection).install_triggers(cursor)


def install_index(connection: Any) -> bool:
    """Create the fragment index unless it exists; False if this database can't have one."""
    if has_index(connection):
        return True
    try:
        _of(connection).install_index(connection)
    except DatabaseError as error:
        logger.warning("Search finds no fragments: the index cannot be made. %s", error)
        return False
    return True


def has_index(connection: Any) -> bool:
    """Whether fragments can be searched; one small query."""
    with connection.cursor() as cursor:
        return bool(_of(connection).has_index(cursor))


def remove(connection: Any) -> None:
    """Drop triggers and indexes, for a downgrade to an earlier version."""
    with connection.cursor() as cursor:
        for statement in _of(connection).REMOVE:
            cursor.execute(statement)


def fill(connection: Any, *, chunk: int = 5_000) -> None:
    """Write the texts of orders and records older than the triggers, in chunks."""
    for table, statement in _of(connection).FILL.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COALESCE(MIN(id), 1) - 1, COALESCE(MAX(id), 0) FROM {table}")
            before, last = cursor.fetchone()
        for start in range(before, last, chunk):
            with connection.cursor() as cursor:
                cursor.execute(statement, [start, start + chunk])


def tidy(connection: Any) -> None:
    """Merge new texts into PostgreSQL's index, so that captures need not. No effect on SQLite."""
    if connection.vendor != "postgresql" or not has_index(connection):
        return
    with connection.cursor() as cursor:
        for name in postgresql.INDEXES:
            cursor.execute("SELECT gin_clean_pending_list(%s::regclass)", [name])


def remove_before_migrate(*, using: str, **_: Any) -> None:
    """Drop SQLite's triggers (signal pre_migrate).

    SQLite refuses to rebuild a table in a migration while a trigger names it.
    """
    connection = connections[using]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for statement in sqlite.REMOVE_TRIGGERS:
                cursor.execute(statement)


def install_after_migrate(*, using: str, **_: Any) -> None:
    """Create triggers and index again, or for the first time (signal post_migrate)."""
    connection = connections[using]
    if not set(connection.introspection.table_names()) >= _TABLES:
        return
    install(connection)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(sqlite.CATCH_UP)
    install_index(connection)

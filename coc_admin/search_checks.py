"""The system check of the search's index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Tags
from django.db import DatabaseError, connection

from orders.search import index

Apps = Sequence[AppConfig] | None


@checks.register(Tags.database)
def search_finds_fragments(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W031: without an index of fragments, search knows whole numbers and beginnings only."""
    if not databases:
        return []
    try:
        if index.has_index(connection) or not _has_texts():
            return []
    except DatabaseError:
        return []  # away: other checks tell
    return [
        checks.Warning(
            "The search finds no fragments: the database has no index of them.",
            hint="On PostgreSQL, CREATE EXTENSION pg_trgm as a role that may, then run `migrate`."
            " SQLite must be 3.34 or newer, with FTS5.",
            id="coc.W031",
        )
    ]


def _has_texts() -> bool:
    """Whether the migrations have come as far as the search."""
    return "orders_ordertext" in connection.introspection.table_names()

"""Read the rows of a world unobserved, and describe faults."""

from __future__ import annotations

from typing import Any

from django.db import connection


class Broken(AssertionError):
    """A promise is broken; the world's log shows how."""


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Return the rows of `sql`, unobserved: past Django, straight from SQLite."""
    found: list[tuple[Any, ...]] = connection.connection.execute(sql, params).fetchall()
    return found

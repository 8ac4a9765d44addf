"""Looking at the rows of a world while nobody watches, and saying what is wrong."""

from __future__ import annotations

from typing import Any

from django.db import connection


class Broken(AssertionError):
    """A promise is broken; the world's log tells how it came to it."""


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Return what `sql` finds, with nobody watching: past Django, straight from SQLite."""
    found: list[tuple[Any, ...]] = connection.connection.execute(sql, params).fetchall()
    return found

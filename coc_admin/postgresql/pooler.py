"""Checks whether COC_DATABASE_POOLER matches what is in front of the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

_TRIES = 5
_SET_IT = (
    "Set COC_DATABASE_POOLER=transaction or COC_DATABASE_POOLER=session, as the pooler's pool_mode"
    " is."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault, and its remedy."""

    message: str
    hint: str


def problem(connection: BaseDatabaseWrapper) -> Problem | None:
    """Return how the setting contradicts the actual server or pooler; queries the database.

    Of a pooler that shares sessions between transactions nothing may be expected that lasts longer:
    exports would fail, and limits would be set for somebody else.
    """
    if connection.vendor != "postgresql":
        return None
    declared = str(connection.settings_dict.get("POOLER", ""))
    if declared != "transaction" and shares_sessions(connection):
        return Problem(
            "A pooler that pools by transaction stands before the database, and"
            f" COC_DATABASE_POOLER is {declared or 'not set'}.",
            "Set COC_DATABASE_POOLER=transaction; see Poolers in docs/operations.md.",
        )
    if not declared and stands_before(connection):
        return Problem(
            "A pooler stands before the database, and COC_DATABASE_POOLER is not set.", _SET_IT
        )
    return None


def hint_at_refused_options(error: DatabaseError) -> str:
    """Return what to do when a pooler has refused our startup options, "" for another error."""
    return f"A pooler stands before it. {_SET_IT}" if "startup parameter" in str(error) else ""


def stands_before(connection: BaseDatabaseWrapper) -> bool:
    """Whether who greeted us is another than who works for us."""
    connection.ensure_connection()
    link: Any = connection.connection
    return bool(link.info.backend_pid != _server_process(connection))


def shares_sessions(connection: BaseDatabaseWrapper) -> bool:
    """Whether one process of the server works for two open connections of ours.

    False is no proof where others use the pooler at this moment.
    """
    other = connection.copy()
    try:
        return any(_server_process(connection) == _server_process(other) for _ in range(_TRIES))
    finally:
        other.close()


def limits_idle_transactions(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server ends idle transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return bool(cursor.fetchone()[0] != "0")


def _server_process(connection: BaseDatabaseWrapper) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])

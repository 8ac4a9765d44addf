"""The backend that `DATABASES` names for PostgreSQL: `coc_admin.postgresql`.

`POOLER` beside the usual settings of a database says what stands before the server: nothing (""),
or a pooler that pools by `session` or by `transaction`.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base, operations

from coc_admin.postgresql import server_limits
from coc_admin.postgresql.silence import Connection
from orders import statement_limit

# What a connection that is there, or has just been made, has to answer within.
GREETING_SECONDS = 2.0
# A connection that has answered as lately as this is not asked whether it is there. A little over
# the second between two turns of a loop.
LATELY = 1.5


class _Driver:
    """psycopg, whose connections do not wait for ever."""

    connect = staticmethod(Connection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


# Statements are prepared where they ask for it (`prepared_cursor`), never by how often they came:
# those of Django differ too much. Without a number psycopg prepares nothing.
_NEVER_BY_NUMBER = 2**31 - 1


class PreparedCursor(base.ServerBindingCursor):
    """A cursor whose statements the server prepares, once per connection."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> Any:
        """Execute a statement with parameters that are sent apart from it."""
        return super().execute(query, params, prepare=True)  # type: ignore[misc]


class DatabaseOperations(operations.DatabaseOperations):
    """Django's operations, which also report prepared statements."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        """Return a statement with its values; of one that was prepared, its text."""
        return super().last_executed_query(cursor, sql, params) or str(sql)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with limits of our side and of the server's."""

    Database: Any = _Driver()
    ops_class = DatabaseOperations

    @property
    def pooler(self) -> str:
        """Return how the pooler before the server pools, "" without one."""
        return str(self.settings_dict.get("POOLER", ""))

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's parameters and the server's limits; those of OPTIONS go before ours."""
        parameters: dict[str, Any] = super().get_connection_params()
        if not self.pooler:
            theirs = parameters.get("options", "")
            parameters["options"] = f"{server_limits.as_options()} {theirs}".strip()
        if self.may_prepare and parameters.get("prepare_threshold") is None:
            parameters["prepare_threshold"] = _NEVER_BY_NUMBER
        return parameters

    @property
    def may_prepare(self) -> bool:
        """Whether a session is ours: a pooler by transaction gives it to others as well."""
        return self.pooler != "transaction"

    def prepared_cursor(self) -> Any:
        """Return a cursor for statements that are worth preparing; see orders.cursors."""
        if not self.may_prepare:
            return self.cursor()
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            cursor = PreparedCursor(self.connection)  # type: ignore[call-arg]
        return self._prepare_cursor(cursor)  # type: ignore[attr-defined]

    def init_connection_state(self) -> None:
        """Set up a new connection, which must answer quickly."""
        with statement_limit.at_most(GREETING_SECONDS):
            super().init_connection_state()
            # A pooler takes no startup options. Of one that pools by transaction a session is not
            # ours, and what is set there would be somebody else's.
            if self.pooler == "session" and self.connection is not None:
                with self.connection.cursor() as cursor:
                    cursor.execute(server_limits.as_statement())

    def is_usable(self) -> bool:
        """Whether the connection answers a small question soon."""
        with statement_limit.at_most(GREETING_SECONDS):
            return bool(super().is_usable())

    def close_if_health_check_failed(self) -> None:
        """Close a connection that does not answer, once a request as Django does it.

        One that has just answered a statement, and at whose other end nobody has hung up, is not
        asked: at a hundred orders a second the question would be a sixth of all statements, and a
        loop would ask it each second.
        """
        link: Any = self
        if link.connection is None or link.health_check_done or not link.health_check_enabled:
            return
        if time.monotonic() - link.connection.answered_at < LATELY and self._is_quiet():
            link.health_check_done = True
            return
        super().close_if_health_check_failed()

    def _is_quiet(self) -> bool:
        """Whether no data is pending: a server sends some when it ends a connection."""
        try:
            poll = select.poll()
            poll.register(self.connection.fileno(), select.POLLIN)
            return not poll.poll(0)
        except (psycopg.Error, OSError, ValueError):
            return False

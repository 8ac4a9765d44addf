"""The backend that `DATABASES` names for PostgreSQL: `coc_admin.postgresql`.

`POOLER` beside the usual settings of a database says what stands before the server: nothing (""),
or a pooler that pools by `session` or by `transaction`.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from coc_admin.postgresql import server_limits
from coc_admin.postgresql.silence import Connection
from orders import statement_limit

# What a connection that is there, or has just been made, has to answer within.
GREETING_SECONDS = 2.0


class _Driver:
    """psycopg, whose connections do not wait for ever."""

    connect = staticmethod(Connection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with limits of our side and of the server's."""

    Database: Any = _Driver()

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
        return parameters

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

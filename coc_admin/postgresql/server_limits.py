"""Limits that the server enforces for each of our connections."""

from __future__ import annotations

from orders import statement_limit
from orders.statement_limit import Kind

# Of a transaction in which we send nothing: our process hangs, or the line to it is dead. Its locks
# keep others from the same stock, so it ends soon.
IDLE_SECONDS = 10
IDLE_SECONDS_OF_COMMANDS = 300
# A host that has gone without a word is noticed after 25 seconds.
_KEEPALIVE = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
# Compiling a statement takes up to a second, longer than any of ours runs.
_PLANNING = {"jit": "off"}


def for_connection() -> dict[str, str]:
    """Return the server's settings (milliseconds) for a connection that is opened now.

    The server ends a statement no sooner than any caller of this process would; waiting for a lock
    ends a little before the caller gives up, which leaves the connection whole.
    """
    kind = statement_limit.kind()
    command = kind is Kind.COMMAND
    return {
        "statement_timeout": _milliseconds(max(kind.seconds, Kind.WORKER.seconds)),
        "lock_timeout": _milliseconds(0.8 * kind.seconds),
        "idle_in_transaction_session_timeout": _milliseconds(
            IDLE_SECONDS_OF_COMMANDS if command else IDLE_SECONDS
        ),
        **_KEEPALIVE,
        **_PLANNING,
    }


def as_options() -> str:
    """Return them as the startup parameter `options`."""
    return " ".join(f"-c {name}={value}" for name, value in for_connection().items())


def as_statement() -> str:
    """Return one statement that sets them for a session that is ours alone."""
    return "; ".join(f"SET {name} = {value}" for name, value in for_connection().items())


def _milliseconds(seconds: float) -> str:
    return str(round(1000 * seconds))

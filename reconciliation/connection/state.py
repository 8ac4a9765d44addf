"""Reading the connection row."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from orders.recent import Recent
from orders.standing_queries import Rows
from reconciliation.models import CONNECTION_ID, Connection, ConnectionState

ANSWERING = (ConnectionState.ONLINE, ConnectionState.RECOVERING)
# Calls at once when a service is new to us or has just come back; grows while answers are good.
START_CONCURRENCY = 4

# Web processes remember the connection for a moment: at a hundred orders a second few read it.
recent: Recent[int, Connection] = Recent()
REMEMBERED_SECONDS = 0.1
_COLUMNS = [field.attname for field in Connection._meta.concrete_fields]
_read = Rows(lambda: row().values_list(*_COLUMNS))


def row() -> QuerySet[Connection]:
    """Return the connection row as a queryset, for conditional updates."""
    return Connection.objects.filter(pk=CONNECTION_ID)


def current() -> Connection:
    """Return the connection as it is now: one query; the first caller ever creates the row."""
    found = row().first()
    if found is None:
        found, _ = Connection.objects.get_or_create(
            pk=CONNECTION_ID,
            defaults={"since": timezone.now(), "concurrency": start_concurrency()},
        )
    return found


def current_state() -> str:
    """Return the state of the connection as it is now: one small query."""
    state = row().values_list("state", flat=True).first()
    return current().state if state is None else state


def lately() -> Connection:
    """Return the connection as it was a moment ago at most, for placing orders.

    Another order would have been placed under the state of that moment as well.
    """
    return recent.get(CONNECTION_ID, _current_by_standing_query) or current()


def _current_by_standing_query() -> Connection:
    """Return what `current` returns.

    Ten times a second and process: Django needs five times as long to build the statement as to
    execute it.
    """
    found = _read()
    return Connection.from_db("default", _COLUMNS, found[0]) if found else current()


def settings_digest() -> str:
    """Return a short text that changes with the address of OCI or with who we are there."""
    names = ("BASE_URL", "TENANT_GROUP_ID", "TOKEN_URL", "CLIENT_ID", "SCOPE")
    values = "\n".join(str(getattr(settings, f"COC_OCI_{name}")) for name in names)
    return hashlib.sha256(values.encode()).hexdigest()[:16]


def has_answered(connection: Connection) -> bool:
    """Whether OCI has ever answered with the present settings.

    An earlier version noted only that it had answered.
    """
    if connection.last_good_at is None:
        return False
    return connection.answered_settings in ("", settings_digest())


def start_concurrency() -> int:
    """Return the initial number of concurrent calls."""
    return min(START_CONCURRENCY, settings.COC_OCI_CONCURRENCY)


def may_call(connection: Connection) -> bool:
    """Whether OCI is held to answer: ONLINE or RECOVERING, even if it asked us to slow down."""
    return connection.state in ANSWERING


def is_usable(
    connection: Connection, *, now: datetime | None = None, patience: float | None = None
) -> bool:
    """Whether a call may be made now, or within `patience` seconds of waiting for Retry-After.

    `patience` defaults to COC_OCI_LIVE_TIMEOUT: a shopper waits no longer. Background work that can
    wait asks `may_call` and obeys `pace().wait_seconds` instead.
    """
    if not may_call(connection):
        return False
    if connection.wait_until is None:
        return True
    limit = settings.COC_OCI_LIVE_TIMEOUT if patience is None else patience
    return connection.wait_until <= (now or timezone.now()) + timedelta(seconds=limit)

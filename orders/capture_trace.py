"""The trigger that notes each captured order, so that a deleted one is missed.

It costs no statement and no lock that two captures share. SQLite drops the triggers of a table that
a migration rebuilds; each `migrate` therefore ends with `install`. A migration that rebuilds
`orders_capturetrace` must `remove` the trigger first.
"""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import connections, transaction
from django.db.models import Exists, OuterRef

_NAME = "orders_trace_capture"
_TABLE = "orders_capturetrace"
_COLUMNS = ("id", "site_id", "order_no", "captured_at", "currency", "order_total", "payload_hash")
_CHUNK = 5_000

_INTO = f"INTO {_TABLE} ({', '.join(_COLUMNS)}) VALUES ({', '.join(f'NEW.{c}' for c in _COLUMNS)})"
_INSTALL = {
    "sqlite": (
        f"CREATE TRIGGER IF NOT EXISTS {_NAME} AFTER INSERT ON orders_order"
        f" BEGIN INSERT OR IGNORE {_INTO}; END",
    ),
    "postgresql": (
        f"CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN INSERT {_INTO} ON CONFLICT DO NOTHING; RETURN NULL; END$$",
        f"CREATE TRIGGER {_NAME} AFTER INSERT ON orders_order"
        f" FOR EACH ROW EXECUTE FUNCTION {_NAME}()",
    ),
}
_REMOVE = {
    "sqlite": (f"DROP TRIGGER IF EXISTS {_NAME}",),
    "postgresql": (
        f"DROP TRIGGER IF EXISTS {_NAME} ON orders_order",
        f"DROP FUNCTION IF EXISTS {_NAME}()",
    ),
}


def install(connection: Any) -> None:
    """Create the trigger unless it exists; waits for transactions that are writing orders."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if not _is_installed(connection, cursor):
            for statement in _INSTALL[connection.vendor]:
                cursor.execute(statement)


def _is_installed(connection: Any, cursor: Any) -> bool:
    if connection.vendor == "sqlite":
        cursor.execute("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = %s", [_NAME])
    else:
        cursor.execute(
            "SELECT 1 FROM pg_trigger WHERE tgname = %s AND tgrelid = 'orders_order'::regclass",
            [_NAME],
        )
    return cursor.fetchone() is not None


def remove(connection: Any) -> None:
    """Drop the trigger."""
    with connection.cursor() as cursor:
        for statement in _REMOVE[connection.vendor]:
            cursor.execute(statement)


def note_existing(registry: Apps, alias: str) -> None:
    """Record the orders captured before the trigger existed; in short transactions.

    The current values of an order count as its values at capture.
    """
    orders = registry.get_model("orders", "Order")._default_manager.using(alias)
    traces = registry.get_model("orders", "CaptureTrace")
    noted = traces._default_manager.using(alias)
    last = 0
    while ids := list(
        orders.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_CHUNK]
    ):
        there = noted.filter(pk=OuterRef("pk"))
        lacking = orders.filter(pk__in=ids).filter(~Exists(there)).order_by("pk")
        noted.bulk_create(
            [traces(**row) for row in lacking.values(*_COLUMNS)], ignore_conflicts=True
        )
        last = ids[-1]


def install_after_migrate(*, using: str, **_: Any) -> None:
    """Create the trigger again where a migration has lost it (signal post_migrate)."""
    connection = connections[using]
    if {_TABLE, "orders_order"} <= set(connection.introspection.table_names()):
        install(connection)

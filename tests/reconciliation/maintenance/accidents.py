"""Accidents with rows, done past the product in SQL, and undone as from a backup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from orders.models import (
    Hold,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
)
from reconciliation.models import Attempt, ReservationDocument, RunEntry

# Children before their parents.
_TABLES: tuple[tuple[Any, str], ...] = (
    (RunEntry, "order_id = %s"),
    (Attempt, "order_id = %s"),
    (ReservationDocument, "order_id = %s"),
    (Movement, "hold_id IN (SELECT id FROM orders_hold WHERE order_id = %s)"),
    (Hold, "order_id = %s"),
    (OrderEvent, "order_id = %s"),
    (OrderPayload, "order_id = %s"),
    (OrderItem, "order_id = %s"),
    (Order, "id = %s"),
)


@dataclass
class Backup:
    """The rows of an order as they were."""

    rows: list[tuple[str, list[str], list[tuple[Any, ...]]]]

    def restore(self, *, over: bool = False) -> None:
        """Put back the rows that are not there, parents first; with `over` the others as well."""
        with connection.cursor() as cursor:
            for table, columns, rows in reversed(self.rows):
                for row in rows:
                    where = f"WHERE {columns[0]} = %s"
                    cursor.execute(f"SELECT 1 FROM {table} {where}", row[:1])
                    if cursor.fetchone() is None:
                        marks = ", ".join(["%s"] * len(columns))
                        into = f"INSERT INTO {table} ({', '.join(columns)})"
                        cursor.execute(f"{into} VALUES ({marks})", row)
                    elif over:
                        values = ", ".join(f"{column} = %s" for column in columns)
                        cursor.execute(f"UPDATE {table} SET {values} {where}", (*row, row[0]))


def back_up(order: Order) -> Backup:
    """Read all rows of an order as the database has them."""
    rows = []
    with connection.cursor() as cursor:
        for model, where in _TABLES:
            # Cast by nobody: a JSON column stays text, as in a dump.
            names = [field.column for field in model._meta.concrete_fields]
            texts = [
                f"CAST({name} AS text)" if kind == "JSONField" else name
                for name, kind in zip(names, _kinds(model), strict=True)
            ]
            table = model._meta.db_table
            cursor.execute(f"SELECT {', '.join(texts)} FROM {table} WHERE {where}", [order.pk])
            rows.append((table, names, cursor.fetchall()))
    return Backup(rows)


def _kinds(model: Any) -> list[str]:
    return [field.get_internal_type() for field in model._meta.concrete_fields]


def delete(order: Order, *, all_rows: bool = True) -> Backup:
    """Delete an order with all its rows, or its own row alone; return what it was."""
    backup = back_up(order)
    with connection.cursor() as cursor:
        for model, where in _TABLES if all_rows else _TABLES[-1:]:
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE {where}", [order.pk])
    return backup


def execute(statement: str, *values: Any) -> None:
    """Execute a statement as somebody does at the database's prompt."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)

"""Inserting rows that every order needs: one statement, prepared once, for any number of them.

The rows travel as JSON. Django's `bulk_create` writes each value into the text of its statement,
which takes longer than the server needs for the row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models

from orders.cursors import prepared_cursor


def insert_all(rows: Sequence[models.Model]) -> None:
    """Store new rows of one model, and give them their primary keys; raises IntegrityError.

    For models of whole numbers, texts, times, UUIDs and JSON whose keys the database counts up. As
    with `bulk_create` no signals are sent.
    """
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows)
        return
    fields, statement = _insert(model)
    told = [{field.column: field.pre_save(row, True) for field in fields} for row in rows]
    with prepared_cursor() as cursor:
        cursor.execute(statement, {"rows": json.dumps(told, default=_text)})
        # The server counts up along the list.
        keys = sorted(key for (key,) in cursor.fetchall())
    for row, key in zip(rows, keys, strict=True):
        row.pk = key
        row._state.adding, row._state.db = False, connection.alias


@cache
def _insert(model: type[models.Model]) -> tuple[list[models.Field[Any, Any]], str]:
    """Return the fields of a model but for its key, and the statement that inserts rows."""
    meta = model._meta
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    names = ", ".join(_quoted(field.column) for field in fields)
    types = ", ".join(f"{_quoted(field.column)} {field.db_type(connection)}" for field in fields)
    # Names of our own tables and columns.
    statement = (
        f"INSERT INTO {_quoted(meta.db_table)} ({names}) SELECT {names}"  # noqa: S608
        f" FROM json_to_recordset(%(rows)s::json) AS given ({types})"
        f" RETURNING {_quoted(meta.pk.column)}"
    )
    return fields, statement


def _quoted(name: str | None) -> str:
    return connection.ops.quote_name(name or "")


def _text(value: object) -> str:
    """Return a time or an id as text, which PostgreSQL reads as what the column is."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a row that travels as JSON.")

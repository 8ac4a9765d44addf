"""Raw SQL on reservation documents: one statement where the ORM would write a long CASE."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from reconciliation.models import DocumentState, ReservationDocument


def mark_counted(held: Mapping[int, Sequence[Mapping[str, object]]], *, now: datetime) -> int:
    """Write down what OCI holds under documents that wait for an answer; return how many did.

    `held` is by primary key. The caller has locked the orders, so that the order of the rows does
    not matter.
    """
    if not held:
        return 0
    if connection.vendor == "postgresql":
        return _mark_on_postgresql(held, now=now)
    return _mark_one_by_one(held, now=now)


def _mark_on_postgresql(
    held: Mapping[int, Sequence[Mapping[str, object]]], *, now: datetime
) -> int:
    sql = """
        UPDATE reconciliation_reservationdocument AS document
        SET state = %s, answered_at = %s, held = answer.held
        FROM unnest(%s::bigint[], %s::jsonb[]) AS answer (id, held)
        WHERE document.id = answer.id AND document.state = %s
    """
    bodies = [json.dumps(lines) for lines in held.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            sql,
            [DocumentState.COUNTED, now, list(held), bodies, DocumentState.PREPARED],
        )
        return int(cursor.rowcount)


def _mark_one_by_one(held: Mapping[int, Sequence[Mapping[str, object]]], *, now: datetime) -> int:
    """SQLite is in this process: a statement costs no round trip."""
    waiting = ReservationDocument.objects.filter(state=DocumentState.PREPARED)
    return sum(
        waiting.filter(pk=pk).update(state=DocumentState.COUNTED, answered_at=now, held=lines)
        for pk, lines in held.items()
    )

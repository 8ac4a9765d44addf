"""Raw SQL on reservation documents: one statement in place of the ORM's long CASE."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from orders.cursors import prepared_cursor
from reconciliation.models import DocumentState, ReservationDocument

_MARK_POSTGRESQL = """\
UPDATE reconciliation_reservationdocument AS document
SET state = %(counted)s::text, answered_at = %(at)s::timestamptz, held = answer.held
FROM json_to_recordset(%(rows)s::json) AS answer (id bigint, held jsonb)
WHERE document.id = answer.id AND document.state = %(prepared)s::text
"""


def mark_counted(held: Mapping[int, Sequence[Mapping[str, object]]], *, now: datetime) -> int:
    """Store the units that OCI holds under unanswered documents; return how many were updated.

    `held` is by primary key. The caller has locked the orders, so row order doesn't matter.
    """
    if not held:
        return 0
    if connection.vendor == "postgresql":
        return _mark_on_postgresql(held, now=now)
    return _mark_one_by_one(held, now=now)


def _mark_on_postgresql(
    held: Mapping[int, Sequence[Mapping[str, object]]], *, now: datetime
) -> int:
    rows = [{"id": pk, "held": lines} for pk, lines in held.items()]
    with prepared_cursor() as cursor:
        cursor.execute(
            _MARK_POSTGRESQL,
            {
                "rows": json.dumps(rows),
                "at": now.isoformat(),
                "counted": DocumentState.COUNTED.value,
                "prepared": DocumentState.PREPARED.value,
            },
        )
        return int(cursor.rowcount)


def _mark_one_by_one(held: Mapping[int, Sequence[Mapping[str, object]]], *, now: datetime) -> int:
    """SQLite runs in this process, so a statement has no round trip."""
    waiting = ReservationDocument.objects.filter(state=DocumentState.PREPARED)
    return sum(
        waiting.filter(pk=pk).update(state=DocumentState.COUNTED, answered_at=now, held=lines)
        for pk, lines in held.items()
    )

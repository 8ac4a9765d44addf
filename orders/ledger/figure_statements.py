"""The ledger's statements for OCI's figures: a chunk of records in a few statements.

Rows travel as one array a column on PostgreSQL, so a statement's text is the same for any number of
rows. None is prepared, because a first import fills an empty table, and a plan made for an empty
table scans all of it.  SQLite executes the same step row by row, under the database's only write
lock. Quantities are thousandths, as they are stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from orders.cursors import next_ids_on_sqlite
from orders.ledger.rows import skus_by_list

Key = tuple[str, str]

_ADD_POSTGRESQL = """\
WITH added AS (
    INSERT INTO orders_inventoryrecord (inventory_list_id, sku, product_name, snapshot_ato, ato,
                                        safety_stock, held, snapshot_at, updated_at)
    SELECT n.list_id, n.sku, n.name, n.ato, n.ato, n.safety, 0,
           %(taken_at)s::timestamptz, %(now)s::timestamptz
    FROM unnest(%(lists)s::text[], %(skus)s::text[], %(names)s::text[], %(atos)s::bigint[],
                %(safeties)s::bigint[]) AS n(list_id, sku, name, ato, safety)
    ON CONFLICT (inventory_list_id, sku) DO NOTHING
    RETURNING id, ato
), moved AS (
    INSERT INTO orders_movement (record_id, reason, ato_change, held_change, at)
    SELECT id, %(reason)s::text, ato, 0, %(now)s::timestamptz FROM added WHERE ato <> 0
)
SELECT count(*) FROM added
"""

_ADD_SQLITE = """\
INSERT INTO orders_inventoryrecord (id, inventory_list_id, sku, product_name, snapshot_ato, ato,
                                    safety_stock, held, snapshot_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, 0, %s, %s)
ON CONFLICT (inventory_list_id, sku) DO NOTHING
"""

_MOVE_SQLITE = """\
INSERT INTO orders_movement (record_id, reason, ato_change, held_change, at)
VALUES (%s, %s, %s, 0, %s)
"""

# Byte order, as Python sorts, so that processes which lock records in another order can't deadlock
# with us. One list: without statistics PostgreSQL may scan the list, but only once instead of once
# per SKU.
_LOCK_POSTGRESQL = """\
SELECT r.id, r.inventory_list_id, r.sku, r.snapshot_ato, r.ato, r.held, r.safety_stock,
       coalesce(r.snapshot_at >= %(taken_at)s::timestamptz
                OR r.snapshot_at > %(since)s::timestamptz, false),
       coalesce(r.snapshot_at = %(taken_at)s::timestamptz, false), r.gone_at IS NOT NULL,
       r.recheck_at IS NOT NULL, coalesce(r.recheck_at <= %(taken_at)s::timestamptz, false)
FROM orders_inventoryrecord r
WHERE r.inventory_list_id = %(list_id)s AND r.sku = ANY(%(skus)s)
ORDER BY r.sku COLLATE "C"
FOR UPDATE OF r
"""

_LOCK_SQLITE = """\
SELECT r.id, r.inventory_list_id, r.sku, r.snapshot_ato, r.ato, r.held, r.safety_stock,
       coalesce(r.snapshot_at >= %(taken_at)s OR r.snapshot_at > %(since)s, 0),
       coalesce(r.snapshot_at = %(taken_at)s, 0), r.gone_at IS NOT NULL,
       r.recheck_at IS NOT NULL, coalesce(r.recheck_at <= %(taken_at)s, 0)
FROM orders_inventoryrecord r
WHERE r.inventory_list_id = %(list_id)s AND r.sku IN (SELECT value FROM json_each(%(skus)s))
ORDER BY r.sku
"""

_CONFIRM_POSTGRESQL = """\
UPDATE orders_inventoryrecord
SET snapshot_at = %(taken_at)s::timestamptz, updated_at = %(now)s::timestamptz
WHERE id = ANY(%(ids)s::bigint[]) AND held = 0
"""

_CONFIRM_SQLITE = """\
UPDATE orders_inventoryrecord SET snapshot_at = %(taken_at)s, updated_at = %(now)s
WHERE id IN (SELECT value FROM json_each(%(ids)s)) AND held = 0
"""

_CHANGE_POSTGRESQL = """\
WITH new AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(atos)s::bigint[], %(was)s::bigint[],
                         %(safeties)s::bigint[], %(gone)s::boolean[], %(answered)s::boolean[])
        AS n(id, ato, was, safety, gone, answered)
), moved AS (
    INSERT INTO orders_movement (record_id, reason, ato_change, held_change, at)
    SELECT id, %(reason)s::text, ato - was, 0, %(now)s::timestamptz FROM new WHERE ato <> was
), written AS (
    UPDATE orders_inventoryrecord r
    SET ato = n.ato, snapshot_ato = n.ato, safety_stock = n.safety,
        snapshot_at = %(taken_at)s::timestamptz, updated_at = %(now)s::timestamptz,
        gone_at = CASE WHEN n.gone THEN coalesce(r.gone_at, %(now)s::timestamptz) END,
        recheck_at = CASE WHEN NOT n.answered THEN r.recheck_at END
    FROM new n WHERE r.id = n.id AND r.held = 0
    RETURNING r.id
)
SELECT count(*) FROM written
"""

_CHANGE_SQLITE = """\
UPDATE orders_inventoryrecord
SET ato = %s, snapshot_ato = %s, safety_stock = %s, snapshot_at = %s, updated_at = %s,
    gone_at = CASE WHEN %s THEN coalesce(gone_at, %s) END,
    recheck_at = CASE WHEN NOT %s THEN recheck_at END
WHERE id = %s AND held = 0
"""


class Known(NamedTuple):
    """A locked record compared with figures that were requested at some moment.

    `is_late`: its own figure may be newer; `is_of_then`: its figure is of the same moment.
    `is_due`: OCI must be asked again for it; `is_answered`: the request is older, so figures of
    this moment answer it.
    """

    id: int
    list_id: str
    sku: str
    snapshot_ato: int | None
    ato: int
    held: int
    safety_stock: int
    is_late: bool
    is_of_then: bool
    is_gone: bool
    is_due: bool
    is_answered: bool


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record with its first figure."""

    list_id: str
    sku: str
    name: str
    ato: int
    safety_stock: int


@dataclass(frozen=True, slots=True)
class Change:
    """A record without holds and its new figure; `was` is its ATO when locked.

    `is_answered`: OCI need not be asked again for it.
    """

    id: int
    was: int
    ato: int
    safety_stock: int
    is_gone: bool
    is_answered: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and why figures were requested and written."""

    taken_at: datetime
    now: datetime
    reason: str

    def values(self) -> dict[str, Any]:
        """Return the SQL parameters."""
        return {"taken_at": _moment(self.taken_at), "now": _moment(self.now), "reason": self.reason}


def add(records: Sequence[NewRecord], stamp: Stamp) -> int:
    """Add records with their movements, in order; return how many did not exist before.

    If some did, the caller rolls back the others.
    """
    if _on_sqlite():
        return _add_on_sqlite(records, stamp)
    keys = [(record.list_id, record.sku) for record in records]
    with connection.cursor() as cursor:
        values = {
            "names": [record.name for record in records],
            "atos": _array(record.ato for record in records),
            "safeties": _array(record.safety_stock for record in records),
        }
        cursor.execute(_ADD_POSTGRESQL, _keys(keys) | values | stamp.values())
        return int(cursor.fetchone()[0])


def lock(keys: Sequence[Key], *, taken_at: datetime, since: datetime) -> dict[Key, Known]:
    """Return the known records of `keys`, locked in (list, SKU) order; one statement a list.

    A figure later than `since` may be newer than those requested at `taken_at`.
    """
    values = {"taken_at": _moment(taken_at), "since": _moment(since)}
    found = {}
    with connection.cursor() as cursor:
        for list_id, skus in sorted(skus_by_list(keys).items()):
            values["list_id"] = list_id
            if _on_sqlite():
                cursor.execute(_LOCK_SQLITE, values | {"skus": json.dumps(skus)})
            else:
                cursor.execute(_LOCK_POSTGRESQL, values | {"skus": skus})
            found.update({(row[1], row[2]): Known._make(row) for row in cursor.fetchall()})
    return found


def confirm(ids: Sequence[int], stamp: Stamp) -> int:
    """Note that the figures of records without holds are the same; return how many it wrote."""
    values = stamp.values()
    del values["reason"]
    with connection.cursor() as cursor:
        if _on_sqlite():
            cursor.execute(_CONFIRM_SQLITE, values | {"ids": json.dumps(ids)})
        else:
            cursor.execute(_CONFIRM_POSTGRESQL, values | {"ids": _array(ids)})
        return int(cursor.rowcount)


def change(changes: Sequence[Change], stamp: Stamp) -> int:
    """Write new figures of records without holds; return how many it wrote."""
    if _on_sqlite():
        return _change_on_sqlite(changes, stamp)
    with connection.cursor() as cursor:
        values = {
            "ids": _array(one.id for one in changes),
            "atos": _array(one.ato for one in changes),
            "was": _array(one.was for one in changes),
            "safeties": _array(one.safety_stock for one in changes),
            "gone": _array(one.is_gone for one in changes),
            "answered": _array(one.is_answered for one in changes),
        }
        cursor.execute(_CHANGE_POSTGRESQL, values | stamp.values())
        return int(cursor.fetchone()[0])


def _add_on_sqlite(records: Sequence[NewRecord], stamp: Stamp) -> int:
    taken_at, now = _moment(stamp.taken_at), _moment(stamp.now)
    with connection.cursor() as cursor:
        (first,) = next_ids_on_sqlite(cursor, "orders_inventoryrecord")
        numbered = list(enumerate(records, first))
        cursor.executemany(
            _ADD_SQLITE,
            [
                (pk, r.list_id, r.sku, r.name, r.ato, r.ato, r.safety_stock, taken_at, now)
                for pk, r in numbered
            ],
        )
        added = int(cursor.rowcount)
        if added == len(numbered):
            moved = [(pk, stamp.reason, record.ato, now) for pk, record in numbered if record.ato]
            cursor.executemany(_MOVE_SQLITE, moved)
    return added


def _change_on_sqlite(changes: Sequence[Change], stamp: Stamp) -> int:
    taken_at, now = _moment(stamp.taken_at), _moment(stamp.now)
    with connection.cursor() as cursor:
        moved = [
            (one.id, stamp.reason, one.ato - one.was, now) for one in changes if one.ato != one.was
        ]
        cursor.executemany(_MOVE_SQLITE, moved)
        cursor.executemany(
            _CHANGE_SQLITE,
            [
                (
                    *(one.ato, one.ato, one.safety_stock, taken_at, now),
                    *(one.is_gone, now, one.is_answered, one.id),
                )
                for one in changes
            ],
        )
        return int(cursor.rowcount)


def _on_sqlite() -> bool:
    return connection.vendor == "sqlite"


def _moment(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at) if _on_sqlite() else at.isoformat()


def _keys(keys: Sequence[Key]) -> dict[str, Any]:
    return {"lists": [key[0] for key in keys], "skus": [key[1] for key in keys]}


def _array(values: Iterable[int]) -> str:
    """Return a column as an array literal: a list would get the type of its largest value."""
    return "{" + ",".join(map(str, values)) + "}"

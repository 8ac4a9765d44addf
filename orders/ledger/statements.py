"""The ledger's statements for every order: lock the records of a list of orders, and take stock.

Each is one statement for the whole list on PostgreSQL. SQLite has no statement that writes several
tables, so there the same steps are a few statements executed for many rows. Rows travel as JSON, so
a statement has the same text and parameter types for any number of rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

from django.db import connection

from orders.cursors import next_ids_on_sqlite, prepared_cursor, time_on_sqlite

# Byte order, as Python sorts, so that processes which lock records in another order can't deadlock
# with us. `OFFSET 0` stops PostgreSQL from starting with the lists: without statistics (after the
# first import, a restore or a server upgrade) it would read all their records. It also stops it
# from reading all promises instead of those of one record.
LOCK_POSTGRESQL = """\
SELECT r.id, r.inventory_list_id, r.sku, r.snapshot_ato IS NOT NULL, r.ato, r.held, r.safety_stock,
       l.offline_floor_units, l.offline_floor_percent,
       EXISTS (SELECT 1 FROM orders_promise p WHERE p.record_id = r.id OFFSET 0)
FROM orders_inventoryrecord r
CROSS JOIN LATERAL (
    SELECT offline_floor_units, offline_floor_percent FROM orders_inventorylist
    WHERE id = r.inventory_list_id OFFSET 0) l
WHERE (r.inventory_list_id, r.sku) IN (
    SELECT k.list_id, k.sku FROM unnest(%(lists)s::text[], %(skus)s::text[]) AS k(list_id, sku))
ORDER BY r.inventory_list_id COLLATE "C", r.sku COLLATE "C"
FOR NO KEY UPDATE OF r
"""

# The transaction is immediate, so it already has the database's only lock.
LOCK_SQLITE = """\
SELECT r.id, r.inventory_list_id, r.sku, r.snapshot_ato IS NOT NULL, r.ato, r.held, r.safety_stock,
       l.offline_floor_units, l.offline_floor_percent,
       EXISTS (SELECT 1 FROM orders_promise p WHERE p.record_id = r.id)
FROM orders_inventoryrecord r
JOIN orders_inventorylist l ON l.id = r.inventory_list_id
WHERE (r.inventory_list_id, r.sku) IN (
    SELECT json_extract(k.value, '$[0]'), json_extract(k.value, '$[1]') FROM json_each(%s) AS k)
"""

# The part of a statement that takes stock for the rows of `wanted`. It writes a record only if that
# is unchanged since it was locked; `taken` has those that were.
TAKING_POSTGRESQL = """\
held AS (
    INSERT INTO orders_hold (id, order_id, record_id, quantity, state)
    SELECT hold_id, order_id, record_id, units, 'waiting' FROM wanted
), moved AS (
    INSERT INTO orders_movement (record_id, reason, ato_change, held_change, hold_id, at)
    SELECT record_id, 'captured', -ato, units, hold_id, at FROM wanted
), taken AS (
    UPDATE orders_inventoryrecord r
    SET ato = r.ato - t.ato, held = r.held + t.units, updated_at = %(at)s::timestamptz
    FROM unnest(%(ids)s::bigint[], %(units)s::bigint[], %(less)s::bigint[],
                %(was_ato)s::bigint[], %(was_held)s::bigint[])
        AS t(id, units, ato, was_ato, was_held)
    WHERE r.id = t.id AND r.ato = t.was_ato AND r.held = t.was_held
    RETURNING r.id
)
"""

TAKE_POSTGRESQL = """\
WITH wanted AS MATERIALIZED (
    SELECT nextval('orders_hold_id_seq') AS hold_id, w.*
    FROM json_to_recordset(%(holds)s::json)
        AS w(order_id bigint, record_id bigint, units bigint, ato bigint, at timestamptz)
), <taking>
SELECT count(*) FROM taken
""".replace("<taking>", TAKING_POSTGRESQL)

HOLD_SQLITE = """\
INSERT INTO orders_hold (id, order_id, record_id, quantity, state)
VALUES (%s, %s, %s, %s, 'waiting')
"""

MOVE_SQLITE = """\
INSERT INTO orders_movement (record_id, reason, ato_change, held_change, hold_id, at)
VALUES (%s, 'captured', %s, %s, %s, %s)
"""

TAKE_SQLITE = """\
UPDATE orders_inventoryrecord SET ato = ato - %s, held = held + %s, updated_at = %s
WHERE id = %s AND ato = %s AND held = %s
"""

Row = tuple[Any, ...]


def locked_records(keys: Collection[tuple[str, str]]) -> list[Row]:
    """Return the records of `keys` (list, SKU), locked in that order.

    With their lists' floors, and whether there is a promise for the SKU, kept or not.
    """
    wanted = sorted(keys)
    with prepared_cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(LOCK_SQLITE, [json.dumps(wanted)])
        else:
            lists, skus = [key[0] for key in wanted], [key[1] for key in wanted]
            cursor.execute(LOCK_POSTGRESQL, {"lists": lists, "skus": skus})
        rows: list[Row] = cursor.fetchall()
    return rows


class NewHold(TypedDict):
    """An order's hold on a record from `at` on; `ato` of its units are taken off ATO.

    `order_id` is the order's place in its list as long as the list is not stored.
    """

    order_id: int
    record_id: int
    units: int
    ato: int
    at: datetime


class TakenRecord(TypedDict):
    """The units that a list of orders takes from a record, and the record as locked."""

    id: int
    units: int
    ato: int
    was_ato: int
    was_held: int


@dataclass(frozen=True, slots=True)
class ToTake:
    """What a list of orders takes; each record is named once."""

    holds: Sequence[NewHold]
    records: Sequence[TakenRecord]
    at: datetime

    def parameters(self) -> dict[str, str]:
        """Return the parameters of `wanted` and TAKING_POSTGRESQL."""
        holds = [hold | {"at": hold["at"].isoformat()} for hold in self.holds]
        return {
            "holds": json.dumps(holds),
            "at": self.at.isoformat(),
            "ids": _array(self.records, "id"),
            "units": _array(self.records, "units"),
            "less": _array(self.records, "ato"),
            "was_ato": _array(self.records, "was_ato"),
            "was_held": _array(self.records, "was_held"),
        }


def take(taking: ToTake) -> int:
    """Write holds and movements, and update their records; return how many records it updated."""
    if connection.vendor == "sqlite":
        return _take_on_sqlite(taking)
    with prepared_cursor() as cursor:
        cursor.execute(TAKE_POSTGRESQL, taking.parameters())
        return int(cursor.fetchone()[0])


def _array(
    rows: Sequence[TakenRecord], name: Literal["id", "units", "ato", "was_ato", "was_held"]
) -> str:
    """Return a column as an array literal: a list would get the type of its largest value."""
    return "{" + ",".join(str(row[name]) for row in rows) + "}"


def _take_on_sqlite(taking: ToTake) -> int:
    holds, when = taking.holds, time_on_sqlite(taking.at)
    with connection.cursor() as cursor:
        (first,) = next_ids_on_sqlite(cursor, "orders_hold")
        cursor.executemany(
            HOLD_SQLITE,
            [
                (first + n, hold["order_id"], hold["record_id"], hold["units"])
                for n, hold in enumerate(holds)
            ],
        )
        cursor.executemany(
            MOVE_SQLITE,
            [
                (
                    *(hold["record_id"], -hold["ato"], hold["units"], first + n),
                    time_on_sqlite(hold["at"]),
                )
                for n, hold in enumerate(holds)
            ],
        )
        cursor.executemany(
            TAKE_SQLITE,
            [
                (row["ato"], row["units"], when, row["id"], row["was_ato"], row["was_held"])
                for row in taking.records
            ],
        )
        return int(cursor.rowcount)

"""The statements that look up and store a list of orders, and take its stock.

Storing takes one statement on PostgreSQL, with the ledger's part (TAKING_POSTGRESQL), and one for
each table on SQLite. Rows travel as JSON, so the statement has the same text and parameter types
for any number of rows, and is prepared once per connection. A number that is taken raises
IntegrityError; then nothing of the list is stored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import connection

from orders.capture.rows import PLACED_COLUMNS, Rows
from orders.cursors import next_ids_on_sqlite, prepared_cursor, time_on_sqlite
from orders.fields import stored_money, thousandths
from orders.ledger import LedgerChanged
from orders.ledger.statements import TAKING_POSTGRESQL, NewHold, ToTake, take
from orders.models import Order, OrderItem

# `place` is an order's index in the list; a parent is identified by its position in the order.
INSERT_POSTGRESQL = """\
WITH placed AS MATERIALIZED (
    SELECT nextval('orders_order_id_seq') AS id, o.*
    FROM json_to_recordset(%(orders)s::json) AS o(
        place int, site_id text, order_no text, status text, captured_offline bool,
        captured_at timestamptz, <placed types>, units bigint, claim text,
        claimed_until timestamptz, body text, kind text, actor_kind text, actor text, reason text,
        reason_codes jsonb,
        projected bool)
), lines AS MATERIALIZED (
    SELECT nextval('orders_orderitem_id_seq') AS id, l.*
    FROM json_to_recordset(%(items)s::json) AS l(
        place int, position int, parent int, item_id text, sku text, product_name text,
        list_id text, kind text, quantity bigint, stockless bigint, unit_price bigint)
), stored AS (
    INSERT INTO orders_order (
        id, site_id, order_no, status, reservation_state, export_status, captured_offline,
        captured_at, <placed>, units, generation, claim, claimed_until, needs_review_reason,
        resolution, resolution_by, resolution_note)
    SELECT id, site_id, order_no, status, 'RESERVATION_MISSING', 'not_exported',
           captured_offline, captured_at, <placed>, units, 0, claim, claimed_until, '', '', '', ''
    FROM placed
), payloads AS (
    INSERT INTO orders_orderpayload (order_id, body) SELECT id, body FROM placed
), items AS (
    INSERT INTO orders_orderitem (
        id, order_id, position, item_id, sku, product_name, inventory_list_id, kind,
        parent_id, quantity, stockless_quantity, reserved_quantity, cancelled_quantity,
        replaced_quantity, unit_price)
    SELECT l.id, p.id, l.position, l.item_id, l.sku, l.product_name, l.list_id, l.kind, above.id,
           l.quantity, l.stockless, 0, 0, 0, l.unit_price
    FROM lines l
    JOIN placed p ON p.place = l.place
    LEFT JOIN lines above ON above.place = l.place AND above.position = l.parent
), events AS (
    INSERT INTO orders_orderevent (
        order_id, at, kind, actor_kind, actor, reason, reason_codes, data, projected)
    SELECT id, captured_at, kind, actor_kind, actor, reason, reason_codes, '{}'::jsonb, projected
    FROM placed
), wanted AS MATERIALIZED (
    SELECT nextval('orders_hold_id_seq') AS hold_id, p.id AS order_id, w.record_id, w.units, w.ato,
           w.at
    FROM json_to_recordset(%(holds)s::json)
        AS w(order_id int, record_id bigint, units bigint, ato bigint, at timestamptz)
    JOIN placed p ON p.place = w.order_id
), <taking>
SELECT p.id, i.ids, (SELECT count(*) FROM taken)
FROM placed p
JOIN (SELECT place, array_agg(id ORDER BY position) AS ids FROM lines GROUP BY place) i
    ON i.place = p.place
ORDER BY p.place
"""

ORDER_SQLITE = """\
INSERT INTO orders_order (
    id, site_id, order_no, status, reservation_state, export_status, captured_offline,
    captured_at, <placed>, units, generation, claim, claimed_until, needs_review_reason,
    resolution, resolution_by, resolution_note)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, <placed values>, %s, %s, %s, %s, %s, %s, %s, %s)
"""

PAYLOAD_SQLITE = """\
INSERT INTO orders_orderpayload (order_id, body) VALUES (%s, %s)
"""

ITEM_SQLITE = """\
INSERT INTO orders_orderitem (
    id, order_id, position, item_id, sku, product_name, inventory_list_id, kind, parent_id,
    quantity, stockless_quantity, reserved_quantity, cancelled_quantity, replaced_quantity,
    unit_price)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

EVENT_SQLITE = """\
INSERT INTO orders_orderevent (
    order_id, at, kind, actor_kind, actor, reason, reason_codes, data, projected)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


TAKEN_POSTGRESQL = """\
SELECT EXISTS (
    SELECT 1 FROM orders_order
    WHERE (site_id, order_no) IN (
        SELECT k.site_id, k.order_no
        FROM unnest(%(sites)s::text[], %(numbers)s::text[]) AS k(site_id, order_no)))
"""

TAKEN_SQLITE = """\
SELECT EXISTS (
    SELECT 1 FROM orders_order
    WHERE (site_id, order_no) IN (
        SELECT json_extract(k.value, '$[0]'), json_extract(k.value, '$[1]')
        FROM json_each(%s) AS k))
"""


def _complete(statement: str) -> str:
    """Return `statement` with the columns of PLACED_COLUMNS and the ledger's part."""
    types = ", ".join(f"{name} {kind}" for name, kind in PLACED_COLUMNS.items())
    return (
        statement.replace("<taking>", TAKING_POSTGRESQL)
        .replace("<placed types>", types)
        .replace("<placed>", ", ".join(PLACED_COLUMNS))
        .replace("<placed values>", ", ".join(["%s"] * len(PLACED_COLUMNS)))
    )


INSERT_POSTGRESQL = _complete(INSERT_POSTGRESQL)
ORDER_SQLITE = _complete(ORDER_SQLITE)


def insert(built: Sequence[Rows], taking: ToTake) -> None:
    """Store a list of orders and take their stock; set the ids of the orders and their items.

    Raises LedgerChanged if a record is no longer as it was locked.
    """
    insert_all = _insert_on_sqlite if connection.vendor == "sqlite" else _insert_on_postgresql
    if insert_all(built, taking) != len(taking.records):
        raise LedgerChanged


def _insert_on_postgresql(built: Sequence[Rows], taking: ToTake) -> int:
    orders = [_order(place, rows) for place, rows in enumerate(built)]
    items = [_item(place, item) for place, rows in enumerate(built) for item in rows.items]
    with prepared_cursor() as cursor:
        cursor.execute(
            INSERT_POSTGRESQL,
            {"orders": json.dumps(orders), "items": json.dumps(items), **taking.parameters()},
        )
        stored = cursor.fetchall()
    for rows, (order_id, item_ids, _) in zip(built, stored, strict=True):
        _number(rows, order_id, item_ids)
    return int(stored[0][2])


def is_any_taken(numbers: Collection[tuple[str, str]]) -> bool:
    """Return whether an order is stored under one of these numbers (site, order number)."""
    wanted = sorted(numbers)
    with prepared_cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(TAKEN_SQLITE, [json.dumps(wanted)])
        else:
            sites, order_nos = [number[0] for number in wanted], [number[1] for number in wanted]
            cursor.execute(TAKEN_POSTGRESQL, {"sites": sites, "numbers": order_nos})
        return bool(cursor.fetchone()[0])


def _number(rows: Rows, order_id: int, item_ids: Sequence[int]) -> None:
    rows.order.pk = order_id
    for item, pk in zip(rows.items, item_ids, strict=True):
        item.pk, item.order_id = pk, order_id
        if item.parent_id is not None:
            item.parent_id = item_ids[item.parent_id - 1]
        item._state.adding, item._state.db = False, rows.order._state.db


def _order(place: int, rows: Rows) -> dict[str, Any]:
    order, event = rows.order, rows.event
    until = order.claimed_until
    return {
        "place": place,
        "site_id": order.site_id,
        "order_no": order.order_no,
        "status": order.status,
        "captured_offline": order.captured_offline,
        "captured_at": order.captured_at.isoformat(),
        **_placed(order),
        "units": thousandths(order.units),
        "claim": order.claim,
        "claimed_until": until.isoformat() if until else None,
        "body": rows.body,
        "kind": event.kind,
        "actor_kind": event.actor_kind,
        "actor": event.actor,
        "reason": event.reason,
        "reason_codes": event.reason_codes,
        "projected": event.projected,
    }


def _placed(order: Order) -> dict[str, Any]:
    """Return the values of PLACED_COLUMNS; amounts in the unit of their column."""
    values = ((name, getattr(order, name)) for name in PLACED_COLUMNS)
    return {
        name: stored_money(value) if isinstance(value, Decimal) else value for name, value in values
    }


def _item(place: int, item: OrderItem) -> dict[str, Any]:
    return {
        "place": place,
        "position": item.position,
        "parent": item.parent_id,
        "item_id": item.item_id,
        "sku": item.sku,
        "product_name": item.product_name,
        "list_id": item.inventory_list_id,
        "kind": item.kind,
        "quantity": thousandths(item.quantity),
        "stockless": thousandths(item.stockless_quantity),
        "unit_price": None if item.unit_price is None else stored_money(item.unit_price),
    }


def _insert_on_sqlite(built: Sequence[Rows], taking: ToTake) -> int:
    with connection.cursor() as cursor:
        order_id, item_id = next_ids_on_sqlite(cursor, "orders_order", "orders_orderitem")
        for rows in built:
            _number(rows, order_id, range(item_id, item_id + len(rows.items)))
            order_id, item_id = order_id + 1, item_id + len(rows.items)
        cursor.executemany(ORDER_SQLITE, [_order_on_sqlite(rows) for rows in built])
        cursor.executemany(PAYLOAD_SQLITE, [(rows.order.pk, rows.body) for rows in built])
        cursor.executemany(
            ITEM_SQLITE, [_item_on_sqlite(item) for rows in built for item in rows.items]
        )
        cursor.executemany(EVENT_SQLITE, [_event_on_sqlite(rows) for rows in built])
    if not taking.holds:
        return 0
    holds: list[NewHold] = [
        {**hold, "order_id": built[hold["order_id"]].order.pk} for hold in taking.holds
    ]
    return take(replace(taking, holds=holds))


def _order_on_sqlite(rows: Rows) -> tuple[Any, ...]:
    order, until = rows.order, rows.order.claimed_until
    return (
        order.pk,
        order.site_id,
        order.order_no,
        order.status,
        order.reservation_state,
        order.export_status,
        order.captured_offline,
        time_on_sqlite(order.captured_at),
        *(json.dumps(one) if isinstance(one, dict) else one for one in _placed(order).values()),
        thousandths(order.units),
        order.generation,
        order.claim,
        None if until is None else time_on_sqlite(until),
        *("", "", "", ""),
    )


def _item_on_sqlite(item: OrderItem) -> tuple[Any, ...]:
    return (
        item.pk,
        item.order_id,
        item.position,
        item.item_id,
        item.sku,
        item.product_name,
        item.inventory_list_id,
        item.kind,
        item.parent_id,
        thousandths(item.quantity),
        thousandths(item.stockless_quantity),
        0,
        0,
        0,
        None if item.unit_price is None else stored_money(item.unit_price),
    )


def _event_on_sqlite(rows: Rows) -> tuple[Any, ...]:
    event = rows.event
    return (
        rows.order.pk,
        time_on_sqlite(event.at),
        event.kind,
        event.actor_kind,
        event.actor,
        event.reason,
        None if event.reason_codes is None else json.dumps(event.reason_codes),
        "{}",
        event.projected,
    )

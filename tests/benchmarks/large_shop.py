"""A shop with a million orders on PostgreSQL, made by SQL in a minute or two.

The same kinds of rows as `busy_shop` makes, with the whole ledger (a hold and its movements for
each item), capture traces and an audit log. With `waiting`, the orders of the last three hours wait
for OCI, which has been offline since: an outage. Foreign keys are not checked while it fills and
indexes are built afterwards, so it needs a superuser and an empty database.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.db import connection, transaction

from orders import statement_limit
from reconciliation.models import Connection, Outage
from tests.benchmarks import busy_shop

OUTAGE = timedelta(hours=3)
FILLED = (
    "orders_order",
    "orders_orderitem",
    "orders_orderevent",
    "orders_hold",
    "orders_movement",
    "orders_capturetrace",
    "orders_orderpayload",
    "reconciliation_reservationdocument",
    "reconciliation_runentry",
    "reconciliation_attempt",
    "coc_admin_auditentry",
)


def fill(*, orders: int, skus: int, now: datetime, waiting: int = 0, audited: int = 0) -> None:
    """Add `orders` orders over a year until `now`, `waiting` of them without a reservation."""
    with statement_limit.acting_as(statement_limit.Kind.COMMAND):
        _fill(orders=orders, skus=skus, now=now, waiting=waiting, audited=audited)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM ANALYZE")
            cursor.execute("RESET statement_timeout")


def _fill(*, orders: int, skus: int, now: datetime, waiting: int, audited: int) -> None:
    rng = random.Random(1)
    sites = busy_shop._sites()
    busy_shop._records(sites[0].inventory_list, skus, rng)
    busy_shop._runs(busy_shop._outages(60), rng)
    figures = {
        "orders": orders,
        "settled": orders - waiting,
        "skus": skus,
        "now": now,
        "outage": OUTAGE,
        "audited": audited,
        "first_names": list(busy_shop.FIRST_NAMES),
        "last_names": list(busy_shop.LAST_NAMES),
        "sites": list(busy_shop.SITES),
    }
    if waiting:
        _begin_outage(now - OUTAGE)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        indexes = _drop_indexes()
        cursor.execute("SELECT setseed(0.5)")
        for statement in STATEMENTS:
            cursor.execute(statement, figures)
        for create in indexes:
            cursor.execute(create)
        for table in FILLED:
            if table not in ("orders_capturetrace", "orders_orderpayload"):
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                )


def _drop_indexes() -> list[str]:
    """Drop the indexes of the tables to fill that serve no constraint; returns how to make them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid::regclass::text = ANY(%s) AND NOT EXISTS"
            " (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
            [list(FILLED)],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"DROP INDEX {name}")
    return [create for _, create in found]


def _begin_outage(since: datetime) -> None:
    Outage.objects.create(is_open=True, cause="unreachable", lost_at=since, detected_at=since)
    Connection.objects.update_or_create(
        pk=1,
        defaults={
            "state": "OFFLINE",
            "cause": "unreachable",
            "since": since,
            "last_good_at": since,
        },
    )


# Drawn once: what kind of order it is (of a thousand, as in busy_shop), and how many items it has.
DRAW = """\
CREATE TEMPORARY TABLE drawn ON COMMIT DROP AS
SELECT n AS id, (%(sites)s::text[])[1 + n %% 3] AS site_id, k, offline, items, waits,
    CASE WHEN waits THEN %(now)s::timestamptz - %(outage)s::interval
             * ((%(orders)s - n + 1)::float / (%(orders)s - %(settled)s + 1))
         ELSE %(now)s::timestamptz - interval '1 day' - interval '364 days'
             * ((%(settled)s - n)::float / %(settled)s) END AS at,
    CASE WHEN waits OR k BETWEEN 950 AND 956 OR k >= 990 THEN 'RESERVATION_MISSING'
         WHEN k < 900 OR k BETWEEN 957 AND 989 THEN 'COMPLETELY_RESERVED'
         WHEN k < 925 OR k BETWEEN 940 AND 949 THEN 'PARTIALLY_RESERVED'
         ELSE 'NOTHING_RESERVED' END AS state,
    CASE WHEN waits THEN 'new' WHEN k BETWEEN 957 AND 989 THEN 'cancelled'
         WHEN k >= 990 THEN 'failed' ELSE 'new' END AS status,
    CASE WHEN waits THEN '' WHEN k BETWEEN 957 AND 989 THEN 'cancelled'
         WHEN k BETWEEN 940 AND 949 THEN 'settled_outside' ELSE '' END AS resolution,
    (%(first_names)s::text[])[1 + n * 7 %% 10] || ' '
        || (%(last_names)s::text[])[1 + n * 13 %% 97 %% 10] AS customer,
    (500 + random() * 29500)::bigint AS total
FROM (
    SELECT n, n > %(settled)s AS waits, (random() * 999)::int AS k, random() < 0.1 AS offline,
        (ARRAY[1, 1, 2, 3])[1 + (random() * 3)::int] AS items
    FROM generate_series(1, %(orders)s) n
) x
"""

ORDERS = """\
INSERT INTO orders_order (id, site_id, order_no, status, reservation_state, export_status,
    captured_offline, captured_at, creation_date, reconciled_at, short_at, currency, order_total,
    units, customer, payload_hash, generation, claim, needs_review_since, needs_review_reason,
    resolution, resolution_at, resolution_by, resolution_note)
SELECT id, site_id, 'A' || lpad(id::text, 7, '0'), status, state,
    CASE WHEN state = 'RESERVATION_MISSING' THEN 'not_exported' ELSE 'exported' END,
    waits OR offline OR state <> 'COMPLETELY_RESERVED', at, '',
    CASE WHEN state <> 'RESERVATION_MISSING' THEN at + interval '20 min' END,
    CASE WHEN state IN ('PARTIALLY_RESERVED', 'NOTHING_RESERVED') THEN at + interval '20 min' END,
    CASE WHEN site_id = 'WestShop' THEN 'USD' ELSE 'EUR' END, total,
    (SELECT sum(1000 * (ARRAY[1, 1, 1, 2, 4])[1 + (id * 31 + p * 17) %% 5])
     FROM generate_series(0, items - 1) p),
    jsonb_build_object('customerName', customer, 'email',
        replace(lower(customer), ' ', '.') || id %% 10000 || '@example.test'),
    repeat('0', 64), 0, '',
    CASE WHEN NOT waits AND k BETWEEN 950 AND 956 THEN at + interval '30 min' END,
    CASE WHEN NOT waits AND k BETWEEN 950 AND 956 THEN 'OCI refused the place (400).' ELSE '' END,
    resolution, CASE WHEN resolution <> '' THEN at + interval '5 hours' END,
    CASE WHEN resolution <> '' THEN 'mia' ELSE '' END, ''
FROM drawn
"""

TRACES = """\
INSERT INTO orders_capturetrace (id, site_id, order_no, captured_at, currency, order_total,
    payload_hash)
SELECT id, site_id, order_no, captured_at, currency, order_total, payload_hash FROM orders_order
"""

PAYLOADS = """\
INSERT INTO orders_orderpayload (order_id, body) SELECT id, '{"orderNo":"?"}' FROM orders_order
"""

# The three items of an order are a third of the SKUs apart, so that none comes twice.
ITEMS = """\
INSERT INTO orders_orderitem (order_id, position, item_id, sku, product_name, inventory_list_id,
    kind, quantity, stockless_quantity, reserved_quantity, cancelled_quantity, replaced_quantity,
    open_short, unit_price)
SELECT id, p, p::text, 'SKU-' || lpad(((s + p * (%(skus)s / 3)) %% %(skus)s)::text, 5, '0'),
    'A thing', 'central-stock', 'product', q, 0,
    CASE WHEN state IN ('RESERVATION_MISSING', 'NOTHING_RESERVED') OR status = 'cancelled' THEN 0
         WHEN state = 'PARTIALLY_RESERVED' AND p = 0 THEN q - 1000 ELSE q END,
    0, 0, CASE WHEN status <> 'new' THEN NULL
         WHEN state = 'NOTHING_RESERVED' THEN q
         WHEN state = 'PARTIALLY_RESERVED' AND p = 0 THEN 1000 END,
    300 + (random() * 8700)::bigint
FROM (
    SELECT id, state, status, p, (hashint8(id)::bigint & 2147483647) %% %(skus)s AS s,
        1000 * (ARRAY[1, 1, 1, 2, 4])[1 + (id * 31 + p * 17) %% 5] AS q
    FROM drawn, generate_series(0, items - 1) p
) x
"""

KEPT = """\
UPDATE orders_order o SET open_units = i.units, open_value = i.worth
FROM (SELECT order_id, sum(open_short) AS units,
          sum(open_short::float8 * unit_price::float8) AS worth
      FROM orders_orderitem WHERE open_short > 0 GROUP BY order_id) i
WHERE i.order_id = o.id
"""

EVENTS = """\
INSERT INTO orders_orderevent (order_id, at, kind, actor_kind, actor, reason, data, projected)
SELECT id, at, CASE WHEN waits OR offline OR state <> 'COMPLETELY_RESERVED' THEN 'captured_offline'
    ELSE 'captured' END, 'api', 'storefront', 'As the day had it.', '{}'::jsonb, true FROM drawn
UNION ALL
SELECT id, at + interval '20 min', 'settled', 'job', 'run', 'OCI answered.', '{}'::jsonb, true
FROM drawn WHERE state <> 'RESERVATION_MISSING'
UNION ALL
SELECT id, at + interval '5 hours', 'resolved', 'person', 'mia', 'Settled.', '{}'::jsonb, true
FROM drawn WHERE resolution <> ''
"""

HOLDS = """\
INSERT INTO orders_hold (order_id, record_id, quantity, state, answered_at, closed_at)
SELECT i.order_id, r.id, i.quantity, CASE WHEN waits THEN 'waiting' ELSE 'dropped' END,
    CASE WHEN NOT waits THEN d.at + interval '20 min' END,
    CASE WHEN NOT waits THEN d.at + interval '30 min' END
FROM orders_orderitem i
JOIN drawn d ON d.id = i.order_id
JOIN orders_inventoryrecord r ON r.inventory_list_id = i.inventory_list_id AND r.sku = i.sku
"""

MOVEMENTS = """\
INSERT INTO orders_movement (record_id, reason, ato_change, held_change, hold_id, at)
SELECT record_id, reason, sign * quantity, -sign * quantity, h.id,
    CASE WHEN sign > 0 THEN closed_at ELSE coalesce(answered_at, %(now)s) END
FROM orders_hold h, (VALUES ('captured', -1), ('hold_dropped', 1)) AS v(reason, sign)
WHERE state = 'dropped' OR sign < 0
"""

RECORDS = """\
UPDATE orders_inventoryrecord r SET held = h.n, snapshot_ato = r.ato + h.n, snapshot_at = %(now)s
FROM (SELECT record_id, sum(quantity) AS n FROM orders_hold WHERE state = 'waiting' GROUP BY 1) h
WHERE h.record_id = r.id
"""

SNAPSHOTS = """\
INSERT INTO orders_movement (record_id, reason, ato_change, held_change, at)
SELECT id, 'snapshot', ato + held, 0, %(now)s FROM orders_inventoryrecord
"""

DOCUMENTS = """\
INSERT INTO reconciliation_reservationdocument (order_id, generation, part, purpose, reservation_id,
    body, state, sends, sent_at, held)
SELECT id, 0, 0, 'order', gen_random_uuid(), '{}',
    CASE WHEN state = 'RESERVATION_MISSING' THEN 'prepared' ELSE 'answered' END, 1, at, '[]'
FROM drawn WHERE NOT waits
"""

ENTRIES = """\
INSERT INTO reconciliation_runentry (run_id, batch_id, order_id, position, state, finished_at)
SELECT b.run_id, b.id, d.id, d.id, d.state, d.at + interval '20 min'
FROM (SELECT *, row_number() OVER () %% (SELECT count(*) FROM reconciliation_batch) AS place
      FROM drawn
      WHERE state <> 'RESERVATION_MISSING' AND (offline OR state <> 'COMPLETELY_RESERVED')) d
JOIN (SELECT id, run_id, row_number() OVER () - 1 AS place FROM reconciliation_batch) b
    USING (place)
"""

BATCHES = """\
INSERT INTO reconciliation_batch (run_id, lane, sequence, state, holder, starts)
SELECT id, 0, 0, 'done', '', 1 FROM reconciliation_run
"""

ATTEMPTS = """\
INSERT INTO reconciliation_attempt (order_id, document_id, run_id, operation, at, outcome, status,
    error_code, message, correlation_id)
SELECT e.order_id, d.id, e.run_id, 'reserve', e.finished_at, e.state, 200, '', '', ''
FROM reconciliation_runentry e JOIN reconciliation_reservationdocument d USING (order_id)
"""

AUDITED = """\
INSERT INTO coc_admin_auditentry (at, actor, action, target, detail, reason, request_id)
SELECT %(now)s::timestamptz - n * interval '5 min', (ARRAY['mia', 'op', 'ben'])[1 + n %% 3],
    'site.edit',
    'site ' || (%(sites)s::text[])[1 + n %% 3], '{"before": {"a": 1}, "after": {"a": 2}}',
    'Because.', '' FROM generate_series(1, %(audited)s) n
"""

REPORT_DAYS = """\
INSERT INTO reconciliation_reportday (site_id, date, report_type, revision, order_count, byte_count,
    sha256, generated_at, needs_merge, last_error)
SELECT site_id, date, kind, 1, 3, 2000, repeat('0', 64), %(now)s, false, ''
FROM (SELECT DISTINCT site_id, at::date AS date FROM drawn) d,
    unnest(ARRAY['offline', 'reserved', 'oversold']) kind
"""

STATEMENTS = (
    DRAW,
    ORDERS,
    TRACES,
    PAYLOADS,
    ITEMS,
    KEPT,
    EVENTS,
    HOLDS,
    MOVEMENTS,
    RECORDS,
    SNAPSHOTS,
    DOCUMENTS,
    BATCHES,
    ENTRIES,
    ATTEMPTS,
    AUDITED,
    REPORT_DAYS,
)

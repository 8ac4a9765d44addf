"""What PostgreSQL alone needs for as many figures: the limit beside `stock_mirror`."""

from __future__ import annotations

import time
from collections.abc import Callable

# Tables of the same columns and indexes, without triggers and references to others.
_TABLES = """
DROP TABLE IF EXISTS limit_record, limit_movement;
CREATE TABLE limit_record (LIKE orders_inventoryrecord INCLUDING ALL);
CREATE TABLE limit_movement (LIKE orders_movement INCLUDING ALL);
CREATE TEMP TABLE arrived (list_id text, sku text, ato bigint);
"""
_RECORDS = """
INSERT INTO limit_record (inventory_list_id, sku, product_name, snapshot_ato, ato, safety_stock,
                          held, snapshot_at, updated_at)
SELECT list_id, sku, '', ato, ato, 0, 0, now(), now() FROM arrived
ON CONFLICT (inventory_list_id, sku) DO UPDATE
SET snapshot_ato = excluded.snapshot_ato, ato = excluded.ato, snapshot_at = excluded.snapshot_at
"""
_MOVEMENTS = """
INSERT INTO limit_movement (record_id, reason, ato_change, held_change, at)
SELECT r.id, 'snapshot', a.ato, 0, now()
FROM arrived a JOIN limit_record r ON r.inventory_list_id = a.list_id AND r.sku = a.sku
"""


def measure(lists: list[str], skus: int, server_cpu: Callable[[int], float]) -> None:
    """Copy and upsert as many figures twice, a list a transaction, and print what it costs.

    `server_cpu` gives the processor time of a session so far.
    """
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        for name in ("first", "again"):
            began, cpu, server = time.monotonic(), time.thread_time(), server_cpu(pid)
            for list_id in lists:
                with transaction.atomic():
                    cursor.execute("TRUNCATE arrived")
                    with cursor.copy("COPY arrived FROM STDIN") as copy:
                        for number in range(skus):
                            copy.write_row((list_id, f"SKU-{number}", 100_000))
                    cursor.execute(_RECORDS)
                    if name == "first":
                        cursor.execute(_MOVEMENTS)
            figures = len(lists) * skus
            python = 1e6 * (time.thread_time() - cpu) / figures
            postgresql = 1e6 * (server_cpu(pid) - server) / figures
            rate = figures / (time.monotonic() - began)
            print(
                f"limit, COPY and upsert {name}: {rate:,.0f} figures a second;"
                f" {python:.0f} µs of Python and {postgresql:.0f} µs of PostgreSQL each"
            )

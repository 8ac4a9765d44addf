"""The statement on promises that every order captured offline runs."""

from __future__ import annotations

import json
from collections.abc import Collection

from django.db import connection

from orders.cursors import prepared_cursor

# From the records of the SKUs, so that the work grows with the order and not with the promises.
ANY_POSTGRESQL = """\
SELECT EXISTS (
    SELECT 1 FROM orders_inventoryrecord r
    WHERE (r.inventory_list_id, r.sku) IN (
        SELECT k.list_id, k.sku FROM unnest(%(lists)s::text[], %(skus)s::text[]) AS k(list_id, sku))
      AND EXISTS (SELECT 1 FROM orders_promise p WHERE p.record_id = r.id OFFSET 0))
"""

ANY_SQLITE = """\
SELECT EXISTS (
    SELECT 1 FROM orders_inventoryrecord r
    WHERE (r.inventory_list_id, r.sku) IN (
        SELECT json_extract(k.value, '$[0]'), json_extract(k.value, '$[1]') FROM json_each(%s) AS k)
      AND EXISTS (SELECT 1 FROM orders_promise p WHERE p.record_id = r.id))
"""


def is_any_of(keys: Collection[tuple[str, str]]) -> bool:
    """Return whether there is a promise, kept or not, for one of these SKUs (list, SKU)."""
    wanted = sorted(keys)
    with prepared_cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(ANY_SQLITE, [json.dumps(wanted)])
        else:
            lists, skus = [key[0] for key in wanted], [key[1] for key in wanted]
            cursor.execute(ANY_POSTGRESQL, {"lists": lists, "skus": skus})
        return bool(cursor.fetchone()[0])

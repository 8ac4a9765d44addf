"""How PostgreSQL finds the records of an order while it knows nothing of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from orders.ledger.statements import LOCK_POSTGRESQL
from tests import postgresql_statistics
from tests.factories import make_site

RECORDS = 2_000
WANTED = 24
TABLE = "orders_inventoryrecord"


def read(plan: dict[str, Any]) -> int:
    """Return how many records the nodes of a plan read."""
    mine = 0
    if plan.get("Relation Name") == TABLE:
        rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        mine = rows * plan["Actual Loops"]
    return mine + sum(read(part) for part in plan.get("Plans", ()))


@pytest.mark.postgres
@pytest.mark.parametrize("sites", [1, 3])
def test_no_list_is_read_once_for_each_sku(db: None, sites: int) -> None:
    """After an import, a restore or an upgrade of the server there are no statistics."""
    stock: dict[str, float] = {f"SKU-{n}": 100 for n in range(RECORDS)}
    for n in range(sites):
        make_site(f"shop{n}", list_id=f"list{n}", stock=stock)
    postgresql_statistics.forget([TABLE, "orders_inventorylist", "orders_promise"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        text = LOCK_POSTGRESQL.replace("%(lists)s", "$1").replace("%(skus)s", "$2")
        cursor.execute(f"PREPARE of_an_order (text[], text[]) AS {text}")
        values = [["list0"] * WANTED, [f"SKU-{n}" for n in range(WANTED)]]
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE of_an_order(%s, %s)", values)
        (found,) = cursor.fetchone()
        cursor.execute("DEALLOCATE of_an_order")
    plan = json.loads(found) if isinstance(found, str) else found
    assert WANTED <= read(plan[0]["Plan"]) <= sites * RECORDS

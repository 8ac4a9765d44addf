"""No page reads a table that grows with the orders from end to end.

A small shop, an open outage, and a planner that is told to avoid scans and the joins that need
them: what still scans has no index to use, however large the shop is. CI holds this instead of
times; `make bench` measures those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coc_admin.accounts.tokens import make
from coc_admin.models import TokenScope
from orders.desk.shortages import sums_of, with_value
from orders.models import Order, OrderItem
from reconciliation.models import Connection, ConnectionState, Outage, Run
from reconciliation.outages.demand import demand_of
from reconciliation.outages.figures import course_of, figures_of
from reconciliation.runs.status import counts_of
from tests.benchmarks import busy_shop
from tests.benchmarks.test_console_speed import addresses, only_posted, person

# Tables with at least a row for each order, and the log that grows for ever.
GROWING = frozenset(
    {
        "coc_admin_auditentry",
        "orders_capturetrace",
        "orders_hold",
        "orders_movement",
        "orders_order",
        "orders_orderevent",
        "orders_orderitem",
        "orders_orderpayload",
        "reconciliation_attempt",
        "reconciliation_reservationdocument",
        "reconciliation_runentry",
    }
)
# A file of all there is, asked for by a person.
FILES = {"/settings/audit.csv"}
# Nearly every order is reserved, so a count that stops after 10,001 of them stops soon.
STOPS_SOON = {"/orders/?state=reserved&sort=highest: orders_order, by no index"}
AVOIDED = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_material")

pytestmark = pytest.mark.django_db


def scans_of(plan: dict[str, Any], partial: set[str], *, is_cut: bool = False) -> Iterator[str]:
    """Yield what a plan reads from end to end; what a LIMIT cuts short does not count."""
    kind, table = plan["Node Type"], plan.get("Relation Name")
    is_cut = is_cut or kind == "Limit"
    index = plan.get("Index Name")
    by_index = kind in ("Index Scan", "Index Only Scan") and index not in partial
    if table in GROWING and kind == "Seq Scan":
        yield f"{table}, by no index"
    elif table in GROWING and by_index and not is_cut and "Index Cond" not in plan:
        yield f"{table}, all of {index}"
    for part in plan.get("Plans", ()):
        # A sort below a LIMIT reads everything first.
        yield from scans_of(part, partial, is_cut=is_cut and kind not in ("Sort", "Aggregate"))


@contextmanager
def explained(found: dict[str, str], page: Callable[[], str]) -> Iterator[None]:
    """Explain each statement that reads while this is open; `found` gets those that scan."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")
        partial = {name for (name,) in cursor.fetchall()}
        for setting in AVOIDED:
            cursor.execute(f"SET LOCAL {setting} = off")
    seen: set[str] = set()

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT") and sql not in seen:
            seen.add(sql)
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0]
            plan = json.loads(plan) if isinstance(plan, str) else plan
            for scan in scans_of(plan[0]["Plan"], partial):
                found[f"{page()}: {scan}"] = sql
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)


def indexes_alone(read: Callable[[], object]) -> list[set[str]]:
    """Return what each statement of `read` is answered from: indexes, and tables by their names."""
    with CaptureQueriesContext(connection) as asked:
        read()
    found = []
    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
            plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan
        nodes = [node for node in nodes_of(plan[0]["Plan"]) if "Relation Name" in node]
        found.append(
            {
                node["Index Name" if node["Node Type"] == "Index Only Scan" else "Relation Name"]
                for node in nodes
            }
        )
    return found


def begin_outage() -> None:
    since = busy_shop.NOW - timedelta(hours=3)
    Outage.objects.create(is_open=True, cause="unreachable", lost_at=since, detected_at=since)
    Connection.objects.update_or_create(
        pk=1, defaults={"state": ConnectionState.OFFLINE, "cause": "unreachable", "since": since}
    )


def test_no_page_scans_a_table_that_grows_with_the_orders() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's plans are those of tests/orders/test_indexes.py")
    busy_shop.fill(orders=150, skus=30)
    begin_outage()
    everyone, limited = person("op"), person("mia", site=busy_shop.SITES[0])
    secret = make(name="ops", scopes=[TokenScope.STATUS_READ], every_site=True)
    api = Client(headers={"Authorization": f"Bearer {secret}"})
    pages = [page for page in addresses() if page not in FILES and not only_posted(everyone, page)]
    page = ""
    found: dict[str, str] = {}
    with explained(found, lambda: page):
        for page in pages:
            everyone.get(page)
            if not page.startswith(("/settings/", "/me/")):
                limited.get(page)
        for page in ("/api/v1/status", "/metrics"):
            assert api.get(page).status_code == 200, page
        page = "the control"
        assert OrderItem.objects.aggregate(units=Sum("quantity"))["units"] > 0
    assert found.pop("the control: orders_orderitem, by no index")
    for known in STOPS_SOON:
        assert "LIMIT 10001" in found.pop(known)
    assert not found, "\n".join(f"{where}\n    {sql}" for where, sql in sorted(found.items()))


def test_large_sums_read_an_index_and_no_order() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's plans are those of tests/orders/test_indexes.py")
    busy_shop.fill(orders=150, skus=30)
    begin_outage()
    # As this version captures and settles them.
    Order.objects.update(units=1, lacked_units=1, lacked_value=1)
    outage = Outage.objects.get(is_open=True)
    short = Order.objects.oversold()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_order")
        # As after a VACUUM, which a transaction cannot do: then an index alone is the cheapest.
        cursor.execute("UPDATE pg_class SET relallvisible = relpages WHERE relkind = 'r'")
        for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            cursor.execute(f"SET LOCAL {setting} = off")
    by_value = with_value(short).order_by("-short_value", "-id").values_list("pk", "short_value")
    assert indexes_alone(lambda: list(by_value[:51])) == [{"oversold_by_value"}]
    assert indexes_alone(lambda: sums_of(short)) == [{"oversold_by_value"}]
    assert indexes_alone(lambda: figures_of(outage)) == [{"accepted_with_outcome"}]
    course = indexes_alone(lambda: course_of(outage, now=busy_shop.NOW))
    assert course == [{"accepted_with_outcome"}] * 2
    assert indexes_alone(lambda: demand_of(outage))[0] == {"accepted_with_outcome"}
    run = Run.objects.order_by("-pk")[0]
    assert indexes_alone(lambda: counts_of(run)) == [{"entries_by_state"}]

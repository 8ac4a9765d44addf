"""The named sets of orders are answered by their indexes, however many orders there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from orders import promises
from orders.models import (
    ActorKind,
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderStatus,
    Promise,
    Site,
)
from tests import postgresql_statistics


@pytest.mark.parametrize(
    ("found", "index"),
    [
        (Order.objects.waiting(), "waiting_by_capture"),
        (Order.objects.oversold(), "short_by_capture"),
        (Order.objects.needing_review(), "review_by_capture"),
        (Order.objects.filter(status=OrderStatus.CANCELLING).order_by("id"), "unfinished_orders"),
        (Order.objects.filter(status=OrderStatus.CREATED).order_by("id"), "unfinished_orders"),
    ],
    ids=["waiting", "oversold", "review", "cancelling", "created"],
)
def test_set_is_answered_by_its_index(db: None, found: QuerySet[Order], index: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's plan depends on how many rows there are")
    for orders in (found, found.order_by()):
        plan = orders.explain()
        assert f"USING INDEX {index}" in plan.replace("COVERING INDEX", "INDEX")
        assert "TEMP B-TREE" not in plan


def test_postgresql_counts_oversold_orders_without_reading_them(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite takes the index of all short orders")
    found = Order.objects.oversold().order_by()
    narrowed = found.filter(site="NorthShop").values("captured_at", "id", "site", "currency")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    counted = found.values("id").explain()
    assert re.search("Index Only Scan using oversold_by_(capture|value)", counted)
    # On an empty table an index that has not every column costs the same.
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX oversold_by_value")
    assert "Index Only Scan using oversold_by_capture" in narrowed.explain()


def test_promises_that_have_passed_are_found_among_the_few_with_a_date(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's plan depends on how many rows there are")
    late = promises.overdue(datetime(2026, 11, 1, tzinfo=UTC)).order_by()
    assert "USING INDEX orders_by_promised_date" in late.explain()


def test_what_people_did_is_answered_by_its_index(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's plan depends on how many rows there are")
    events = OrderEvent.objects.filter(actor_kind=ActorKind.PERSON).order_by("-at", "-id")[:51]
    plan = events.explain()
    assert "USING INDEX events_by_person" in plan
    assert "TEMP B-TREE" not in plan


def test_no_index_of_a_table_that_every_order_writes_repeats_another(db: None) -> None:
    tables = (Order, OrderItem, OrderEvent, Hold, Movement, InventoryRecord)
    for table in (model._meta.db_table for model in tables):
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, table)
        indexes = {
            name: tuple(one["columns"])
            for name, one in found.items()
            if (one["index"] or one["unique"]) and one["columns"] and None not in one["columns"]
        }
        wide = {columns for name, columns in indexes.items() if name in WIDE[table]}
        repeated = {
            name
            for name, columns in indexes.items()
            if len(columns) == 1 and any(one[:1] == columns for one in wide)
        }
        assert not repeated, (table, repeated)


def test_what_is_open_of_a_promise_is_looked_up_by_its_sku(db: None) -> None:
    """Not among all items of its order: with 2,000 lines that is the square of them."""
    found = promises.kept(datetime(2026, 11, 1, tzinfo=UTC)).order_by()
    if connection.vendor == "postgresql":
        models: tuple[Any, ...] = (Promise, Order, OrderItem, InventoryRecord, Site)
        postgresql_statistics.forget([model._meta.db_table for model in models])
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_hashjoin = off")
            cursor.execute("SET LOCAL enable_mergejoin = off")
    plan = found.values("pk").explain()
    assert "items_of_order_by_sku" in plan, plan
    if connection.vendor == "postgresql":
        # A join could be done in another way while nothing is known of the tables.
        assert re.search(r"SubPlan 1\).*IS NOT NULL", plan), plan


# Indexes of all rows that begin with a column which Django would give an index of its own.
WIDE = {
    "orders_order": {"order_no_unique_in_site", "orders_of_site"},
    "orders_orderitem": {"item_position_unique"},
    "orders_orderevent": set(),
    "orders_hold": set(),
    "orders_movement": {"movements_of_record"},
    "orders_inventoryrecord": {"one_record_per_sku"},
}


@pytest.mark.parametrize(
    ("found", "index"),
    [
        (Order.objects.filter(site="NorthShop").order_by(), "orders_of_site"),
        (OrderItem.objects.filter(order=1).order_by(), "item_position_unique"),
        (Movement.objects.filter(record=1).order_by("id"), "movements_of_record"),
        (InventoryRecord.objects.filter(inventory_list="web").order_by(), "record"),
    ],
    ids=["site", "items", "movements", "list"],
)
def test_what_had_an_index_of_its_own_has_a_wider_one(
    db: None, found: QuerySet[Any], index: str
) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Seq Scan" not in found.explain()
        return
    # SQLite gives the index of a constraint a name of its own.
    plan = found.explain().replace("sqlite_autoindex_orders_orderitem_1", "item_position_unique")
    assert "SEARCH" in plan
    assert index in plan

"""The named sets of orders are answered by their indexes, however many orders there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import QuerySet

from orders.models import ActorKind, Order, OrderEvent, OrderStatus


@pytest.mark.parametrize(
    ("found", "index"),
    [
        (Order.objects.waiting(), "missing_by_capture"),
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
    for orders in (found.values("id"), narrowed):
        assert "Index Only Scan using oversold_by_capture" in orders.explain()


def test_what_people_did_is_answered_by_its_index(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's plan depends on how many rows there are")
    events = OrderEvent.objects.filter(actor_kind=ActorKind.PERSON).order_by("-at", "-id")[:51]
    plan = events.explain()
    assert "USING INDEX events_by_person" in plan
    assert "TEMP B-TREE" not in plan

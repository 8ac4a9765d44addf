"""What an order costs: statements, commits and rows, counted instead of timed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.actors import api_client
from orders.capture import Ask, Captured, Claim, capture_orders
from orders.models import (
    CaptureTrace,
    Hold,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import parse_order
from tests.factories import make_site
from tests.orders.payloads import raw_order

T0 = datetime(2026, 2, 2, 12, tzinfo=UTC)
ITEMS: list[tuple[str, float]] = [("MUG", 1), ("CUP", 2), ("TEE", 1)]
ENDS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@pytest.fixture
def site(db: None) -> Site:
    return make_site(stock={"MUG": 900, "CUP": 900, "TEE": 900})


def asks(site: Site, numbers: Sequence[int], claim: Claim | None = None) -> list[Ask]:
    return [
        Ask(
            placed=parse_order(raw_order(f"N{n}", ITEMS), site=site),
            site=site,
            offline_since=None,
            offline_reason="OCI is away.",
            claim=claim,
            actor=api_client("storefront"),
            now=T0,
        )
        for n in numbers
    ]


def statements(many: list[Ask]) -> list[str]:
    """Return the statements of a capture without those that begin and end transactions."""
    with CaptureQueriesContext(connection) as asked:
        answers = capture_orders(many)
    assert all(isinstance(answer, Captured) for answer in answers)
    texts = [query["sql"].lstrip() for query in asked.captured_queries]
    return [text for text in texts if not text.startswith(ENDS)]


def rows() -> list[int]:
    models: tuple[Any, ...] = (Order, OrderPayload, OrderItem, OrderEvent, Hold, CaptureTrace)
    captured = Movement.objects.filter(reason="captured")
    return [*(model.objects.count() for model in models), captured.count()]


@pytest.mark.parametrize("claim", [None, Claim("live:1", T0)], ids=["offline", "live"])
def test_one_order(site: Site, claim: Claim | None) -> None:
    found = statements(asks(site, [1], claim))
    # Lock, insert and take; SQLite: lock, four tables, two of the ledger, next ids twice, take.
    assert len(found) == (2 if connection.vendor == "postgresql" else 10), found
    assert rows() == [1, 1, 3, 1, 3, 1, 3]


def test_a_list_costs_what_one_order_costs(site: Site) -> None:
    one = statements(asks(site, [1]))
    many = statements(asks(site, range(2, 52)))
    assert len(many) == len(one)
    assert rows() == [51, 51, 153, 51, 153, 51, 153]


def test_one_order_that_is_refused_writes_nothing(site: Site) -> None:
    order = parse_order(raw_order("N1", [("MUG", 901)]), site=site)
    with CaptureQueriesContext(connection) as asked:
        capture_orders([Ask(order, site, None, "", None, api_client("storefront"), T0)])
    writes = ("INSERT", "UPDATE", "DELETE", "WITH PLACED")
    texts = [query["sql"].lstrip().upper() for query in asked.captured_queries]
    assert not [text for text in texts if text.startswith(writes)]
    assert rows() == [0] * 7


@pytest.mark.django_db(transaction=True)
def test_one_commit(transactional_db: None) -> None:
    site = make_site(stock={"MUG": 900, "CUP": 900, "TEE": 900})
    many = asks(site, range(100))
    with CaptureQueriesContext(connection) as asked:
        capture_orders(many)
    commits = [q for q in asked.captured_queries if q["sql"].startswith("COMMIT")]
    assert len(commits) == 1
    assert Order.objects.count() == 100


@pytest.mark.postgres
def test_the_statements_are_prepared_once(site: Site) -> None:
    capture_orders(asks(site, [1]))
    capture_orders(asks(site, [20, 21]))

    def prepared() -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements")
            return {name for (name,) in cursor.fetchall()}

    before = prepared()
    capture_orders(asks(site, [2]))
    for size in (1, 2, 30):
        capture_orders(asks(site, range(100 * size, 101 * size)))
    assert prepared() == before
    # Lock; insert and take.
    assert len(before) >= 2

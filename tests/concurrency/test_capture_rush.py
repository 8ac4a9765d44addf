"""Twenty shoppers at once for a SKU with five left: five get one, on both databases.

The control takes the guard away (read, look, then write) and must oversell: it shows that the
barrier really makes them meet.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F

from orders import ledger
from orders.actors import job
from orders.capture import capture_order
from orders.errors import ShortOnAto
from orders.fields import quantity
from orders.ledger import Figure
from orders.models import Hold, InventoryList, InventoryRecord, Movement, Order, Site
from orders.payload import parse_order
from tests.concurrency.together import at_once, barrier
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db(transaction=True)

T0 = datetime(2026, 2, 2, 12, tzinfo=UTC)
SHOPPERS = 20
LEFT = 5


@pytest.fixture
def site() -> Site:
    InventoryList.objects.create(id="site-us")
    ledger.apply_snapshot(
        figures=[Figure("site-us", "HOT", Decimal(LEFT)), Figure("site-us", "WARM", Decimal(99))],
        taken_at=T0,
        lag=timedelta(0),
        now=T0,
    )
    return Site.objects.create(id="MySite", inventory_list_id="site-us")


def order_one(site: Site, number: str, items: list[tuple[str, float]]) -> str:
    try:
        capture_order(
            placed=parse_order(raw_order(number, items), site=site),
            site=site,
            offline_since=None,
            offline_reason="OCI is away.",
            claim=None,
            actor=job("rush"),
            now=T0,
        )
    except ShortOnAto:
        return "short"
    return "sold"


def test_a_rush_on_the_last_units_sells_no_more_than_there_are(site: Site) -> None:
    results = at_once(SHOPPERS, lambda n: order_one(site, f"rush-{n}", [("HOT", 1)]))

    assert results == ["short"] * (SHOPPERS - LEFT) + ["sold"] * LEFT
    record = InventoryRecord.objects.get(sku="HOT")
    assert (record.ato, record.held) == (Decimal(0), Decimal(LEFT))
    assert Order.objects.count() == Hold.objects.count() == LEFT
    assert Movement.objects.filter(reason="captured").count() == LEFT


def test_control_without_the_guard_the_rush_oversells(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exists to show that the test above can fail: the same rush, look first and write then."""
    looked = barrier(SHOPPERS)

    def unguarded(number: int) -> str:
        record = InventoryRecord.objects.get(sku="HOT")
        looked.wait()
        if record.ato < 1:
            return "short"
        with transaction.atomic():
            # The snapshot moves along, or the database itself would refuse the negative figure.
            InventoryRecord.objects.filter(pk=record.pk).update(
                held=F("held") + quantity(1), ato=0, snapshot_ato=0
            )
        return "sold"

    results = at_once(SHOPPERS, unguarded)
    assert results.count("sold") > LEFT
    assert InventoryRecord.objects.get(sku="HOT").held > LEFT


def test_the_same_order_sent_twice_at_once_is_captured_once(site: Site) -> None:
    results = at_once(SHOPPERS, lambda _: order_one(site, "same", [("HOT", 1)]))

    assert results == ["sold"] * SHOPPERS
    assert Order.objects.count() == 1
    assert InventoryRecord.objects.get(sku="HOT").held == Decimal(1)


def test_orders_with_skus_in_opposite_order_do_not_deadlock(site: Site) -> None:
    def act(n: int) -> str:
        items = [("HOT", 0.01), ("WARM", 1)]
        return order_one(site, f"cross-{n}", items if n % 2 else items[::-1])

    assert at_once(SHOPPERS, act) == ["sold"] * SHOPPERS
    assert InventoryRecord.objects.get(sku="WARM").held == Decimal(SHOPPERS)


def test_a_snapshot_that_arrives_in_the_rush_keeps_the_promises(site: Site) -> None:
    def act(n: int) -> str:
        if n % 4:
            return order_one(site, f"rush-{n}", [("WARM", 1)])
        moment = T0 + timedelta(seconds=n + 1)
        for _ in range(50):
            try:
                ledger.apply_snapshot(
                    figures=[Figure("site-us", "WARM", Decimal(50))],
                    taken_at=moment,
                    lag=timedelta(0),
                    now=moment,
                )
            except ledger.LedgerChanged:
                continue
            return "snapshot"
        return "given up"

    results = at_once(SHOPPERS, act)
    assert results == ["snapshot"] * 5 + ["sold"] * 15
    record = InventoryRecord.objects.get(sku="WARM")
    assert (record.ato, record.held) == (Decimal(35), Decimal(15))

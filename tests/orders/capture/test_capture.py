"""Capture: everything or nothing, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders import ledger
from orders.actors import api_client
from orders.capture import Captured, Claim, capture_order
from orders.errors import OfflineCapExceeded, OrderNoTaken, OrderRefused, ShortOnAto, UnknownSku
from orders.ledger import Figure
from orders.models import (
    Hold,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import parse_order
from tests.factories import permit_lists
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 2, 2, 12, tzinfo=UTC)
D = Decimal


@pytest.fixture
def site() -> Site:
    InventoryList.objects.create(id="site-us")
    InventoryList.objects.create(id="store-1", list_type="location")
    ledger.apply_snapshot(
        figures=[
            Figure("site-us", "MUG-01", D(5)),
            Figure("site-us", "TEE", D(2), safety_stock=D(10)),
            Figure("store-1", "TEE", D(7)),
        ],
        taken_at=T0,
        lag=timedelta(0),
        now=T0,
    )
    return Site.objects.create(id="MySite", inventory_list_id="site-us")


def capture(
    site: Site,
    raw: bytes,
    *,
    offline_since: datetime | None = None,
    claim: Claim | None = None,
    now: datetime = T0,
) -> Captured:
    return capture_order(
        placed=parse_order(raw, site=site),
        site=site,
        offline_since=offline_since,
        offline_reason="OCI is away.",
        claim=claim,
        actor=api_client("storefront"),
        now=now,
    )


def everything() -> list[Any]:
    """Return every row that a capture could write."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (
            Order,
            OrderItem,
            OrderPayload,
            OrderEvent,
            Hold,
            Movement,
            InventoryRecord,
        )
    ]


def refused(site: Site, raw: bytes, **how: Any) -> OrderRefused:
    """Capture what must be refused; nothing may have changed."""
    before = everything()
    with pytest.raises(OrderRefused) as error:
        capture(site, raw, **how)
    assert everything() == before
    return error.value


def test_it_stores_the_order_and_takes_it_off_ato(site: Site) -> None:
    raw = raw_order(items=[("MUG-01", 2), ("TEE", 1), ("MUG-01", 1)], extra={"kept": [1, None]})
    captured = capture(site, raw)
    order = Order.objects.get()

    assert captured.created
    assert (order.status, order.reservation_state) == ("new", "RESERVATION_MISSING")
    assert (order.captured_offline, order.export_status) == (True, "not_exported")
    assert OrderPayload.objects.get().body.encode() == raw
    assert [(i.position, i.sku, i.quantity) for i in order.items.all()] == [
        (1, "MUG-01", D(2)),
        (2, "TEE", D(1)),
        (3, "MUG-01", D(1)),
    ]
    assert [(h.record.sku, h.quantity) for h in order.holds.order_by("record__sku")] == [
        ("MUG-01", D(3)),
        ("TEE", D(1)),
    ]
    assert InventoryRecord.objects.get(sku="MUG-01").ato == D(2)
    event = OrderEvent.objects.get()
    assert (event.kind, event.actor, event.projected) == ("captured_offline", "storefront", False)


def test_a_live_order_is_created_under_its_claim(site: Site) -> None:
    claim = Claim("live:1", T0 + timedelta(seconds=20))
    order = capture(site, raw_order(), claim=claim).order
    assert (order.status, order.captured_offline, order.claim) == ("created", False, "live:1")
    assert OrderEvent.objects.get().projected is True


def test_the_same_order_again_is_the_stored_one(site: Site) -> None:
    first = capture(site, raw_order()).order
    before = everything()
    again = capture(site, raw_order(), now=T0 + timedelta(hours=1))
    assert (again.created, again.order.pk) == (False, first.pk)
    assert everything() == before


def test_another_order_with_the_number_is_refused(site: Site) -> None:
    capture(site, raw_order())
    assert isinstance(refused(site, raw_order(orderTotal=1)), OrderNoTaken)


def test_the_same_number_in_another_site_is_another_order(site: Site) -> None:
    other = Site.objects.create(id="Other", inventory_list_id="site-us")
    assert capture(site, raw_order()).created
    assert capture(other, raw_order()).created


def test_every_shortfall_is_listed_and_nothing_is_kept(site: Site) -> None:
    error = refused(site, raw_order(items=[("TEE", 3), ("MUG-01", 4), ("MUG-01", 2)]))
    assert isinstance(error, ShortOnAto)
    assert error.members() == {
        "shortfalls": [
            {"sku": "MUG-01", "inventoryListId": "site-us", "requested": 6, "available": 5},
            {"sku": "TEE", "inventoryListId": "site-us", "requested": 3, "available": 2},
        ]
    }


def test_an_item_may_name_a_list_of_its_own_that_is_permitted(site: Site) -> None:
    permit_lists(site, "store-1")
    document = raw_order(items=[("TEE", 6)]).replace(
        b'"productId"', b'"inventoryId": "store-1", "productId"'
    )
    order = capture(site, document).order
    assert order.items.get().inventory_list_id == "store-1"
    assert InventoryRecord.objects.get(inventory_list="store-1").ato == D(1)


def test_unknown_skus_are_refused_by_name(site: Site) -> None:
    error = refused(site, raw_order(items=[("NOPE", 1), ("MUG-01", 1), ("ALSO-NOT", 1)]))
    assert isinstance(error, UnknownSku)
    assert error.skus == ["ALSO-NOT", "NOPE"]


def test_unknown_skus_are_accepted_untracked_where_the_site_says_so(site: Site) -> None:
    Site.objects.update(unknown_sku_policy="accept_untracked")
    site.refresh_from_db()
    capture(site, raw_order(items=[("NEW-1", 9)]))
    item = OrderItem.objects.get()
    assert (item.takes_stock, item.ordered_quantity, item.quantity) == (False, D(9), D(0))
    assert not InventoryRecord.objects.filter(sku="NEW-1").exists()


@pytest.mark.parametrize(
    ("floor_units", "percent", "fits"), [("1", 0, 1), ("0", 5, 1.5), ("1", 15, 0.5)]
)
def test_the_offline_floor_is_kept_back(
    site: Site, floor_units: str, percent: int, fits: float
) -> None:
    InventoryList.objects.filter(pk="site-us").update(
        offline_floor_units=D(floor_units), offline_floor_percent=percent
    )
    error = refused(site, raw_order("1", [("TEE", fits + 0.001)]))
    assert error.members()["shortfalls"][0]["available"] == fits
    assert capture(site, raw_order("1", [("TEE", fits)])).created


def test_caps_of_offline_selling(site: Site) -> None:
    Site.objects.update(cap_units_per_order=D(2), cap_offline_minutes=10, cap_total_value=D(50))
    site.refresh_from_db()
    error = refused(site, raw_order("1", [("MUG-01", 3)]))
    assert isinstance(error, OfflineCapExceeded)
    assert (error.cap, error.status) == ("unitsPerOrder", 503)
    late = refused(site, raw_order("1"), offline_since=T0 - timedelta(minutes=10, seconds=1))
    assert isinstance(late, OfflineCapExceeded)
    assert late.cap == "duration"
    assert capture(site, raw_order("1", orderTotal=40)).created
    full = refused(site, raw_order("2", orderTotal=10.01))
    assert isinstance(full, OfflineCapExceeded)
    assert full.cap == "totalValue"
    assert capture(site, raw_order("2", orderTotal=10)).created


def test_2000_items_of_many_skus(site: Site) -> None:
    figures = [Figure("site-us", f"S{n:04}", D(1)) for n in range(2000)]
    later = T0 + timedelta(seconds=1)
    ledger.apply_snapshot(figures=figures, taken_at=later, lag=timedelta(0), now=later)
    order = capture(site, raw_order(items=[(f"S{n:04}", 1) for n in range(2000)])).order
    assert order.items.count() == 2000
    assert InventoryRecord.objects.filter(sku__startswith="S", ato=D(0)).count() == 2000

"""Orders with bundles and options, over a real OCI: the parts are taken, reserved and told of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orders.models import InventoryRecord, Site
from reconciliation.placement import Placement, place_order
from tests.engine import D, Engine, ato, set_connection
from tests.factories import SHOP
from tests.orders.payloads import order_document

pytestmark = pytest.mark.django_db

KIT = {"PART1": 2, "PART2": 1}


def bundle(
    sku: str = "BUNDLE", parts: dict[str, float] | None = None, quantity: float = 1, **more: Any
) -> dict[str, Any]:
    """Return a line with a bundle of `parts`."""
    inner = [{"productId": one, "quantity": n} for one, n in (parts or KIT).items()]
    return {
        "productId": sku,
        "productName": "Kit",
        "quantity": quantity,
        "basePrice": 30,
        "bundledProductItems": inner,
    } | more


def place(engine: Engine, site: Site, number: str, *lines: dict[str, Any]) -> Placement:
    raw = json.dumps(order_document(number, productItems=list(lines), orderTotal=30)).encode()
    return place_order(raw=raw, site=site, actor=SHOP, clock=engine.clock)


@pytest.mark.parametrize("has_record", [False, True])
@pytest.mark.parametrize("state", ["ONLINE", "OFFLINE"])
def test_a_bundle_takes_its_parts_and_its_own_record_only_where_there_is_one(
    engine: Engine, state: str, has_record: bool
) -> None:
    site = engine.site({"PART1": 5, "PART2": 5} | ({"BUNDLE": 5} if has_record else {}))
    set_connection(state)
    placed = place(engine, site, "BU-2", bundle())
    assert placed.created
    assert ato("PART1") == (D(3), D(2))
    assert ato("PART2") == (D(4), D(1))
    if has_record:
        assert ato("BUNDLE") == (D(4), D(1))
    else:
        assert not InventoryRecord.objects.filter(sku="BUNDLE").exists()
    if state == "OFFLINE":
        set_connection("ONLINE")
        engine.reconcile()
    placed.order.refresh_from_db()
    assert placed.order.reservation_state == "COMPLETELY_RESERVED"
    own = {"BUNDLE": D(1)} if has_record else {}
    assert engine.documents("BU-2") == [("OPEN", {"PART1": D(2), "PART2": D(1)} | own)]

"""Orders with bundles and options for tests."""

from __future__ import annotations

import json
from typing import Any

from orders.models import (
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from reconciliation.reservation.placement import Placement, place_order
from tests.engine import Engine
from tests.factories import SHOP
from tests.orders.payloads import order_document

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


def everything() -> list[Any]:
    """Return all rows that an order writes."""
    models = (Order, OrderItem, OrderPayload, OrderEvent, Hold, InventoryRecord, Movement)
    return [list(model.objects.order_by("pk").values()) for model in models]

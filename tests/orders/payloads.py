"""Orders as a storefront sends them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

# Members of an item in answers and files that nothing has happened to.
PLAIN_LINE = {
    "cancelledQuantity": 0,
    "replacedQuantity": 0,
    "replacesItemId": None,
    "parentItemId": None,
    "kind": "product",
    "takesStock": True,
}


def order_document(
    order_no: str = "0000012345",
    items: list[tuple[str, float]] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """Return an order document; `items` are (SKU, quantity)."""
    lines = items if items is not None else [("MUG-01", 1)]
    return {
        "orderNo": order_no,
        "creationDate": "2026-02-02T12:00:00.000Z",
        "currency": "USD",
        "customerInfo": {"customerName": "Ada Reed", "email": "ada@example.test"},
        "productItems": [
            {
                "itemId": f"item-{index}",
                "productId": sku,
                "productName": sku.title(),
                "quantity": quantity,
                "basePrice": 9.5,
            }
            for index, (sku, quantity) in enumerate(lines)
        ],
        "orderTotal": 42.25,
    } | members


def raw_order(*args: Any, **kwargs: Any) -> bytes:
    """Return an order document as the bytes of a request."""
    return json.dumps(order_document(*args, **kwargs)).encode()


D = Decimal

"""An order as the order calls of the API answer it (design 8)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from orders import units
from orders.fields import json_number
from orders.models import Order, OrderItem, OrderStatus


def iso(moment: datetime | None) -> str | None:
    """Return a moment in UTC as ISO 8601 with milliseconds and Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short_of(order: Order, item: OrderItem) -> int | float | None:
    """Return what is short of an item as the API answers it: ordered, and neither reserved nor
    cancelled nor replaced. None while OCI has not answered, 0 for an order that does not stand.
    """
    if order.status in (OrderStatus.CREATED, OrderStatus.NEW):
        return json_number(units.open_of(item)) if units.is_answered(order) else None
    return 0


def order_answer(order: Order, items: Iterable[OrderItem] | None = None) -> dict[str, Any]:
    """Return what the API says of an order; two queries unless its items are given or prefetched.

    `items` are all of them, where they are at hand.
    """
    items = sorted(order.items.all() if items is None else items, key=lambda item: item.position)
    numbers: dict[int | None, str] = {item.pk: item.item_id for item in items}
    return {
        "orderNo": order.order_no,
        "siteId": order.site_id,
        "status": order.status,
        "reservationState": order.reservation_state,
        "capturedOffline": order.captured_offline,
        "needsReview": order.needs_review_since is not None,
        "exportStatus": order.export_status,
        "capturedAt": iso(order.captured_at),
        "reconciledAt": iso(order.reconciled_at),
        "promisedUntil": iso(order.promised_until),
        "items": [
            {
                "itemId": item.item_id,
                "sku": item.sku,
                "quantity": json_number(item.ordered_quantity),
                "reservedQuantity": json_number(item.reserved_quantity),
                "shortQuantity": short_of(order, item),
                "cancelledQuantity": json_number(item.cancelled_quantity),
                "replacedQuantity": json_number(item.replaced_quantity),
                "replacesItemId": numbers.get(item.replaces_id),
                "parentItemId": numbers.get(item.parent_id),
                "kind": item.kind,
                "takesStock": item.takes_stock,
            }
            for item in items
        ],
    }

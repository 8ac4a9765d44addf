"""The rows of a captured order, as objects for the result and as values to store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orders import events
from orders.capture.asks import Ask
from orders.fields import ZERO
from orders.instances import Maker
from orders.models import EventKind, Order, OrderEvent, OrderItem, OrderStatus
from orders.reasons import say

# Columns of an order with the values as placed, under the same name, with their PostgreSQL type.
PLACED_COLUMNS = {
    "creation_date": "text",
    "currency": "text",
    "order_total": "bigint",
    "customer": "jsonb",
    "payload_hash": "text",
}


_orders = Maker(Order)
_order_items = Maker(OrderItem)


@dataclass(frozen=True, slots=True)
class Rows:
    """An order without an id yet, with everything stored beside it."""

    order: Order
    body: str
    items: list[OrderItem]
    event: OrderEvent


def build(ask: Ask, takes: Sequence[bool]) -> Rows:
    """Return the rows of an accepted order; `takes` marks lines that take stock."""
    placed, claim = ask.placed, ask.claim
    items = _items(ask, takes)
    order = _orders.make(
        site_id=ask.site.pk,
        order_no=placed.order_no,
        status=OrderStatus.CREATED if claim else OrderStatus.NEW,
        captured_offline=claim is None,
        captured_at=ask.now,
        units=sum((item.quantity for item in items), ZERO),
        claim=claim.holder if claim else "",
        claimed_until=claim.until if claim else None,
        **{name: getattr(placed, name) for name in PLACED_COLUMNS},
    )
    order._state.adding = False
    order._state.db = "default"
    event = events.build(
        order=order,
        kind=EventKind.CAPTURED if claim else EventKind.CAPTURED_OFFLINE,
        actor=ask.actor,
        reason=say("stock_taken") if claim else ask.offline_reason,
        now=ask.now,
    )
    return Rows(order, placed.body, items, event)


def _items(ask: Ask, takes: Sequence[bool]) -> list[OrderItem]:
    return [
        _order_items.make(
            position=position,
            item_id=one.item_id,
            sku=one.sku,
            product_name=one.product_name,
            inventory_list_id=one.inventory_list_id,
            kind=one.kind,
            quantity=one.quantity if takes_stock else ZERO,
            stockless_quantity=ZERO if takes_stock else one.quantity,
            reserved_quantity=ZERO,
            cancelled_quantity=ZERO,
            replaced_quantity=ZERO,
            unit_price=one.unit_price,
            # The parent's position in the order, until items have ids.
            parent_id=None if one.parent is None else one.parent + 1,
        )
        for position, (one, takes_stock) in enumerate(
            zip(ask.placed.items, takes, strict=True), start=1
        )
    ]

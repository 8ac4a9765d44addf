"""The outcome of orders from a file: actual, or expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orders.capture import check_same
from orders.errors import OrderRefused, PayloadRefused
from orders.imports.found_orders import FoundOrder
from orders.imports.reasons import join, say
from orders.ledger import LedgerChanged
from orders.models import Order, Site
from orders.payload import PlacedOrder, parse_order
from reconciliation.reservation.placement import Placement

_ITEM = re.compile(r"\AproductItems\[(\d+)\]")


def outcome(placement: Placement | OrderRefused | LedgerChanged) -> str | OrderRefused:
    """Return `reserved`, `offline` or `there`; a refusal; or a sentence with the next step."""
    if isinstance(placement, OrderRefused):
        return placement
    if isinstance(placement, LedgerChanged):
        return say("stock_changes")
    if not placement.created:
        return "there"
    return "offline" if placement.order.captured_offline else "reserved"


def checked(many: Sequence[FoundOrder], *, site: Site) -> Iterator[str | OrderRefused]:
    """Yield `good`, `there` or the refusal of each order, without looking at stock; one query."""
    all_placed = [_parsed(found.body, site) for found in many]
    numbers = {placed.order_no for placed in all_placed if isinstance(placed, PlacedOrder)}
    orders = Order.objects.filter(site=site, order_no__in=numbers).order_by()
    stored = {order.order_no: order for order in orders}
    for placed in all_placed:
        yield placed if isinstance(placed, OrderRefused) else _compared(placed, stored)


def _parsed(body: bytes, site: Site) -> PlacedOrder | OrderRefused:
    try:
        return parse_order(body, site=site)
    except OrderRefused as refused:
        return refused


def _compared(placed: PlacedOrder, stored: dict[str, Order]) -> str | OrderRefused:
    order = stored.get(placed.order_no)
    if order is None:
        return "good"
    try:
        check_same(order, placed)
    except OrderRefused as refused:
        return refused
    return "there"


def reason(refused: OrderRefused, found: FoundOrder) -> str:
    """Return why an order is refused, with the line of the item at fault."""
    first = refused.problems[0].field if isinstance(refused, PayloadRefused) else ""
    item = _ITEM.match(first)
    if item is None or int(item[1]) >= len(found.item_lines):
        return refused.detail
    line = found.item_lines[int(item[1])]
    is_first = line == found.line
    return refused.detail if is_first else join(refused.detail, say("in_line", line=line))

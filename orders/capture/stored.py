"""Orders already stored: the same order again, or another one with its number."""

from __future__ import annotations

from collections.abc import Iterable

from orders.capture import statements
from orders.capture.asks import Ask
from orders.errors import OrderNoTaken
from orders.models import Order, Site
from orders.payload import PlacedOrder, is_same


def find_same(*, placed: PlacedOrder, site: Site) -> Order | None:
    """Return the stored order with this number and content; raises OrderNoTaken if it differs."""
    order = Order.objects.filter(site=site, order_no=placed.order_no).first()
    if order is not None:
        check_same(order, placed)
    return order


def check_same(order: Order, placed: PlacedOrder) -> None:
    """Raise OrderNoTaken unless `placed` equals the stored `order` as placed."""
    if not is_same(order, payload_hash=placed.payload_hash, body=placed.body):
        raise OrderNoTaken(placed.order_no)


def is_any(asks: Iterable[Ask]) -> bool:
    """Return whether an order is stored with a number of a list; one short query."""
    return statements.is_any_taken({ask.number for ask in asks})


def find(asks: Iterable[Ask]) -> dict[tuple[str, str], Order]:
    """Return the stored orders with numbers of a list.

    One short query if none is stored, which is the usual case.
    """
    numbers = {ask.number for ask in asks}
    if not statements.is_any_taken(numbers):
        return {}
    rows = Order.objects.filter(
        site__in={site for site, _ in numbers}, order_no__in={number for _, number in numbers}
    )
    return {
        (order.site_id, order.order_no): order
        for order in rows.order_by()
        if (order.site_id, order.order_no) in numbers
    }

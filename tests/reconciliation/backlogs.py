"""Backlogs of orders that wait, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from orders.models import Order, OrderItem
from reconciliation.models import (
    Run,
    RunEntry,
)
from tests.engine import D, Engine

COMPLETE, PARTIAL = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"
NOTHING, MISSING = "NOTHING_RESERVED", "RESERVATION_MISSING"
OFFLINE = "OCI_OFFLINE"

Items = list[tuple[str, float]]


def states() -> dict[str, str]:
    """Reservation state by order number."""
    return dict(Order.objects.order_by("id").values_list("order_no", "reservation_state"))


def entries(run: Run) -> dict[str, str]:
    """What the run did, by order number."""
    rows = RunEntry.objects.filter(run=run).order_by("position")
    return dict(rows.values_list("order__order_no", "state"))


def order(order_no: str) -> Order:
    return Order.objects.get(order_no=order_no)


def backlog(engine: Engine, stock: dict[str, float], orders: Sequence[tuple[str, Items]]) -> None:
    """Capture orders on a generous last known stock; OCI has `stock`."""
    site = engine.site(dict.fromkeys(stock, 1000))
    for number, items in orders:
        engine.capture(site, number, items)
    engine.at_oci(stock)


def one_after_the_other(
    stock: dict[str, float], orders: Sequence[tuple[str, Items]]
) -> dict[str, list[Decimal]]:
    """Return what each item gets if a patient person serves the orders in order of capture."""
    left = {sku: D(units) for sku, units in stock.items()}
    got = {}
    for number, items in orders:
        shares = []
        for sku, units in items:
            share = min(D(units), left[sku])
            left[sku] -= share
            shares.append(share)
        got[number] = shares
    return got


def reserved() -> dict[str, list[Decimal]]:
    result: dict[str, list[Decimal]] = {}
    for number, units in OrderItem.objects.order_by("order_id", "position").values_list(
        "order__order_no", "reserved_quantity"
    ):
        result.setdefault(number, []).append(units)
    return result

"""Capture orders: one transaction writes a list of orders and takes their stock (design 4).

`capture_orders` returns a result for each order of a list. `capture_order` takes one order, and
puts those that one process receives at the same time into one transaction.
"""

from __future__ import annotations

from orders.capture.asks import Ask, Captured, Claim
from orders.capture.caps import check_caps
from orders.capture.core import MOST_ORDERS, capture_orders
from orders.capture.decisions import offline_floor, wanted_by_key
from orders.capture.group import CaptureBusy, capture_order
from orders.capture.stored import check_same, find_same

__all__ = [
    "MOST_ORDERS",
    "Ask",
    "CaptureBusy",
    "Captured",
    "Claim",
    "capture_order",
    "capture_orders",
    "check_caps",
    "check_same",
    "find_same",
    "offline_floor",
    "wanted_by_key",
]

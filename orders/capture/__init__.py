"""Capturing orders: one transaction writes a list of orders and takes it off ATO (design 4).

One order is a list of one. `capture_orders` answers each order of a list; `capture_order` lets the
orders that one process is given at the same time share a transaction.
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

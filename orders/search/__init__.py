"""Find orders and SKUs by any fragment of their texts."""

from __future__ import annotations

from orders.search.find import MIN_CHARACTERS, Hits, find_orders, find_records

__all__ = ["MIN_CHARACTERS", "Hits", "find_orders", "find_records"]

"""The ATO ledger: the single writer of inventory records, holds and movements.

For a tracked SKU `ato = max(0, snapshot_ato - held)`; open holds add up to `held`; movements add up
to both. Records are always written in (list, SKU) order, by updates that repeat what they rely on.
"""

from __future__ import annotations

from orders.ledger.figures import apply_snapshot
from orders.ledger.holds import hold_shortfall, mark_answered, mark_orders_answered, release
from orders.ledger.rows import (
    Figure,
    Key,
    LedgerChanged,
    add_untracked,
    get_ato,
    open_holds,
    records_of,
    skus_by_list,
)
from orders.ledger.stock import Stock, Taker, Taking, beyond, floor_of, lock_stock, shortfalls, take

__all__ = [
    "Figure",
    "Key",
    "LedgerChanged",
    "Stock",
    "Taker",
    "Taking",
    "add_untracked",
    "apply_snapshot",
    "beyond",
    "floor_of",
    "get_ato",
    "hold_shortfall",
    "lock_stock",
    "mark_answered",
    "mark_orders_answered",
    "open_holds",
    "records_of",
    "release",
    "shortfalls",
    "skus_by_list",
    "take",
]

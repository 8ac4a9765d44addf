"""Units that OCI holds, compared with those the rows allow."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.rows import Broken, rows

if TYPE_CHECKING:
    from tests.simulation.world import World

_DOCUMENTS = """
SELECT d.reservation_id, d.order_id, d.state, d.sends,
       d.state IN ('prepared', 'answered', 'cancelling') AND (d.purpose = 'rearrange'
         OR d.id IN (SELECT document FROM orders_rearrangement WHERE state = 'done')) beside,
       d.purpose = 'replace' AND d.state <> 'counted' replacing,
       d.id IN (SELECT document FROM orders_rearrangement WHERE state = 'done') former
FROM reconciliation_reservationdocument d
"""
_REPLACEMENTS = "SELECT order_id, sku, MAX(quantity) FROM orders_replacement GROUP BY 1, 2"
_WAITING = """
SELECT r.inventory_list_id, r.sku, r.ato, h.order_id, h.quantity
FROM orders_inventoryrecord r
LEFT JOIN orders_hold h ON h.record_id = r.id AND h.state = 'waiting'
"""

Items = dict[int, dict[str, list[int]]]
"""Of each order by SKU: what was ordered and what its items have reserved, in thousandths."""
Units = dict[int, dict[str, int]]
"""Of each order by SKU, in thousandths."""


class _Ours(NamedTuple):
    """Our knowledge of a reservation document; see _DOCUMENTS."""

    reservation_id: Any
    order_id: int
    state: str
    sends: int
    beside: int
    replacing: int
    former: int


def _units() -> Units:
    return defaultdict(lambda: defaultdict(int))


@dataclass(slots=True)
class _Holdings:
    """Units that OCI holds."""

    held: Units = field(default_factory=_units)
    # Held twice for a moment while an adjustment moves from one document to the next.
    beside: Units = field(default_factory=_units)
    # Of `beside` and of replacements: the part for which the order's holds wait.
    being_asked: Units = field(default_factory=_units)
    # By order and SKU; each document that is cancelled on its own.
    replacing: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def add(self, ours: _Ours, sku: str, units: int, *, status: str) -> None:
        """Add a line of a document of an order with `status`."""
        order_id = ours.order_id
        undone = str(ours.reservation_id) if ours.state == "cancelling" else ""
        # The holds of a cancelled order stay until all their reservations are undone.
        stands = status == "cancelling" and not ours.former
        if (ours.beside or ours.replacing) and (stands or not undone):
            self.being_asked[order_id][sku] += units
        if ours.beside:
            self.beside[order_id][sku] += units
        elif ours.replacing:
            self.replacing[(order_id, sku, undone)] += units
        else:
            self.held[order_id][sku] += units


def check_books(world: World, items: Items, orders: dict[int, tuple[Any, ...]]) -> None:
    """Check that OCI never holds more units than ordered, and only our orders' units."""
    holdings = _Holdings()
    for ours, sku, units in _lines(world):
        holdings.add(ours, sku, units, status=orders[ours.order_id][3])
    if holdings.replacing:
        _check_replacing(holdings.replacing)
    for order_id in sorted(holdings.held.keys() | holdings.beside.keys()):
        _check_order(orders[order_id], items[order_id], holdings)
    if world.nature.alone:
        asked: Units = _units()
        for order_id, order in orders.items():
            missing = order[4] == "RESERVATION_MISSING"
            asked[order_id] = (holdings.held if missing else holdings.being_asked)[order_id]
        _check_ato(world, asked)


def _lines(world: World) -> Iterator[tuple[_Ours, str, int]]:
    known = {str(_uuid(row[0])): _Ours(*row) for row in rows(_DOCUMENTS)}
    for document in world.simulator.books.documents.by_id.values():
        ours = known.get(document.reservation_id)
        if ours is None:
            raise Broken(f"OCI holds {document.reservation_id}, which nobody wrote down")
        if ours.sends == 0:
            raise Broken(f"{document.reservation_id} was sent before that was written down")
        if document.state == "OPEN":
            for line in document.lines:
                yield ours, line.sku, line.held


def _check_replacing(replacing: Counter[tuple[int, str, str]]) -> None:
    """Check that OCI holds at most one replacement's units, done or given back."""
    asked = {(order_id, sku): units for order_id, sku, units in rows(_REPLACEMENTS)}
    for (order_id, sku, _), units in replacing.items():
        if units > asked.get((order_id, sku), 0):
            raise Broken(f"OCI holds {units} of {sku} for a replacement of order {order_id}")


def _check_order(order: tuple[Any, ...], items: dict[str, list[int]], holdings: _Holdings) -> None:
    """Check that OCI holds ordered units once, and during an adjustment at most twice."""
    held, beside = holdings.held[order[0]], holdings.beside[order[0]]
    # Sorted: the first fault found must not depend on this process's hashing.
    for sku in sorted(held.keys() | beside.keys()):
        wanted, both = items[sku][0], held.get(sku, 0) + beside.get(sku, 0)
        if held.get(sku, 0) > wanted or both > 2 * wanted:
            raise Broken(
                f"OCI holds {both} of {sku} for order {order[1:4]}, which wants {wanted};"
                f" {beside.get(sku, 0)} of them beside"
            )


def _check_ato(world: World, asked: Units) -> None:
    """Check that ATO promises only units that are free at OCI and that no waiting order needs.

    True only if nobody else sells. `asked` are OCI's units for which the orders' holds wait; a
    rerun's units are off ATO before it is sent.
    """
    promised: dict[tuple[str, str], list[int]] = {}
    for list_id, sku, ato, order_id, units in rows(_WAITING):
        sums = promised.setdefault((list_id, sku), [ato, 0])
        if order_id is not None:
            sums[1] += max(0, units - asked[order_id][sku])
    books = world.simulator.books
    for (list_id, sku), (ato, waiting) in promised.items():
        book = books.skus[sku]
        free = book.free_at(list_id)
        if list_id in books.graph.groups:
            free = book.free_in(list_id, books.graph)
        if ato > max(0, free - waiting):
            raise Broken(f"ATO of {sku} in {list_id} is {ato}; OCI has {free} free, {waiting} wait")


def _uuid(value: Any) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))

"""Which orders may be reserved at the same time: pure Python, no database, no clock.

Oldest first holds per SKU: an order may start when every earlier order that wants one of its SKUs
is done. Every SKU that two waiting orders share counts as scarce, since stock can be sold elsewhere
between planning and reserving.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

Key = tuple[str, str]
"""Inventory list id and SKU."""

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Demand:
    """What one waiting order asks for: units per key. Orders are given oldest first."""

    order_id: int
    units: Mapping[Key, Decimal]


def lanes(demands: Sequence[Demand]) -> list[list[int]]:
    """Return the orders in lanes: no two lanes share a SKU; each keeps the order of capture.

    Lanes are sorted by their oldest order.
    """
    parent = list(range(len(demands)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first_with: dict[Key, int] = {}
    for index, demand in enumerate(demands):
        for key in demand.units:
            other = root(first_with.setdefault(key, index))
            mine = root(index)
            parent[max(other, mine)] = min(other, mine)
    grouped: dict[int, list[int]] = defaultdict(list)
    for index, demand in enumerate(demands):
        grouped[root(index)].append(demand.order_id)
    return [grouped[first] for first in sorted(grouped)]


def forecast(
    demands: Sequence[Demand], stock: Mapping[Key, Decimal]
) -> dict[int, dict[Key, Decimal]]:
    """Return what each order would get, one after the other, from `stock`; changes nothing."""
    left = dict(stock)
    result = {}
    for demand in demands:
        got = {}
        for key, units in demand.units.items():
            got[key] = min(units, max(ZERO, left.get(key, ZERO)))
            left[key] = left.get(key, ZERO) - got[key]
        result[demand.order_id] = got
    return result


class Schedule:
    """Hands out the orders of one batch to threads, oldest first per SKU.

    An order that stays unsettled is *withheld*: later orders that want one of its SKUs are withheld
    too, or they would get units that it could have used.
    """

    def __init__(self, demands: Sequence[Demand], *, blocked: frozenset[Key] = frozenset()) -> None:
        self._demands = {demand.order_id: demand for demand in demands}
        self._waits_for: dict[int, set[int]] = {}
        self._blocked = set(blocked)
        self._running: set[int] = set()
        self._todo = [demand.order_id for demand in demands]
        self._stopped = False
        self._condition = threading.Condition()
        self.withheld: list[int] = []
        last_with: dict[Key, int] = {}
        for demand in demands:
            earlier = {last_with[key] for key in demand.units if key in last_with}
            self._waits_for[demand.order_id] = earlier
            last_with.update(dict.fromkeys(demand.units, demand.order_id))

    def take(self) -> int | None:
        """Return an order that may start now; wait for one; None when none is left to hand out."""
        with self._condition:
            while True:
                self._withhold_blocked()
                if self._stopped or not self._todo:
                    return None
                for order_id in self._todo:
                    if not self._waits_for[order_id]:
                        self._todo.remove(order_id)
                        self._running.add(order_id)
                        return order_id
                self._condition.wait()

    def done(self, order_id: int, *, settled: bool) -> None:
        """Note the end of an order; one that is not settled holds its SKUs back."""
        with self._condition:
            self._running.discard(order_id)
            if not settled:
                self._withhold(order_id)
            self._free(order_id)
            self._condition.notify_all()

    def stop(self) -> None:
        """Hand out nothing more; what is running may end."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def left(self) -> list[int]:
        """Return the orders that were never handed out or were withheld, oldest first."""
        with self._condition:
            unsettled = set(self.withheld) | set(self._todo)
            return [order_id for order_id in self._demands if order_id in unsettled]

    def _withhold_blocked(self) -> None:
        for order_id in list(self._todo):
            ready = not self._waits_for[order_id]
            if ready and self._blocked & self._demands[order_id].units.keys():
                self._todo.remove(order_id)
                self._withhold(order_id)
                self._free(order_id)

    def _withhold(self, order_id: int) -> None:
        self.withheld.append(order_id)
        self._blocked.update(self._demands[order_id].units)

    def _free(self, order_id: int) -> None:
        for waits in self._waits_for.values():
            waits.discard(order_id)

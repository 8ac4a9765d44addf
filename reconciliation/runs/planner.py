"""Which orders may be reserved at the same time: pure Python, no database, no clock, no threads.

Oldest first holds per SKU: an order is ready when no earlier unsettled order wants one of its
*scarce* SKUs. Every SKU counts as scarce unless OCI has just said that it has far more than all
waiting orders want (`ample`): stock is also sold elsewhere while a run goes on.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

Key = tuple[str, str]
"""Inventory list id and SKU."""

ZERO = Decimal(0)

# OCI's figures lag by seconds and other channels go on selling: enough means twice as much.
_MARGIN = 2
# A SKU that fewer orders want is served one after the other without holding up the run.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Demand:
    """What one waiting order asks for: units per key. Orders are given oldest first."""

    order_id: int
    units: Mapping[Key, Decimal]


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


def popular(demands: Sequence[Demand], *, at_once: int) -> frozenset[Key]:
    """Return the keys that would hold up a run of `at_once` calls if served one after the other."""
    if at_once < 2:
        return frozenset()
    many = max(_FEW, len(demands) // (2 * at_once))
    wanted_by = Counter(key for demand in demands for key in demand.units)
    return frozenset(key for key, orders in wanted_by.items() if orders > many)


def ample(demands: Iterable[Demand], stock: Mapping[Key, Decimal]) -> frozenset[Key]:
    """Return the keys of `stock` with more than enough for all `demands`."""
    wanted: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for demand in demands:
        for key, units in demand.units.items():
            wanted[key] += units
    return frozenset(key for key, units in stock.items() if units >= _MARGIN * wanted[key])


class Schedule:
    """Hands out orders as they become ready, oldest first.

    An order that stays unsettled is *withheld*: later orders that want one of its scarce SKUs are
    withheld too, or they would get units that it could have used.
    """

    def __init__(
        self, demands: Iterable[Demand] = (), *, blocked: frozenset[Key] = frozenset()
    ) -> None:
        """`blocked` are the keys of earlier orders that stay unsettled."""
        # Unsettled orders, oldest first.
        self._open: dict[int, Demand] = {}
        self._rank: dict[int, int] = {}
        # Who wants a key, oldest first; settled orders are dropped when they come to the front.
        self._queues: dict[Key, deque[int]] = defaultdict(deque)
        self._ready: list[tuple[int, int]] = []
        self._taken: set[int] = set()
        self._ample: frozenset[Key] = frozenset()
        self._blocked = set(blocked)
        self.withheld: list[int] = []
        self._told = 0
        self.add(demands)

    def __len__(self) -> int:
        """Return how many orders are neither settled nor withheld."""
        return len(self._open)

    @property
    def demands(self) -> list[Demand]:
        """The open demands, neither settled nor withheld, oldest first."""
        return list(self._open.values())

    def add(self, demands: Iterable[Demand]) -> None:
        """Add orders captured after all earlier ones; no key is ample any longer.

        What was ample was so without what these want.
        """
        self._ample = frozenset()
        for demand in demands:
            order_id = demand.order_id
            self._open[order_id] = demand
            self._rank[order_id] = len(self._rank)
            for key in demand.units:
                self._queues[key].append(order_id)
            self._note_ready(order_id)

    def set_ample(self, keys: frozenset[Key]) -> None:
        """Set the keys for which orders need not wait for each other."""
        if keys != self._ample:
            self._ample = keys
            for order_id in list(self._open):
                self._note_ready(order_id)

    def note_short(self, order_id: int) -> None:
        """Note that OCI was short for an order: its keys are no longer ample."""
        demand = self._open.get(order_id)
        if demand is not None and self._ample & demand.units.keys():
            self._ample -= demand.units.keys()

    def take(self, most: int) -> list[int]:
        """Return up to `most` orders that are ready, oldest first."""
        taken: list[int] = []
        while self._ready and len(taken) < most:
            _, order_id = heapq.heappop(self._ready)
            # One that has to wait again, since a key became scarce, comes back when it is first.
            if order_id in self._taken or not self._is_ready(order_id):
                continue
            if self._is_blocked(order_id):
                self._end(order_id, settled=False)
            else:
                self._taken.add(order_id)
                taken.append(order_id)
        return taken

    def done(self, order_id: int, *, settled: bool) -> None:
        """Note the end of an order; one that is not settled holds its SKUs back."""
        if order_id in self._open:
            self._end(order_id, settled=settled)

    def newly_withheld(self) -> list[int]:
        """Return the orders that were withheld since the last time."""
        new = self.withheld[self._told :]
        self._told = len(self.withheld)
        return new

    def left(self) -> list[int]:
        """Return the orders that are not settled, oldest first."""
        return sorted([*self.withheld, *self._open], key=self._rank.__getitem__)

    def _is_ready(self, order_id: int) -> bool:
        demand = self._open.get(order_id)
        return demand is not None and all(
            self._first(key) == order_id for key in demand.units if key not in self._ample
        )

    def _is_blocked(self, order_id: int) -> bool:
        keys = self._open[order_id].units.keys()
        return any(key in self._blocked and key not in self._ample for key in keys)

    def _first(self, key: Key) -> int | None:
        queue = self._queues[key]
        while queue and queue[0] not in self._open:
            queue.popleft()
        return queue[0] if queue else None

    def _note_ready(self, order_id: int) -> None:
        if order_id not in self._taken and self._is_ready(order_id):
            heapq.heappush(self._ready, (self._rank[order_id], order_id))

    def _end(self, order_id: int, *, settled: bool) -> None:
        demand = self._open.pop(order_id)
        if not settled:
            self.withheld.append(order_id)
            self._blocked.update(demand.units)
        for key in demand.units:
            following = self._first(key)
            if following is not None:
                self._note_ready(following)

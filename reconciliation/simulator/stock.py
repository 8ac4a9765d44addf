"""The arithmetic of one SKU over locations and groups (OCI contract 1.10), in whole thousandths.

A group promise is assigned to locations of the group, the least shared first. Other groups see
units that one group assigned to a shared location as ``sharedGroupReserved``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .amounts import number_of

Figures = dict[str, object]


@dataclass(slots=True)
class Record:
    """Stock of one SKU at one location; ``reserved`` counts units held at the location itself."""

    on_hand: int = 0
    safety: int = 0
    futures: tuple[tuple[int, str], ...] = ()
    effective: str | None = None
    reserved: int = 0

    @property
    def to_fulfill(self) -> int:
        """Units that could be shipped now, before any group promise."""
        return max(0, self.on_hand - self.reserved - self.safety)

    @property
    def to_order(self) -> int:
        """Units that could be promised, before any group promise."""
        coming = sum(quantity for quantity, _ in self.futures)
        return max(0, self.on_hand + coming - self.reserved - self.safety)


class Graph:
    """Locations and the groups over them; a location may belong to several groups."""

    def __init__(self, locations: Iterable[str], groups: Mapping[str, Iterable[str]]) -> None:
        self.groups = {group: tuple(dict.fromkeys(members)) for group, members in groups.items()}
        named = [*locations, *(place for members in self.groups.values() for place in members)]
        self.locations = tuple(dict.fromkeys(named))
        shared = dict.fromkeys(self.locations, 0)
        for members in self.groups.values():
            for place in members:
                shared[place] += 1
        self.least_shared = {
            group: tuple(sorted(members, key=shared.__getitem__))
            for group, members in self.groups.items()
        }
        self.known_locations = frozenset(self.locations)


@dataclass(slots=True)
class SkuBook:
    """All data about one SKU. Not thread-safe: Books holds the lock."""

    records: dict[str, Record] = field(default_factory=dict)
    laid: dict[str, dict[str, int]] = field(default_factory=dict)
    # Promises that lost their stock, because it was sold or removed.
    uncovered: dict[str, int] = field(default_factory=dict)

    def copy(self) -> SkuBook:
        """An independent copy, for lagging answers."""
        return SkuBook(
            {place: replace(record) for place, record in self.records.items()},
            {group: dict(parts) for group, parts in self.laid.items()},
            dict(self.uncovered),
        )

    def promised(self, group: str) -> int:
        """All units held for the group itself, at any location."""
        return sum(self.laid.get(group, {}).values()) + self.uncovered.get(group, 0)

    def laid_on(self, place: str) -> int:
        """Group promises assigned to one location."""
        return sum(parts.get(place, 0) for parts in self.laid.values())

    def free_at(self, place: str) -> int:
        """Units at one location that no reservation of any kind needs."""
        record = self.records.get(place)
        return max(0, record.to_order - self.laid_on(place)) if record else 0

    def free_in(self, group: str, graph: Graph) -> int:
        """Units that can still be promised from a group: its ATO."""
        return sum(self.free_at(place) for place in graph.groups.get(group, ()))

    def knows(self, group: str, graph: Graph) -> bool:
        """Whether any location of the group carries the SKU."""
        return any(place in self.records for place in graph.groups.get(group, ()))

    def hold_in_group(self, group: str, quantity: int, graph: Graph) -> int:
        """Promise up to ``quantity`` from the group; return the held units."""
        held = min(quantity, self.free_in(group, graph))
        self._lay(group, held, graph)
        return held

    def give_back_to_group(self, group: str, quantity: int, graph: Graph) -> int:
        """Take up to ``quantity`` off the promises of the group; return the units taken."""
        total = self.promised(group)
        taken = min(quantity, total)
        self._relay(group, total - taken, graph)
        self.settle(graph)
        return taken

    def room_at(self, place: str, graph: Graph, *, fulfill_only: bool = False) -> int:
        """Units that a location can still hold once movable group promises have moved away."""
        record = self.records.get(place)
        if record is None:
            return 0
        for group in sorted(self.laid):
            self._move_away(group, place, graph)
        free = self.free_at(place)
        return min(free, max(0, record.to_fulfill - self.laid_on(place))) if fulfill_only else free

    def hold_at(self, place: str, quantity: int, graph: Graph) -> None:
        """Hold at a location. The caller has checked the room, or deliberately exceeds it."""
        self.records.setdefault(place, Record()).reserved += quantity
        self.settle(graph)

    def give_back_at(self, place: str, quantity: int, graph: Graph) -> int:
        """Take up to ``quantity`` off a location's holds; return the units taken."""
        record = self.records.get(place)
        taken = min(quantity, record.reserved) if record else 0
        if record:
            record.reserved -= taken
        self.settle(graph)
        return taken

    def settle(self, graph: Graph) -> None:
        """Redistribute every promise after a change, least shared locations first."""
        for group in sorted({*self.laid, *self.uncovered}):
            self._relay(group, self.promised(group), graph)

    def _relay(self, group: str, quantity: int, graph: Graph) -> None:
        self.laid.pop(group, None)
        self.uncovered.pop(group, None)
        self._lay(group, quantity, graph)

    def _lay(self, group: str, quantity: int, graph: Graph) -> None:
        for place in graph.least_shared.get(group, ()):
            part = min(quantity, self.free_at(place))
            if part:
                parts = self.laid.setdefault(group, {})
                parts[place] = parts.get(place, 0) + part
                quantity -= part
        if quantity:
            self.uncovered[group] = self.uncovered.get(group, 0) + quantity

    def _move_away(self, group: str, place: str, graph: Graph) -> None:
        parts = self.laid[group]
        for other in graph.least_shared.get(group, ()):
            part = min(parts.get(place, 0), self.free_at(other)) if other != place else 0
            if part:
                parts[place] -= part
                parts[other] = parts.get(other, 0) + part

    def location_figures(self, place: str, sku: str) -> Figures | None:
        """The counts of get-availability for a location; None if it does not carry the SKU."""
        record = self.records.get(place)
        if record is None:
            return None
        figures: Figures = {
            "sku": sku,
            "onHand": number_of(record.on_hand),
            "reserved": number_of(record.reserved),
            "safetyStockCount": number_of(record.safety),
            "atf": number_of(record.to_fulfill),
            "ato": number_of(record.to_order),
        }
        if record.effective:
            figures["effectiveDate"] = record.effective
        if record.futures:
            figures["futures"] = _futures([record])
        return figures

    def group_figures(self, group: str, sku: str, graph: Graph) -> Figures | None:
        """The counts of get-availability for a group; None if no location carries the SKU."""
        members = graph.groups.get(group, ())
        records = [self.records[place] for place in members if place in self.records]
        if not records:
            return None
        own = self.promised(group) + sum(record.reserved for record in records)
        others = sum(self.laid_on(place) for place in members)
        shared = others - sum(self.laid.get(group, {}).get(place, 0) for place in members)
        promised = self.promised(group) + shared
        figures: Figures = {
            "sku": sku,
            "onHand": number_of(sum(record.on_hand for record in records)),
            "reserved": number_of(own + shared),
            "groupReserved": number_of(own),
            "sharedGroupReserved": number_of(shared),
            "safetyStockCount": number_of(sum(record.safety for record in records)),
            "atf": number_of(max(0, sum(record.to_fulfill for record in records) - promised)),
            "ato": number_of(self.free_in(group, graph)),
        }
        if any(record.futures for record in records):
            figures["futures"] = _futures(records)
        return figures


def _futures(records: Iterable[Record]) -> list[dict[str, object]]:
    pairs = sorted((day, amount) for record in records for amount, day in record.futures)
    return [{"quantity": number_of(amount), "expectedDate": day} for day, amount in pairs]

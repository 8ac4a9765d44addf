"""Decide which orders of a list are captured, in their order, on locked stock. No queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import compress

from orders.capture import caps
from orders.capture.asks import Ask
from orders.capture.stored import check_same
from orders.errors import OrderNoTaken, OrderRefused, ShortOnAto, UnknownSku
from orders.fields import ZERO
from orders.ledger import Key, Stock, Taking, floor_of, shortfalls
from orders.models import InventoryList, InventoryRecord, Order, UnknownSkuPolicy
from orders.payload import PlacedOrder, differ_by_stamps
from orders.payload_items import PlacedItem, Takes


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted order and the stock each line takes."""

    wanted: Mapping[Key, Decimal]
    takes: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Same:
    """The same order as an earlier one of the list, by its index."""

    place: int


Decision = Accepted | Same | Order | OrderRefused


@dataclass(slots=True)
class Decider:
    """Decides orders one after the other, each as if the earlier ones were committed.

    `stored` are existing orders with numbers of the list, `waiting` the value that waits for OCI at
    sites with a cap on it.
    """

    taking: Taking
    stored: Mapping[tuple[str, str], Order]
    waiting: dict[str, Decimal]
    _places: dict[tuple[str, str], int] = field(default_factory=dict)
    _placed: dict[tuple[str, str], PlacedOrder] = field(default_factory=dict)

    def decide(self, place: int, ask: Ask) -> Decision:
        """Return the decision for the order at index `place` of the list."""
        try:
            before = self._before(ask)
            if before is not None:
                return before
            accepted = self._accept(ask)
        except OrderRefused as refused:
            return refused
        self.taking.take(accepted.wanted)
        self._places[ask.number] = place
        self._placed[ask.number] = ask.placed
        if ask.claim is None and ask.site.pk in self.waiting:
            self.waiting[ask.site.pk] += ask.placed.order_total
        return accepted

    def _before(self, ask: Ask) -> Same | Order | None:
        order = self.stored.get(ask.number)
        if order is not None:
            check_same(order, ask.placed)
            return order
        place = self._places.get(ask.number)
        if place is None:
            return None
        first = self._placed[ask.number]
        is_same = first.payload_hash == ask.placed.payload_hash
        if not (is_same or differ_by_stamps(first.body, ask.placed.body)):
            raise OrderNoTaken(ask.placed.order_no)
        return Same(place)

    def _accept(self, ask: Ask) -> Accepted:
        stock, placed = self.taking.stock, ask.placed
        skips = ask.site.unknown_sku_policy != UnknownSkuPolicy.REFUSE
        takes = [takes_stock(item, stock, skips_unknown=skips) for item in placed.items]
        if ask.claim is None:
            self._check_caps(ask, sum((i.quantity for i in compress(placed.items, takes)), ZERO))
        wanted = summed(compress(placed.items, takes))
        if unknown := sorted(wanted.keys() - stock.keys()):
            raise UnknownSku([sku for _, sku in unknown])
        if short := shortfalls(wanted, stock, offline=ask.claim is None):
            raise ShortOnAto(short)
        return Accepted(wanted, takes)

    def _check_caps(self, ask: Ask, units: Decimal) -> None:
        caps.check_each(site=ask.site, units=units, offline_since=ask.offline_since, now=ask.now)
        waiting = self.waiting.get(ask.site.pk, ZERO)
        caps.check_total(site=ask.site, waiting=waiting, value=ask.placed.order_total)


def wanted_by_key(placed: PlacedOrder) -> dict[Key, Decimal]:
    """Return the units per (inventory list, SKU), summed over items.

    Lines that take stock only where their list has a figure of the SKU are included.
    """
    return summed(item for item in placed.items if item.takes != Takes.NEVER)


def summed(items: Iterable[PlacedItem]) -> dict[Key, Decimal]:
    """Return the units of `items` per (inventory list, SKU)."""
    wanted: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for item in items:
        wanted[(item.inventory_list_id, item.sku)] += item.quantity
    return dict(wanted)


def takes_stock(
    item: PlacedItem, stock: Mapping[Key, Stock], *, skips_unknown: bool = False
) -> bool:
    """Return whether a line takes stock; some do only where their list counts the SKU.

    With `skips_unknown` (Default In-Stock), a line of a SKU unknown to its list takes none: it is
    never reserved and never short. An earlier order may have created a record without a figure; the
    SKU still counts as unknown.
    """
    if item.takes == Takes.IF_COUNTED or (skips_unknown and item.takes == Takes.ALWAYS):
        one = stock.get((item.inventory_list_id, item.sku))
        return one is not None and one.is_tracked
    return item.takes == Takes.ALWAYS


def offline_floor(record: InventoryRecord, list_: InventoryList) -> Decimal:
    """Return how many units of a SKU of `list_` are kept back while selling offline."""
    return floor_of(record.safety_stock, list_.offline_floor_units, list_.offline_floor_percent)

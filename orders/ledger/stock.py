"""Stock for a list of orders: locked, decided in memory, then taken in one step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from orders.errors import Shortfall, ShortOnAto
from orders.fields import ZERO, from_thousandths, thousandths
from orders.ledger import statements
from orders.ledger.rows import Key, LedgerChanged
from orders.models import Order


@dataclass(slots=True)
class Stock:
    """One locked record: the units left for undecided orders.

    `has_promise`: there is a promise for the SKU, kept or not; `promised`: the units wanted by kept
    promises, if they were looked up.
    """

    record_id: int
    is_tracked: bool
    ato: Decimal
    floor: Decimal
    was_ato: int
    was_held: int
    has_promise: bool = False
    promised: Decimal = ZERO

    def available(self, *, offline: bool) -> Decimal:
        """Return how many units of a tracked record may be taken.

        Offline, the list's floor and the promised units are kept back.
        """
        return max(ZERO, self.ato - max(self.floor, self.promised)) if offline else self.ato


def lock_stock(keys: Collection[Key]) -> dict[Key, Stock]:
    """Return the known records of `keys`, locked in (list, SKU) order; one statement.

    Runs in the caller's transaction, which keeps the locks.
    """
    if not keys:
        return {}
    return {
        (list_id, sku): Stock(
            record_id=pk,
            is_tracked=bool(tracked),
            ato=from_thousandths(ato),
            floor=floor_of(from_thousandths(safety), from_thousandths(units), percent),
            was_ato=ato,
            was_held=held,
            has_promise=bool(promise),
        )
        for pk, list_id, sku, tracked, ato, held, safety, units, percent, promise in (
            statements.locked_records(keys)
        )
    }


def floor_of(safety_stock: Decimal, units: Decimal, percent: int) -> Decimal:
    """Return the units kept back while selling offline: `units`, or a share of the safety stock."""
    share: Decimal = round(safety_stock * percent / 100, 3) if percent else ZERO
    return max(units, share)


def shortfalls(
    wanted: Mapping[Key, Decimal], stock: Mapping[Key, Stock], *, offline: bool
) -> list[Shortfall]:
    """Return the part of `wanted` that exceeds the stock, in (list, SKU) order."""
    left = {key: stock[key].available(offline=offline) for key in wanted if stock[key].is_tracked}
    return beyond(wanted, left)


def beyond(wanted: Mapping[Key, Decimal], left: Mapping[Key, Decimal]) -> list[Shortfall]:
    """Return the part of `wanted` that exceeds `left`, in (list, SKU) order.

    What `left` does not name is never short.
    """
    return [
        Shortfall(sku=key[1], inventory_list_id=key[0], requested=wanted[key], available=left[key])
        for key in sorted(wanted.keys() & left.keys())
        if left[key] < wanted[key]
    ]


@dataclass(frozen=True, slots=True)
class Taker:
    """An order and the stock it takes; `order_id` is its place in a list that is not stored yet."""

    order_id: int
    wanted: Mapping[Key, Decimal]
    at: datetime


@dataclass(slots=True)
class Taking:
    """Takes locked stock in memory, order by order; `rows` are what has to be written then."""

    stock: Mapping[Key, Stock]
    _units: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    def take(self, wanted: Mapping[Key, Decimal]) -> None:
        """Subtract `wanted`; the caller has checked that there is enough."""
        for key, units in wanted.items():
            one = self.stock[key]
            if one.is_tracked:
                one.ato -= units
            self._units[key] += units

    def rows(self, takers: Sequence[Taker]) -> statements.ToTake:
        """Return the holds of `takers`, who have taken all of it, and the records they change."""
        return statements.ToTake(
            holds=[hold for taker in takers for hold in self._holds(taker)],
            records=[self._record(key) for key in sorted(self._units)],
            at=max(one.at for one in takers),
        )

    def _holds(self, taker: Taker) -> Iterator[statements.NewHold]:
        for key in sorted(taker.wanted):
            units = thousandths(taker.wanted[key])
            yield {
                "order_id": taker.order_id,
                "record_id": self.stock[key].record_id,
                "units": units,
                "ato": units if self.stock[key].is_tracked else 0,
                "at": taker.at,
            }

    def _record(self, key: Key) -> statements.TakenRecord:
        one, units = self.stock[key], thousandths(self._units[key])
        return {
            "id": one.record_id,
            "units": units,
            "ato": units if one.is_tracked else 0,
            "was_ato": one.was_ato,
            "was_held": one.was_held,
        }


def take(*, order: Order, wanted: Mapping[Key, Decimal], now: datetime) -> None:
    """Take `wanted` off ATO and hold it for one order, in the caller's transaction.

    Raises ShortOnAto with every shortfall, or LedgerChanged if a record is gone; then nothing is
    written.
    """
    stock = lock_stock(wanted.keys())
    if wanted.keys() - stock.keys():
        raise LedgerChanged
    if short := shortfalls(wanted, stock, offline=False):
        raise ShortOnAto(short)
    taking = Taking(stock)
    taking.take(wanted)
    rows = taking.rows([Taker(order.pk, wanted, now)])
    if rows.holds and statements.take(rows) != len(rows.records):
        raise LedgerChanged

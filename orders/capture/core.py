"""The capture core: decides a list of orders with a handful of statements.

One transaction locks the needed records in (list, SKU) order, assigns stock in the order of the
list, and writes all accepted orders. A refusal writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db import IntegrityError, transaction

from orders import ledger, promises
from orders.capture import caps, rows, statements, stored
from orders.capture.asks import Ask, Captured
from orders.capture.decisions import Accepted, Decider, Decision, Same, wanted_by_key
from orders.errors import OrderRefused
from orders.ledger import Key
from orders.models import Order

Answer = Captured | OrderRefused


class _LookUp(Exception):
    """An order of the list may have been stored before; nothing has been written."""


_TRIES = 5
# Orders per transaction: records stay locked while they are written.
MOST_ORDERS = 200
_MOST_ITEMS = 5_000
_MOST_CHARACTERS = 8_000_000


def capture_orders(asks: Sequence[Ask]) -> list[Answer]:
    """Capture a list of orders; return each order's result: stored, found, or the refusal.

    The results are the same as if each order were captured alone. A long list takes several
    transactions, in its order. Raises database errors, and orders.ledger's LedgerChanged; earlier
    transactions stay committed.
    """
    answers: list[Answer] = []
    for part in _parts(asks):
        answers += _capture(part)
    return answers


def _parts(asks: Sequence[Ask]) -> Iterator[list[Ask]]:
    part: list[Ask] = []
    items = characters = 0
    for ask in asks:
        items += len(ask.placed.items)
        characters += len(ask.placed.body)
        full = len(part) == MOST_ORDERS or items > _MOST_ITEMS or characters > _MOST_CHARACTERS
        if part and full:
            yield part
            part, items, characters = [], len(ask.placed.items), len(ask.placed.body)
        part.append(ask)
    if part:
        yield part


def _capture(asks: list[Ask]) -> list[Answer]:
    # A repeated order is rare: its number, which is unique, or a refusal leads to a second try, and
    # only that looks orders up.
    known: dict[tuple[str, str], Order] | None = None
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                if known is not None:
                    known = stored.find(asks)
                return _capture_once(asks, known=known)
        except _LookUp:
            known = {}
        except ledger.LedgerChanged:
            if attempt == _TRIES - 1:
                raise
        except IntegrityError:
            # Another request has captured a number meanwhile; the first commit wins.
            if attempt == _TRIES - 1 or not stored.find(asks).keys() - (known or {}).keys():
                raise
            known = {}
    raise ledger.LedgerChanged


def _capture_once(asks: list[Ask], *, known: dict[tuple[str, str], Order] | None) -> list[Answer]:
    there = known or {}
    new = [ask for ask in asks if ask.number not in there]
    waiting = caps.lock_waiting_value([ask.site for ask in new if ask.claim is None])
    stock = ledger.lock_stock({key for ask in new for key in wanted_by_key(ask.placed)})
    _keep_back_promised(new, stock)
    taking = ledger.Taking(stock)
    decider = Decider(taking, there, waiting)
    decisions = [decider.decide(place, ask) for place, ask in enumerate(asks)]
    is_refused = any(isinstance(one, OrderRefused) for one in decisions)
    if known is None and is_refused and stored.is_any(asks):
        # A repeated order is found, not refused, whatever its stock is now.
        raise _LookUp
    captured = _write(asks, decisions, taking)
    return [_answer(decision, place, captured) for place, decision in enumerate(decisions)]


def _keep_back_promised(asks: Sequence[Ask], stock: Mapping[Key, ledger.Stock]) -> None:
    """Keep stock promised to short orders from orders captured offline; usually no query."""
    keys = [key for key, one in stock.items() if one.has_promise]
    if not keys or all(ask.claim for ask in asks):
        return
    promised = promises.promised_units(keys, now=max(ask.now for ask in asks))
    for key, units in promised.items():
        stock[key].promised = units


def _write(
    asks: Sequence[Ask], decisions: Sequence[Decision], taking: ledger.Taking
) -> dict[int, Captured]:
    accepted = {
        place: decision
        for place, decision in enumerate(decisions)
        if isinstance(decision, Accepted)
    }
    if not accepted:
        return {}
    built = [rows.build(asks[place], one.takes) for place, one in accepted.items()]
    takers = [
        ledger.Taker(number, one.wanted, asks[place].now)
        for number, (place, one) in enumerate(accepted.items())
    ]
    statements.insert(built, taking.rows(takers))
    return {
        place: Captured(row.order, created=True, items=row.items)
        for place, row in zip(accepted, built, strict=True)
    }


def _answer(decision: Decision, place: int, captured: dict[int, Captured]) -> Answer:
    match decision:
        case Accepted():
            return captured[place]
        case Same(place=first):
            return Captured(captured[first].order, created=False, items=captured[first].items)
        case Order():
            return Captured(decision, created=False)
        case _:
            return decision

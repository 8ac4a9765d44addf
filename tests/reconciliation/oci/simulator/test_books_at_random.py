"""Random walks over shared groups: whatever happens, nothing is promised twice and all adds up."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from reconciliation.simulator.books import Books
from reconciliation.simulator.documents import Ask, Refused, Request
from reconciliation.simulator.records import Move, fulfill, release, transfer
from reconciliation.simulator.settings import Settings
from reconciliation.simulator.stock import Record

GROUPS = {"AA": ["L1", "L2"], "BB": ["L2", "L3"], "CC": ["L1", "L3", "L4"]}
LOCATIONS = ["L1", "L2", "L3", "L4", "L5"]
PLACES = [("group", group) for group in GROUPS] + [("location", place) for place in LOCATIONS]


def one_step(books: Books, chance: random.Random, number: int) -> None:
    kind, place = chance.choice(PLACES)
    quantity = chance.randint(1, 9_000)
    reference = f"o{chance.randint(0, number)}"
    move = Move(
        record_id=str(number),
        sku="S",
        quantity=quantity,
        source=(kind, place),  # type: ignore[arg-type]
        target=("location", chance.choice(LOCATIONS)),
        external_ref=reference,
    )
    match chance.randint(0, 7):
        case 0 | 1 | 2 | 3:
            ask = Ask(kind, place, "S", quantity)  # type: ignore[arg-type]
            partial = chance.random() < 0.7
            request = Request((ask,), external_ref=f"o{number}", allow_partial=partial)
            books.put_document(f"o{number}", request)
        case 4:
            assert cancel(books, reference) in ("", "EntityNotFound", "ReservationCancelled")
        case 5:
            transfer(books, [move], atomic=chance.random() < 0.5)
        case 6 if kind == "location":
            fulfill(books, [move])
        case 6:
            release(books, [move])
        case 7:
            books.sell("S", quantity)


def cancel(books: Books, reservation_id: str) -> str:
    """Cancel a document; gives the code of a refusal, if it was one."""
    try:
        books.cancel_document(reservation_id)
    except Refused as refused:
        return refused.code
    return ""


def check(books: Books) -> None:
    book = books.skus["S"]
    for place, record in book.records.items():
        assert record.on_hand >= 0
        assert record.reserved >= 0
        assert record.reserved + book.laid_on(place) <= record.on_hand
    for group in GROUPS:
        figures = book.group_figures(group, "S", books.graph)
        assert figures is not None
        shared, own = figures["sharedGroupReserved"], figures["groupReserved"]
        assert figures["reserved"] == pytest.approx(shared + own)  # type: ignore[operator]
    assert book.uncovered == {}


@pytest.mark.parametrize("seed", range(15))
def test_nothing_is_promised_twice(seed: int) -> None:
    chance = random.Random(seed)
    books = Books(clock=lambda: 0.0, settings=Settings())
    books.set_graph(LOCATIONS, GROUPS)
    for place in LOCATIONS:
        books.write_stock(place, "S", Record(chance.randint(0, 20_000)))
    for number in range(120):
        one_step(books, chance, number)
        check(books)


@pytest.mark.parametrize("seed", range(5))
def test_documents_and_counts_agree_while_orders_only_reserve_and_cancel(seed: int) -> None:
    chance = random.Random(seed)
    books = Books(clock=lambda: 0.0, settings=Settings())
    books.set_graph(LOCATIONS, GROUPS)
    for place in LOCATIONS:
        books.write_stock(place, "S", Record(chance.randint(0, 20_000)))
    for number in range(200):
        kind, place = chance.choice(PLACES)
        ask = Ask(kind, place, "S", chance.randint(1, 3_000))  # type: ignore[arg-type]
        books.put_document(str(number), Request((ask,)))
        victim = books.documents.by_id[str(chance.randint(0, number))]
        if chance.random() < 0.5 and victim.state == "OPEN":
            books.cancel_document(victim.reservation_id)
        held: Counter[tuple[str, str]] = Counter()
        for document in books.documents.by_id.values():
            for line in document.lines:
                held[(line.kind, line.place)] += line.held
        book = books.skus["S"]
        counts = {("group", group): book.promised(group) for group in GROUPS}
        counts |= {("location", p): record.reserved for p, record in book.records.items()}
        assert +held == +Counter(counts)

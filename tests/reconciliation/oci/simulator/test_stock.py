"""The arithmetic of contract 1.10, on books without HTTP. Amounts are whole thousandths."""

from __future__ import annotations

from typing import Any

import pytest

from reconciliation.simulator.amounts import NotAnAmount, number_of, read_json, thousandths
from reconciliation.simulator.books import Books
from reconciliation.simulator.documents import Ask, Kind, Request
from reconciliation.simulator.records import Move, fulfill, release, transfer
from reconciliation.simulator.settings import Settings
from reconciliation.simulator.stock import Record


def new_books(groups: dict[str, list[str]], stock: dict[str, int | Record]) -> Books:
    books = Books(clock=lambda: 1_000_000.0, settings=Settings())
    books.set_graph(stock, groups)
    for place, value in stock.items():
        books.write_stock(place, "S", value if isinstance(value, Record) else Record(value * 1000))
    return books


def reserve(books: Books, name: str, kind: Kind, place: str, units: int) -> float:
    books.put_document(name, Request((Ask(kind, place, "S", units * 1000),), external_ref=name))
    return sum(line.held for line in books.documents.by_id[name].lines) / 1000


def counts(books: Books, kind: Kind, place: str) -> tuple[Any, ...]:
    figures = books.figures(kind, place, "S")
    assert figures is not None
    return tuple(figures[name] for name in ("onHand", "reserved", "atf", "ato"))


def changes(books: Books) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Changes from 20 on hand in the group and 10 at the location."""
    before = ((20, 0, 20, 20), (10, 0, 10, 10))
    after = (counts(books, "group", "GG"), counts(books, "location", "L1"))
    return tuple(  # type: ignore[return-value]
        tuple(new - old for new, old in zip(now, then, strict=True))
        for now, then in zip(after, before, strict=True)
    )


def move(**members: Any) -> Move:
    return Move(
        **{"record_id": "r1", "sku": "S", "quantity": 1000, "source": ("group", "GG")} | members
    )


def reserved_one() -> Books:
    books = new_books({"GG": ["L1", "L2"]}, {"L1": 10, "L2": 10})
    assert reserve(books, "d1", "group", "GG", 1) == 1
    return books


def test_count_changes_of_a_group_order_as_recorded_in_the_contract() -> None:
    books = reserved_one()
    assert changes(books) == ((0, 1, -1, -1), (0, 0, 0, 0))

    assert transfer(books, [move(target=("location", "L1"))], atomic=False) == []
    assert changes(books) == ((0, 1, -1, -1), (0, 1, -1, -1))

    assert fulfill(books, [move(source=("location", "L1"))]) == []
    assert changes(books) == ((-1, 0, -1, -1), (-1, 0, -1, -1))


def test_release_on_the_group_undoes_the_reservation() -> None:
    books = reserved_one()
    assert release(books, [move()]) == []
    assert changes(books) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_cancel_undoes_the_reservation() -> None:
    books = reserved_one()
    assert books.cancel_document("d1") == 204
    assert changes(books) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_release_or_cancel_after_the_transfer_undoes_it_at_the_location() -> None:
    for undo in ("release", "cancel"):
        books = reserved_one()
        transfer(books, [move(target=("location", "L1"), external_ref="d1")], atomic=False)
        if undo == "release":
            assert release(books, [move(source=("location", "L1"))]) == []
        else:
            assert books.cancel_document("d1") == 204
        assert changes(books) == ((0, 0, 0, 0), (0, 0, 0, 0)), undo


def test_overflow_of_one_group_on_a_shared_location_counts_in_the_other() -> None:
    books = new_books({"AA": ["L1", "L2"], "BB": ["L2", "L3"]}, {"L1": 5, "L2": 5, "L3": 15})
    assert reserve(books, "d1", "group", "BB", 17) == 17

    b, a = books.figures("group", "BB", "S"), books.figures("group", "AA", "S")
    assert b is not None
    assert a is not None
    assert (b["reserved"], b["ato"], b["groupReserved"], b["sharedGroupReserved"]) == (17, 3, 17, 0)
    assert (a["reserved"], a["ato"], a["groupReserved"], a["sharedGroupReserved"]) == (2, 8, 0, 2)


def test_overflow_goes_back_to_the_least_shared_location_when_it_has_room_again() -> None:
    books = new_books({"AA": ["L1", "L2"], "BB": ["L2", "L3"]}, {"L1": 5, "L2": 5, "L3": 15})
    reserve(books, "d1", "group", "BB", 17)
    books.write_stock("L3", "S", Record(20_000))
    assert counts(books, "group", "AA") == (10, 0, 10, 10)
    assert counts(books, "group", "BB") == (25, 17, 8, 8)


def test_two_groups_never_promise_the_same_unit() -> None:
    books = new_books({"AA": ["L1", "L2"], "BB": ["L2", "L3"]}, {"L1": 5, "L2": 5, "L3": 15})
    assert reserve(books, "d1", "group", "BB", 100) == 20
    assert reserve(books, "d2", "group", "AA", 100) == 5
    assert counts(books, "group", "AA") == (10, 10, 0, 0)


def test_location_refuses_although_its_ato_covers_it_when_a_group_needs_the_stock() -> None:
    books = new_books({"GG": ["L1", "L2"]}, {"L1": 5, "L2": 5})
    assert reserve(books, "d1", "group", "GG", 9) == 9
    assert counts(books, "location", "L1") == (5, 0, 5, 5)
    assert reserve(books, "d2", "location", "L1", 5) == 1
    assert counts(books, "group", "GG") == (10, 10, 0, 0)


def test_group_promise_moves_aside_for_a_location_while_it_fits_elsewhere() -> None:
    books = new_books({"GG": ["L1", "L2"]}, {"L1": 5, "L2": 5})
    assert reserve(books, "d1", "group", "GG", 5) == 5
    assert reserve(books, "d2", "location", "L1", 5) == 5
    assert counts(books, "group", "GG") == (10, 10, 0, 0)


def test_safety_stock_is_held_back_and_futures_count_for_orders_only() -> None:
    future = ((10_250, "2026-03-01T00:00:00Z"),)
    books = new_books({}, {"L1": Record(27_000, 10_000, future)})
    assert counts(books, "location", "L1") == (27, 0, 17, 27.25)


def test_fulfill_only_holds_what_is_on_hand_and_no_more() -> None:
    future = ((10_000, "2026-03-01T00:00:00Z"),)
    books = new_books({}, {"L1": Record(2_000, 0, future)})
    books.put_document("d1", Request((Ask("location", "L1", "S", 5_000),), fulfill_only=True))
    assert counts(books, "location", "L1") == (2, 2, 0, 10)


def test_stock_removed_under_a_promise_shows_as_nothing_left_not_below_zero() -> None:
    books = new_books({"GG": ["L1", "L2"]}, {"L1": 5, "L2": 5})
    reserve(books, "d1", "group", "GG", 8)
    books.write_stock("L1", "S", Record(0))
    assert counts(books, "group", "GG") == (5, 8, 0, 0)
    assert books.cancel_document("d1") == 204
    assert counts(books, "group", "GG") == (5, 0, 5, 5)


def test_another_channel_takes_only_what_nobody_holds_unless_forced() -> None:
    books = new_books({"GG": ["L1", "L2"]}, {"L1": 5, "L2": 5})
    reserve(books, "d1", "group", "GG", 4)
    assert books.sell("S", 100_000) == 6_000
    assert counts(books, "group", "GG") == (4, 4, 0, 0)
    assert books.sell("S", 100_000, force=True) == 4_000
    assert counts(books, "group", "GG") == (0, 4, 0, 0)
    assert books.sell("S", 1_000) == 0
    assert books.sell("unknown", 1_000) == 0


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("7.132", 7132),
        ("12.45", 12450),
        ("2.675", 2675),
        ("1", 1000),
        ("0.001", 1),
        ("1.0000", 1000),
    ],
)
def test_decimals_are_exact(text: str, amount: int) -> None:
    assert thousandths(read_json(text.encode())) == amount
    assert float(str(number_of(amount))) == float(text)


@pytest.mark.parametrize(
    "text",
    ["0.0005", "1e400", "-1", "true", '"1"', "null", "1000000001", "1.0000000000000000000000001"],
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(NotAnAmount):
        thousandths(read_json(text.encode()))


def test_a_thousand_small_reservations_add_up_exactly() -> None:
    books = new_books({"GG": ["L1"]}, {"L1": 1})
    for number in range(1_000):
        books.put_document(str(number), Request((Ask("group", "GG", "S", 1),)))
    assert counts(books, "group", "GG") == (1, 1, 0, 0)
    assert books.put_document("last", Request((Ask("group", "GG", "S", 1),)))[0]["success"] is False

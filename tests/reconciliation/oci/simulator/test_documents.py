"""Reservation documents, without HTTP: partial answers, replays, cancels, expiry, lag, records."""

from __future__ import annotations

from typing import Any

import pytest

from reconciliation.simulator.books import Books
from reconciliation.simulator.documents import Ask, Refused, Request
from reconciliation.simulator.records import Move, fulfill, release, transfer
from reconciliation.simulator.settings import Settings
from reconciliation.simulator.stock import Record


class Clock:
    """A clock that moves when told."""

    now = 1_770_033_600.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(clock: Clock) -> Books:
    books = Books(clock=clock, settings=Settings())
    books.set_graph(["L1", "L2", "L3"], {"GG": ["L1", "L2"]})
    books.write_stock("L1", "S", Record(3_000))
    books.write_stock("L2", "S", Record(2_000))
    books.write_stock("L1", "T", Record(1_000))
    return books


def ask(quantity: int, sku: str = "S", place: str = "GG") -> Ask:
    return Ask("group" if place == "GG" else "location", place, sku, quantity * 1000)


def ato(books: Books, sku: str = "S") -> Any:
    figures = books.figures("group", "GG", sku)
    return figures and figures["ato"]


def code_of(error: pytest.ExceptionInfo[Refused]) -> tuple[int, str]:
    return error.value.status, error.value.code


def test_complete(books: Books) -> None:
    answer, new = books.put_document("d1", Request((ask(2), ask(1, "T"))))
    details = [{"sku": "S", "quantity": 2}, {"sku": "T", "quantity": 1}]
    assert (new, answer["success"]) == (True, True)
    assert answer["groups"] == [{"id": "GG", "details": details}]
    assert answer["reservationTime"] == "2026-02-02T12:00:00.000Z"
    assert "expirationTime" not in answer


def test_short_lines_say_nothing_by_default(books: Books) -> None:
    books.put_document("d0", Request((ask(1, "T"),)))
    answer, _ = books.put_document("d1", Request((ask(7), ask(1, "T"))))
    assert answer["groups"] == [{"id": "GG", "details": [{"sku": "S", "quantity": 5}]}]
    assert answer["success"] is True


def test_short_lines_carry_errors_when_told_to(books: Books) -> None:
    books.settings.partialStyle = "errors"
    answer, _ = books.put_document("d1", Request((ask(7), ask(1, "T"))))
    details = [{"sku": "S", "quantity": 5}, {"sku": "T", "quantity": 1}]
    errors = [{"sku": "S", "errorCode": "InsufficientQuantity"}]
    assert answer["groups"] == [{"id": "GG", "details": details, "errors": errors}]


def test_unknown_sku_is_a_line_error(books: Books) -> None:
    answer, _ = books.put_document("d1", Request((ask(1, "X"), ask(1))))
    assert answer["groups"][0]["errors"] == [{"sku": "X", "errorCode": "Unknown"}]
    assert answer["groups"][0]["details"] == [{"sku": "S", "quantity": 1}]
    assert "X" not in books.skus


def test_without_partial_it_is_all_or_nothing(books: Books) -> None:
    answer, _ = books.put_document("d1", Request((ask(2), ask(2, "T")), allow_partial=False))
    assert answer["success"] is False
    assert answer["groups"][0]["details"] == []
    assert (ato(books), ato(books, "T")) == (5, 1)
    assert books.reserved() == []


def test_all_or_nothing_set_beside_plain_lines(books: Books) -> None:
    asks = (
        ask(1, place="L2"),
        Ask("location", "L1", "S", 1_000, "set-1"),
        Ask("location", "L1", "T", 2_000, "set-1"),
    )
    answer, _ = books.put_document("d1", Request(asks))
    assert [place["details"] for place in answer["locations"]] == [
        [{"sku": "S", "quantity": 1}],
        [],
    ]
    assert ato(books, "T") == 1


def test_unknown_place_holds_nothing(books: Books) -> None:
    with pytest.raises(Refused) as error:
        books.put_document("d1", Request((ask(1), Ask("location", "L9", "S", 1_000))))
    assert code_of(error) == (400, "LocationDoesNotExist")
    with pytest.raises(Refused) as error:
        books.put_document("d1", Request((ask(1), Ask("group", "G9", "S", 1_000))))
    assert code_of(error) == (400, "GroupDoesNotExist")
    assert ato(books) == 5
    assert books.documents.by_id == {}


def test_same_body_again_gives_the_stored_answer_and_holds_nothing_more(books: Books) -> None:
    first, _ = books.put_document("d1", Request((ask(4),)))
    again, new = books.put_document("d1", Request((ask(4),)))
    assert (again, new, ato(books)) == (first, False, 1)


@pytest.mark.parametrize(
    ("replay", "quantity", "code"),
    [
        ("same", 3, "EntityExists"),
        ("exists", 4, "EntityExists"),
        ("finalized", 4, "ReservationAlreadyFinalized"),
    ],
)
def test_replays_that_are_refused(books: Books, replay: str, quantity: int, code: str) -> None:
    books.put_document("d1", Request((ask(4),)))
    books.settings.replay = replay
    with pytest.raises(Refused) as error:
        books.put_document("d1", Request((ask(quantity),)))
    assert code_of(error) == (409, code)
    assert ato(books) == 1


def test_cancelled_id_is_used_up(books: Books) -> None:
    books.put_document("d1", Request((ask(4),)))
    assert (books.cancel_document("d1"), ato(books)) == (204, 5)
    for again in (
        lambda: books.put_document("d1", Request((ask(4),))),
        lambda: books.cancel_document("d1"),
    ):
        with pytest.raises(Refused) as error:
            again()
        assert code_of(error) == (409, "ReservationCancelled")
    assert ato(books) == 5


def test_cancel_of_an_unknown_id_in_both_shapes(books: Books) -> None:
    with pytest.raises(Refused) as error:
        books.cancel_document("nope")
    assert code_of(error) == (404, "EntityNotFound")
    books.settings.unknownCancel = "400"
    with pytest.raises(Refused) as error:
        books.cancel_document("nope")
    assert code_of(error) == (400, "InvalidRequestParameter")
    assert error.value.members == {"parameterName": "reservationId"}


def test_marked_cancel_returns_its_counts_later(books: Books, clock: Clock) -> None:
    books.settings.cancelStyle = "202"
    books.put_document("d1", Request((ask(4),)))
    assert (books.cancel_document("d1"), ato(books)) == (202, 1)
    clock.now += 1
    assert ato(books) == 5


def test_expiry_gives_the_stock_back_and_closes_the_document(books: Books, clock: Clock) -> None:
    answer, _ = books.put_document("d1", Request((ask(4),), expiration_seconds=60))
    assert answer["expirationTime"] == "2026-02-02T12:01:00.000Z"
    clock.now += 59
    assert ato(books) == 1
    clock.now += 1
    assert ato(books) == 5
    with pytest.raises(Refused) as error:
        books.cancel_document("d1")
    assert code_of(error) == (409, "ReservationInvalidState")


def test_reads_lag_behind_as_told_while_reservations_do_not(books: Books, clock: Clock) -> None:
    books.settings.readLagMs = 1_000
    books.put_document("d1", Request((ask(4),)))
    clock.now += 0.6
    books.put_document("d2", Request((ask(4),)))
    assert [line.held for line in books.documents.by_id["d2"].lines] == [1_000]
    assert ato(books) == 5
    clock.now += 0.5
    assert ato(books) == 1
    clock.now += 0.5
    assert ato(books) == 0


def record(**members: Any) -> Move:
    return Move(
        **{"record_id": "r", "sku": "S", "quantity": 2_000, "source": ("group", "GG")} | members
    )


def test_records_with_the_same_id_and_sku_act_once(books: Books) -> None:
    books.put_document("d1", Request((ask(5),)))
    to_first = record(target=("location", "L1"))
    at_first = record(source=("location", "L1"), quantity=1_000)
    for _ in range(2):
        assert transfer(books, [to_first], atomic=False) == []
        assert fulfill(books, [at_first]) == []
        assert release(books, [record(quantity=1_000)]) == []
    assert books.reserved() == [
        {"group": "GG", "sku": "S", "reserved": 2},
        {"location": "L1", "sku": "S", "reserved": 1},
    ]
    assert books.skus["S"].records["L1"].on_hand == 2_000


def test_failed_record_fails_again_although_stock_has_come(books: Books) -> None:
    failing = record(quantity=1_000)
    assert [code for _, code in release(books, [failing])] == ["InsufficientQuantity"]
    books.put_document("d1", Request((ask(5),)))
    assert [code for _, code in release(books, [failing])] == ["InsufficientQuantity"]
    assert ato(books) == 0


def test_fulfilment_id_used_for_something_else_is_refused_as_a_whole(books: Books) -> None:
    books.put_document("d1", Request((ask(3, place="L1"),)))
    one = record(source=("location", "L1"), quantity=1_000)
    fulfill(books, [one])
    with pytest.raises(Refused) as error:
        fulfill(
            books,
            [
                record(record_id="new", source=one.source, quantity=1_000),
                record(source=one.source, quantity=2_000),
            ],
        )
    assert code_of(error) == (409, "InvalidRequestParameter")
    assert books.skus["S"].records["L1"].reserved == 2_000


def test_atomic_transfer_moves_all_or_nothing(books: Books) -> None:
    books.put_document("d1", Request((ask(5), ask(1, "T"))))
    good = record(record_id="a", target=("location", "L1"))
    bad = record(record_id="b", sku="T", target=("location", "L2"), quantity=1_000)
    failed = transfer(books, [good, bad], atomic=True)
    assert [code for _, code in failed] == ["NotAppliedDueToAtomicFailure", "EntityNotFound"]
    assert books.reserved()[0] == {"group": "GG", "sku": "S", "reserved": 5}
    fine = [record(record_id="c", target=("location", place)) for place in ("L1",)]
    assert transfer(books, fine, atomic=True) == []
    assert books.skus["S"].records["L1"].reserved == 2_000


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"target": ("location", "L3")}, "LocationNotInGroup"),
        ({"target": ("location", "L1"), "quantity": 6_000}, "InsufficientQuantity"),
        ({"target": ("location", "L2"), "quantity": 3_000}, "InsufficientQuantity"),
        ({"target": ("location", "L1"), "sku": "X"}, "EntityNotFound"),
    ],
)
def test_transfers_that_fail_leave_the_counts_alone(
    books: Books, members: dict[str, Any], code: str
) -> None:
    books.put_document("d1", Request((ask(5),)))
    assert [found for _, found in transfer(books, [record(**members)], atomic=False)] == [code]
    assert books.reserved() == [{"group": "GG", "sku": "S", "reserved": 5}]


def test_transfer_can_be_forced_onto_a_short_location(books: Books) -> None:
    books.put_document("d1", Request((ask(5),)))
    forced = record(target=("location", "L2"), quantity=3_000, ignore_check=True)
    assert transfer(books, [forced], atomic=False) == []
    assert books.skus["S"].records["L2"].reserved == 3_000


def test_fulfilment_before_the_last_count_leaves_on_hand_alone(books: Books) -> None:
    books.write_stock("L1", "S", Record(3_000, effective="2026-02-02T12:00:00Z"))
    books.put_document("d1", Request((ask(2, place="L1"),)))
    early = record(source=("location", "L1"), when="2026-02-02T11:00:00Z")
    assert fulfill(books, [early]) == []
    row = books.skus["S"].records["L1"]
    assert (row.on_hand, row.reserved) == (3_000, 0)


def test_release_for_an_order_is_not_given_back_twice_by_its_cancel(books: Books) -> None:
    books.put_document("d1", Request((ask(2),), external_ref="o1"))
    books.put_document("d2", Request((ask(2),), external_ref="o2"))
    release(books, [record(external_ref="o1", quantity=1_000)])
    books.cancel_document("d1")
    assert books.reserved() == [{"group": "GG", "sku": "S", "reserved": 2}]

"""What an answer to a reservation means, by its quantities (OCI contract 1.4)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.oci.documents import (
    Line,
    MalformedAnswer,
    build_body,
    judge,
    shares,
)
from tests.reconciliation.oci.reservations import BODY, LINES, US, answer, held


def test_all_held_is_complete_whatever_success_says() -> None:
    for success in (True, False, None, "no"):
        judged = judge(body=BODY, answer=answer(success=success))
        assert (judged.complete, judged.partial, judged.nothing) == (True, False, False)
        assert judged.held == judged.requested
        assert judged.oddities == ()


@pytest.mark.parametrize("errors", [None, [{"sku": "MUG", "errorCode": "InsufficientQuantity"}]])
@pytest.mark.parametrize("mug", [None, 0, Decimal("0.5")])
def test_short_with_and_without_an_error_is_partial(mug: Any, errors: Any) -> None:
    told = answer(mug=mug)
    if errors:
        told["groups"][0]["errors"] = errors
    judged = judge(body=BODY, answer=told)
    assert (judged.complete, judged.partial, judged.nothing) == (False, True, False)
    assert held(judged) == [Decimal(2), Decimal(mug or 0), Decimal(1)]


@pytest.mark.parametrize(
    "told",
    [
        answer(tee=0, mug=0, store=0),
        answer(tee=None, mug=None, store=None),
        {
            "reservationTime": "2026-02-02T12:00:00.123+00:00",
            "success": False,
            "groups": [{"id": "site-us", "errors": [{"sku": "TEE", "errorCode": "Unknown"}]}],
            "locations": [{"id": "store-042", "details": [], "errors": None}],
        },
    ],
)
def test_nothing_held(told: dict[str, Any]) -> None:
    judged = judge(body=BODY, answer=told)
    assert (judged.complete, judged.partial, judged.nothing) == (False, False, True)
    assert held(judged) == [Decimal(0)] * 3


def test_success_without_any_quantity_is_nothing_and_noted() -> None:
    judged = judge(body=BODY, answer=answer(tee=None, mug=None, store=None))
    assert judged.nothing
    assert judged.oddities == ("OCI reports success and lists nothing.",)


@pytest.mark.parametrize("mug", [Decimal("1.5"), 0, None])
def test_an_answer_with_more_than_was_asked_for_cannot_be_trusted(mug: Any) -> None:
    with pytest.raises(
        MalformedAnswer, match=r"lists 9 of TEE of group site-us, and 2 was requested"
    ):
        judge(body=BODY, answer=answer(tee=9, mug=mug))
    with pytest.raises(MalformedAnswer, match=r"lists 2\.001 of TEE"):
        judge(body=BODY, answer=answer(tee=Decimal("2.001"), mug=mug))


def test_repeated_skus_are_added_up() -> None:
    told = answer(tee=1)
    half = {"id": "site-us", "details": [{"sku": "TEE", "quantity": Decimal("0.5")}]}
    told["groups"].append(half)
    judged = judge(body=BODY, answer=told)
    assert held(judged)[0] == Decimal("1.5")
    assert judged.oddities == ("OCI lists TEE of group site-us 2 times. The quantities are added.",)
    told["groups"].append({"id": "site-us", "details": [{"sku": "TEE", "quantity": 5}]})
    with pytest.raises(MalformedAnswer, match=r"lists 6\.5 of TEE"):
        judge(body=BODY, answer=told)


@pytest.mark.parametrize("tee", [2, None])
@pytest.mark.parametrize(
    ("member", "place", "sku", "expected"),
    [
        ("groups", "site-us", "OTHER", "lists OTHER of group site-us, which was not requested"),
        ("groups", "site-us", "tee", "lists tee of group site-us, which was not requested"),
        ("groups", "site-eu", "TEE", "also names group site-eu"),
        ("locations", "site-us", "TEE", "also names location site-us"),
        ("groups", "store-042", "TEE", "also names group store-042"),
    ],
)
def test_an_answer_about_something_else_cannot_be_trusted(
    member: str, place: str, sku: str, expected: str, tee: int | None
) -> None:
    told = answer(tee=tee)
    told[member].append({"id": place, "details": [{"sku": sku, "quantity": 7}]})
    with pytest.raises(MalformedAnswer, match=expected):
        judge(body=BODY, answer=told)


@pytest.mark.parametrize(
    ("member", "entry", "expected"),
    [
        ("locations", {"id": "dc-1", "details": []}, "also names location dc-1"),
        ("groups", {"id": "site-eu"}, "also names group site-eu"),
        (
            "groups",
            {"id": "site-us", "errors": [{"sku": "X", "errorCode": "Unknown"}]},
            "lists X of group site-us, which was not requested",
        ),
        ("groups", {"id": "site-us", "errors": [{"errorCode": "Unknown"}]}, "A SKU in errors"),
    ],
)
def test_an_answer_that_names_others_without_quantities_is_none(
    member: str, entry: dict[str, Any], expected: str
) -> None:
    told = answer()
    told[member].append(entry)
    with pytest.raises(MalformedAnswer, match=expected):
        judge(body=BODY, answer=told)


TIME = {"reservationTime": "2026-02-02T12:00:00Z"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"groups": []}, "reservationTime"),
        ({"success": False, "groups": [], "locations": None}, "reservationTime"),
        ({"reservationTime": None, "groups": []}, "reservationTime"),
        ({"reservationTime": 1770033600000, "groups": []}, "reservationTime"),
        ({"reservationTime": "x", "success": True}, "reservationTime"),
        (TIME, "how much of group site-us is held"),
        ({**TIME, "success": False}, "how much of group site-us is held"),
        ({**TIME, "groups": [], "locations": []}, "how much of group site-us is held"),
        ({**TIME, "groups": [{"id": "site-us"}]}, "how much of group site-us is held"),
        ({**TIME, "groups": [{"id": "site-us", "details": []}]}, "of location store-042"),
        (
            {
                **TIME,
                "groups": [{"id": "site-us", "details": None, "errors": []}],
                "locations": [{"id": "store-042", "details": []}],
            },
            "how much of group site-us is held",
        ),
    ],
)
def test_an_answer_that_lacks_what_each_must_have_is_not_nothing_held(
    told: dict[str, Any], expected: str
) -> None:
    with pytest.raises(MalformedAnswer, match=expected):
        judge(body=BODY, answer=told)


def test_no_answer_is_believed_without_its_time() -> None:
    told = answer()
    assert judge(body=BODY, answer=told).complete
    del told["reservationTime"]
    with pytest.raises(MalformedAnswer, match="reservationTime"):
        judge(body=BODY, answer=told)


def test_what_is_said_about_an_answer_is_short_and_fit_for_a_page() -> None:
    lines = [Line(US, f"S{i:02}" + "x" * 200, Decimal(1)) for i in range(50)]
    half = [{"sku": line.sku, "quantity": Decimal("0.25")} for line in lines]
    told = TIME | {"groups": [{"id": "site-us", "details": half * 2}]}
    oddities = judge(body=build_body(order_no="1", lines=lines), answer=told).oddities
    assert len(oddities) == 20
    assert all(len(text) < 300 for text in oddities)
    told["groups"].append({"id": "g\n\x00" * 500, "details": half})
    with pytest.raises(MalformedAnswer) as caught:
        judge(body=BODY, answer=told)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "quantity",
    [
        *("2", None, True, False, [], {}, -1, Decimal("-0.001"), Decimal("0.0001")),
        *(float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity")),
        *(Decimal("1E+400"), 10**400),
    ],
)
def test_a_quantity_that_is_none_makes_the_answer_worthless(quantity: object) -> None:
    told = answer()
    told["groups"][0]["details"][0]["quantity"] = quantity
    with pytest.raises(MalformedAnswer):
        judge(body=BODY, answer=told)
    told = answer()
    told["groups"].append({"id": "other", "details": [{"sku": "X", "quantity": quantity}]})
    with pytest.raises(MalformedAnswer):
        judge(body=BODY, answer=told)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "groups",
        7,
        {},
        {"success": True},
        {"status": "ok"},
        {"groups": {}},
        {"groups": "none"},
        {"groups": [None]},
        {"groups": [["site-us"]]},
        {"groups": [{"details": []}, {"id": 5, "details": []}]},
        {"groups": [{"id": "", "details": []}]},
        {"groups": [{"id": "site-us", "details": {}}]},
        {"groups": [{"id": "site-us", "details": ["TEE"]}]},
        {"groups": [{"id": "site-us", "details": [{"quantity": 1}]}]},
        {"groups": [{"id": "site-us", "details": [{"sku": 5, "quantity": 1}]}]},
        {"groups": [{"id": "site-us", "details": [], "errors": "none"}]},
        {"groups": [{"id": "site-us", "details": [], "errors": [5]}]},
        {"groups": [], "locations": {"id": "store-042"}},
    ],
)
def test_a_wrong_structure_is_no_answer(told: Any) -> None:
    if isinstance(told, dict) and told.keys() & {"groups", "locations"}:
        # Nothing else is wrong with it.
        told = answer() | told
    with pytest.raises(MalformedAnswer):
        judge(body=BODY, answer=told)


def test_unknown_members_are_tolerated() -> None:
    told = answer() | {"new": [1, {"deep": None}], "expirationTime": 5}
    told["groups"][0] |= {"newer": True}
    told["groups"][0]["details"][0] |= {"lineId": "x"}
    assert judge(body=BODY, answer=told).complete


@given(st.lists(st.integers(0, 2200).map(lambda n: Decimal(n).scaleb(-3)), min_size=3, max_size=3))
def test_never_more_is_held_than_was_asked(told: list[Decimal]) -> None:
    asked = [line.quantity for line in LINES]
    whole = answer(tee=told[0], mug=told[1], store=told[2])
    if any(t > a for t, a in zip(told, asked, strict=True)):
        with pytest.raises(MalformedAnswer):
            judge(body=BODY, answer=whole)
        return
    judged = judge(body=BODY, answer=whole)
    assert held(judged) == told
    assert [judged.complete, judged.partial, judged.nothing].count(True) == 1


# Shares

quantities = st.integers(1, 10**14).map(lambda n: Decimal(n).scaleb(-3))


@pytest.mark.parametrize(
    ("got", "wanted", "expected"),
    [
        ("3", ["2", "2"], ["2", "1"]),
        ("0", ["2", "2"], ["0", "0"]),
        ("9", ["2", "2"], ["2", "2"]),
        ("0.5", ["0.2", "0.2", "0.2"], ["0.2", "0.2", "0.1"]),
        ("1", [], []),
        ("-1", ["2"], ["0"]),
        ("2", ["0", "2"], ["0", "2"]),
    ],
)
def test_first_items_are_served_first(got: str, wanted: list[str], expected: list[str]) -> None:
    to_decimals: Callable[[list[str]], list[Decimal]] = lambda texts: [Decimal(t) for t in texts]  # noqa: E731
    assert shares(held=Decimal(got), wanted=to_decimals(wanted)) == to_decimals(expected)


@given(quantities, st.lists(quantities))
def test_shares_give_out_what_there_is(got: Decimal, wanted: list[Decimal]) -> None:
    given_out = shares(held=got, wanted=wanted)
    assert sum(given_out) == min(got, sum(wanted, Decimal(0)))
    assert all(share <= most for share, most in zip(given_out, wanted, strict=True))

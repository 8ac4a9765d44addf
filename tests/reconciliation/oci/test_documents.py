"""Reservation documents: ids, lines and bytes (OCI contract 1.3, 1.9)."""

from __future__ import annotations

import itertools
import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.oci.documents import (
    MAX_LINES,
    Line,
    MalformedAnswer,
    Place,
    PlaceKind,
    build_body,
    lines_of_body,
    reservation_id,
    split_lines,
    sum_lines,
)
from reconciliation.oci.jsontext import read_json
from tests.reconciliation.oci.openapi_checker import checker
from tests.reconciliation.oci.reservations import BODY, LINES, STORE, US

# Ids


def test_an_id_never_changes() -> None:
    first = reservation_id(site_id="RefArch", order_no="0000012345", generation=0)
    assert str(first) == "90f41bc1-b32f-561c-9439-9dfd98cd39a7"
    assert first.version == 5
    assert reservation_id(site_id="RefArch", order_no="0000012345", generation=0) == first


def test_ids_differ_in_every_part_of_the_name() -> None:
    ids = {
        reservation_id(site_id=site, order_no=order, generation=generation, part=part)
        for site, order in [("a", "b"), ("a,b", ""), ("", "a,b"), ('a","b', ""), ("a", "b,0")]
        for generation in (0, 1, 12)
        for part in (0, 1, 2)
    }
    assert len(ids) == 5 * 3 * 3


def test_a_part_cannot_be_taken_for_a_generation() -> None:
    one = reservation_id(site_id="s", order_no="1", generation=1, part=2)
    assert one != reservation_id(site_id="s", order_no="1", generation=12)
    assert one != reservation_id(site_id="s", order_no="1", generation=2, part=1)


@pytest.mark.parametrize(("generation", "part"), [(-1, 0), (0, -1)])
def test_ids_count_from_zero(generation: int, part: int) -> None:
    with pytest.raises(ValueError, match="from 0"):
        reservation_id(site_id="s", order_no="1", generation=generation, part=part)


def test_ids_take_any_unicode() -> None:
    orders = ["é", "e\u0301", "\ud800", "\x00", "日本"]
    assert len({reservation_id(site_id="s", order_no=o, generation=0) for o in orders}) == 5


# Lines and bodies


def test_lines_are_summed_per_place_and_sku_and_sorted() -> None:
    lines = [
        Line(STORE, "B", Decimal("0.1")),
        Line(US, "B", Decimal("0.2")),
        Line(STORE, "A", Decimal(3)),
        Line(STORE, "B", Decimal("0.2")),
    ]
    expected = [
        Line(US, "B", Decimal("0.2")),
        Line(STORE, "A", Decimal(3)),
        Line(STORE, "B", Decimal("0.3")),
    ]
    for order in itertools.permutations(lines):
        assert sum_lines(order) == expected


@pytest.mark.parametrize(
    ("number", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_lines_are_split_in_their_order(number: int, sizes: list[int]) -> None:
    lines = [Line(US, f"S{i:04}", Decimal(1)) for i in range(number)]
    parts = split_lines(lines)
    assert [len(part) for part in parts] == sizes
    assert [line for part in parts for line in part] == lines


def test_the_bytes_of_a_body_are_fixed() -> None:
    expected = (
        '{"externalRefId":"0000012345","allowPartialReservations":true,"groups":[{"id":"site-us",'
        '"reservations":[{"sku":"MUG","quantity":1.5},{"sku":"TEE","quantity":2}]}],"locations":['
        '{"id":"store-042","reservations":[{"sku":"TEE","quantity":1}]}]}'
    )
    for order in itertools.permutations(LINES):
        assert build_body(order_no="0000012345", lines=order) == expected


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("7.132", "7.132"),
        ("12.45", "12.45"),
        ("2.675", "2.675"),
        ("0.001", "0.001"),
        ("1E+2", "100"),
        ("100.000", "100"),
        ("99999999999.999", "99999999999.999"),
    ],
)
def test_quantities_are_plain_exact_numbers(quantity: str, text: str) -> None:
    body = build_body(order_no="1", lines=[Line(US, "A", Decimal(quantity))])
    assert f'"quantity":{text}}}' in body
    assert lines_of_body(body) == [Line(US, "A", Decimal(quantity))]


@pytest.mark.parametrize("quantity", ["0", "-1", "0.0001", "1.0001", "NaN", "Infinity", "1E+15"])
def test_a_quantity_that_oci_would_not_take_is_refused(quantity: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        build_body(order_no="1", lines=[Line(US, "A", Decimal(quantity))])


def test_a_body_needs_lines_and_not_too_many() -> None:
    lines = [Line(US, f"S{i}", Decimal(1)) for i in range(MAX_LINES + 1)]
    for wrong in ([], lines):
        with pytest.raises(ValueError, match="1 to 100 lines"):
            build_body(order_no="1", lines=wrong)
    assert len(lines_of_body(build_body(order_no="1", lines=lines[:100]))) == 100


def test_a_repeated_sku_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        build_body(order_no="1", lines=[LINES[0], LINES[0]])


def test_the_bodies_fit_the_description_of_oci() -> None:
    path = f"/inventory/reservation/v1/organizations/tg/reservation-documents/{'a' * 8}"
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    odd = build_body(order_no='é"\\\n', lines=[Line(STORE, 'Ä-"&', Decimal("0.001"))])
    for body in (BODY, odd):
        assert checker().request("PUT", path, headers, body) == []
    assert json.loads(odd)["externalRefId"] == 'é"\\\n'


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"groups":{}}', '{"groups":[{"id":"a","reservations":[{"sku":"A"}]}]}']
)
def test_a_body_that_is_not_ours_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        lines_of_body(body)


places = st.builds(
    Place, st.sampled_from(PlaceKind), st.from_regex(r"[a-zA-Z0-9_-]{2,8}", fullmatch=True)
)
quantities = st.integers(1, 10**14).map(lambda n: Decimal(n).scaleb(-3))
lines_strategy = st.lists(
    st.builds(Line, places, st.text(min_size=1, max_size=8), quantities), max_size=60
)


@given(lines_strategy.filter(bool), st.randoms())
def test_any_lines_survive_the_way_to_bytes_and_back(
    lines: list[Line], chance: random.Random
) -> None:
    summed = sum_lines(lines)
    chance.shuffle(lines)
    assert sum_lines(lines) == summed
    parts = split_lines(summed)
    assert [
        line for part in parts for line in lines_of_body(build_body(order_no="1", lines=part))
    ] == summed


# JSON


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b"{'a':1}", b"[" * 100_000),
        *(b"1" * 5000, b"1e99999999999999999999", b'{"a":1}{"b":2}', b"<html>"),
    ],
)
def test_what_is_not_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read_json(raw)


def test_numbers_are_read_exactly() -> None:
    assert read_json(b"[0.1, 7.132, 3, 1e2]") == [Decimal("0.1"), Decimal("7.132"), 3, Decimal(100)]

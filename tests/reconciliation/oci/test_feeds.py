"""Files of exports and answers of get-deltas: what is read, and what is not believed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import MalformedAnswer
from reconciliation.oci.feeds import (
    Deltas,
    ExportStatus,
    StockLine,
    _deltas_of,
    _state_of,
    document_lines,
    export_lines,
)

D = Decimal
WEB = Place(PlaceKind.GROUP, "web")
STORE = Place(PlaceKind.LOCATION, "store")
HEAD = {"groupId": "web"}
MUG = {"sku": "MUG", "onHand": 10, "reserved": 6, "atf": 4, "ato": 24.5}
TOKEN = {"deltaToken": "abc"}


def read(*lines: Any, place: Place = WEB) -> list[StockLine | str]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return list(export_lines(io.BytesIO(text.encode()), place=place))


def test_the_published_examples_are_read() -> None:
    assert read(HEAD, MUG, "", {**MUG, "sku": "CUP", "safetyStockCount": 1}, TOKEN) == [
        StockLine("MUG", D("24.5"), D(0)),
        StockLine("CUP", D("24.5"), D(1)),
        "abc",
    ]
    old = {"sku": "456", "qoh": 100.25, "reserved": 50.25, "atf": 50, "ato": 50}
    assert read({"locationId": "store"}, old, TOKEN, place=STORE) == [
        StockLine("456", D(50), D(0)),
        "abc",
    ]


@pytest.mark.parametrize("name", ["onHand", "qoh"])
def test_the_largest_number_on_hand_never_runs_out(name: str) -> None:
    line = {"sku": "GIFT", name: 999_999_999, "reserved": 7, "ato": 999_999_992}
    assert read(HEAD, line, TOKEN)[0] == StockLine("GIFT", D(999_999_999), D(0))


def test_futures_are_read_and_those_that_make_no_sense_left_out() -> None:
    told = [
        {"quantity": 5, "expectedDate": "2026-03-02T00:00:00+02:00"},
        {"quantity": 2.5, "expectedDate": "2026-03-01"},
        {"quantity": 1, "expectedDate": "2026-03-01T22:00:00Z"},
        {"quantity": 0, "expectedDate": "2026-03-05T00:00:00Z"},
        {"quantity": -1, "expectedDate": "2026-03-05T00:00:00Z"},
        {"quantity": 10**15, "expectedDate": "2026-03-05T00:00:00Z"},
        {"quantity": 1, "expectedDate": "soon"},
        {"quantity": 1, "expectedDate": "0001-01-01T00:00:00+14:00"},
        {"quantity": 1},
        7,
    ]
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 22, tzinfo=UTC)
    found = read(HEAD, {**MUG, "futures": told}, TOKEN)[0]
    assert isinstance(found, StockLine)
    assert found.deliveries == ((first, D("2.5")), (second, D(6)))
    assert read(HEAD, {**MUG, "futures": "none"}, TOKEN)[0] == StockLine("MUG", D("24.5"), D(0))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [HEAD, MUG],
        [HEAD, TOKEN, MUG],
        [HEAD, MUG, TOKEN, TOKEN],
        [MUG, TOKEN],
        [{"groupId": "other"}, MUG, TOKEN],
        [{"locationId": "web"}, MUG, TOKEN],
        [HEAD, "{", TOKEN],
        [HEAD, "[]", TOKEN],
        [HEAD, {"what": 1}, TOKEN],
        [HEAD, {**MUG, "ato": -1}, TOKEN],
        [HEAD, {**MUG, "ato": "4"}, TOKEN],
        [HEAD, {**MUG, "sku": ""}, TOKEN],
        [HEAD, MUG, {"deltaToken": ""}],
        [HEAD, MUG, {"deltaToken": "x" * 20_001}],
        [HEAD, '{"sku":"' + "x" * 100_001 + '"}', TOKEN],
    ],
)
def test_a_file_that_is_not_whole_or_not_of_the_place_is_refused(lines: list[Any]) -> None:
    with pytest.raises(MalformedAnswer):
        read(*lines)


def test_deltas_are_those_of_the_place_alone() -> None:
    found = _deltas_of(
        {
            "nextDeltaToken": "next",
            "shouldQueryAgain": True,
            "records": [
                {"id": "web", "sku": "MUG", "deltaType": "Change", "ato": 4, "futures": None},
                {"id": "dc", "sku": "MUG", "deltaType": "Change", "ato": 9},
                {"id": "web", "sku": "CUP", "deltaType": "Delete", "ato": None},
            ],
        },
        WEB,
    )
    gone = StockLine("CUP", D(0), D(0), gone=True)
    assert found == Deltas("next", True, [StockLine("MUG", D(4), D(0)), gone])


@pytest.mark.parametrize(
    "change",
    [
        {"nextDeltaToken": ""},
        {"nextDeltaToken": None},
        {"shouldQueryAgain": None},
        {"records": {}},
        {"records": [{"id": "web", "sku": "A", "deltaType": "Other"}]},
        {"records": [{"sku": "A", "deltaType": "Change"}]},
        {"records": [{"id": "web", "deltaType": "Change"}]},
    ],
)
def test_an_answer_that_is_none_moves_no_token(change: dict[str, Any]) -> None:
    body = {"nextDeltaToken": "n", "shouldQueryAgain": False, "records": []}
    assert _deltas_of(body, WEB).lines == []
    with pytest.raises(MalformedAnswer):
        _deltas_of({**body, **change}, WEB)


@pytest.mark.parametrize("status", ["STAGING", "WAITING", "SUBMITTED", "PENDING", "RUNNING"])
def test_an_export_that_is_not_over_is_waited_for(status: str) -> None:
    assert _state_of({"status": status}).status == ExportStatus.RUNNING


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "EXPIRED"])
def test_an_export_that_came_to_nothing_has_failed(status: str) -> None:
    assert _state_of({"status": status}).status == ExportStatus.FAILED


def test_hash_and_number_of_a_file_count_only_where_they_are_such() -> None:
    body: dict[str, Any] = {"status": "COMPLETED"}
    assert (_state_of(body).sha256, _state_of(body).records) == ("", None)
    checks = {"validation": {"fileHash": "E9V2"}, "export": {"recordsExportedCount": 7}}
    assert (_state_of(body | checks).sha256, _state_of(body | checks).records) == ("", 7)
    good = {"validation": {"fileHashType": "SHA-256", "fileHash": "AB" * 32}}
    assert _state_of(body | good).sha256 == "ab" * 32


def test_documents_are_read_with_what_they_hold() -> None:
    line = {
        "reservationId": "r1",
        "externalRefId": "1",
        "reservationDetails": [
            {"group": "web", "sku": "MUG", "quantity": 2},
            {"group": "web", "sku": "MUG", "quantity": 1},
            {"location": "store", "sku": "MUG", "quantity": 0.5},
        ],
    }
    (found,) = document_lines(io.BytesIO(json.dumps(line).encode() + b"\n\n"))
    assert found.held == {(WEB, "MUG"): D(3), (STORE, "MUG"): D("0.5")}
    with pytest.raises(MalformedAnswer):
        list(document_lines(io.BytesIO(b'{"reservationDetails": [{"sku": "A"}]}')))

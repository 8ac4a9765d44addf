"""The client's calls against the simulator: what OCI holds afterwards is what the client says."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest

from reconciliation.oci.client import CancelResult, OciClient
from reconciliation.oci.documents import Line, Place, PlaceKind, build_body
from reconciliation.oci.errors import OciRefused
from reconciliation.oci.records import RecordFailure
from tests.reconciliation.oci.clients import (
    CALLS,
    STORE,
    TWO_TEES,
    US,
    Witness,
    body_of,
    client_of,
    new_id,
    number,
    release_of,
)
from tests.reconciliation.oci.raw_server import RawServer, answer
from tests.reconciliation.oci.simulator_process import SimulatorProcess

NO_BOOKS: dict[str, Any] = {"documents": [], "reserved": []}


@pytest.fixture
def client(oci: SimulatorProcess) -> Iterator[OciClient]:
    made = client_of(oci)
    yield made
    made.close()


def reserved(oci: SimulatorProcess, sku: str = "TEE", group: str = "site-us") -> Decimal:
    rows = oci.books()["reserved"]
    found = [row["reserved"] for row in rows if (row.get("group"), row["sku"]) == (group, sku)]
    return sum((Decimal(str(units)) for units in found), Decimal(0))


# Reservations


def test_everything_is_held(oci: SimulatorProcess, client: OciClient) -> None:
    reservation_id = new_id()
    lines = [
        Line(US, "TEE", number(2)),
        Line(US, "MUG", number("1.5")),
        Line(STORE, "TEE", number(1)),
    ]
    body = build_body(order_no="0000012345", lines=lines)
    got = client.put_reservation(reservation_id=reservation_id, body=body)
    assert got.status == 200
    assert got.judgement.complete
    assert got.judgement.held == {(line.place, line.sku): line.quantity for line in lines}
    assert got.judgement.oddities == ()
    assert uuid.UUID(got.correlation_id).version == 4
    (document,) = oci.documents_of("0000012345")
    assert document["reservationId"] == str(reservation_id)
    assert document["lines"] == [
        {"group": "site-us", "sku": "MUG", "asked": 1.5, "held": 1.5},
        {"group": "site-us", "sku": "TEE", "asked": 2, "held": 2},
        {"location": "store-042", "sku": "TEE", "asked": 1, "held": 1},
    ]


@pytest.mark.parametrize("style", ["silent", "errors"])
def test_short_is_read_from_the_quantities_with_and_without_errors(
    oci: SimulatorProcess, client: OciClient, style: str
) -> None:
    oci.settings(partialStyle=style)
    body = body_of(("TEE", 20), ("MUG", 1), ("NONE", 1))
    judged = client.put_reservation(reservation_id=new_id(), body=body).judgement
    assert (judged.complete, judged.partial, judged.nothing) == (False, True, False)
    assert judged.held == {(US, "TEE"): 15, (US, "MUG"): 1, (US, "NONE"): 0}
    assert (reserved(oci), reserved(oci, "MUG")) == (15, 1)
    judged = client.put_reservation(reservation_id=new_id(), body=body_of(("TEE", 1))).judgement
    assert judged.nothing
    assert reserved(oci) == 15


@pytest.mark.parametrize(
    "quantity", ["0.001", "7.132", "12.45", "2.675", "0.1", "999999.999", "1000000"]
)
def test_three_places_go_both_ways_exactly(
    oci: SimulatorProcess, client: OciClient, quantity: str
) -> None:
    oci.set_stock([{"location": "dc-east", "sku": "ROPE", "onHand": 1_000_000.5}])
    body = body_of(("ROPE", quantity))
    judged = client.put_reservation(reservation_id=new_id(), body=body).judgement
    assert judged.complete
    assert judged.held == {(US, "ROPE"): Decimal(quantity)}
    assert reserved(oci, "ROPE") == Decimal(quantity)
    (figures,) = client.get_availability(place=US, skus=["ROPE"])
    assert figures.ato == Decimal("1000000.5") - Decimal(quantity)
    assert figures.reserved == Decimal(quantity)
    failures = client.release([release_of("ROPE", quantity)])
    assert failures == []
    assert reserved(oci, "ROPE") == 0


def test_the_same_document_again_holds_once_and_is_answered_alike(
    oci: SimulatorProcess, client: OciClient
) -> None:
    reservation_id = new_id()
    answers = [
        client.put_reservation(reservation_id=reservation_id, body=TWO_TEES) for _ in range(3)
    ]
    assert [found.judgement.held for found in answers] == [{(US, "TEE"): 2}] * 3
    assert len({found.correlation_id for found in answers}) == 3
    assert reserved(oci) == 2


def test_a_hundred_lines_go_in_one_document(oci: SimulatorProcess, client: OciClient) -> None:
    oci.set_stock([{"location": "dc-east", "sku": f"S{n:03}", "onHand": 1} for n in range(100)])
    body = body_of(*((f"S{n:03}", 1) for n in range(100)))
    judged = client.put_reservation(reservation_id=new_id(), body=body).judgement
    assert judged.complete
    assert len(judged.held) == 100


@pytest.mark.parametrize("body", ["", "[]", "{", '{"groups":[{"id":"a"}],"locations":{}}'])
def test_a_body_that_is_not_ours_is_not_sent(
    oci: SimulatorProcess, client: OciClient, body: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        client.put_reservation(reservation_id=new_id(), body=body)
    assert oci.requests() == []


@pytest.mark.parametrize(
    ("setting", "code"), [("exists", "EntityExists"), ("finalized", "ReservationAlreadyFinalized")]
)
def test_an_id_that_is_taken_is_a_refusal_with_its_code(
    oci: SimulatorProcess, client: OciClient, setting: str, code: str
) -> None:
    oci.settings(replay=setting)
    reservation_id = new_id()
    client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    with pytest.raises(OciRefused) as caught:
        client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    assert (caught.value.status, caught.value.error_code) == (409, code)
    assert caught.value.sent is True
    assert caught.value.correlation_id != ""
    assert reserved(oci) == 2


def test_a_cancelled_id_is_spent(oci: SimulatorProcess, client: OciClient) -> None:
    reservation_id = new_id()
    client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    client.cancel_reservation(reservation_id=reservation_id)
    with pytest.raises(OciRefused) as caught:
        client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    assert (caught.value.status, caught.value.error_code) == (409, "ReservationCancelled")
    assert reserved(oci) == 0


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (Place(PlaceKind.GROUP, "nowhere"), "GroupDoesNotExist"),
        (Place(PlaceKind.LOCATION, "nowhere"), "LocationDoesNotExist"),
    ],
)
def test_a_place_that_does_not_exist_is_named(
    oci: SimulatorProcess, client: OciClient, place: Place, code: str
) -> None:
    with pytest.raises(OciRefused) as caught:
        client.put_reservation(reservation_id=new_id(), body=body_of(("TEE", 1), place=place))
    assert (caught.value.status, caught.value.error_code) == (400, code)
    assert caught.value.place == "nowhere"
    assert oci.books() == NO_BOOKS
    with pytest.raises(OciRefused) as caught:
        client.get_availability(place=place, skus=["TEE"])
    assert caught.value.error_code == code


# Cancels


def test_a_cancel_gives_everything_back_once(oci: SimulatorProcess, client: OciClient) -> None:
    reservation_id = new_id()
    client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    assert client.cancel_reservation(reservation_id=reservation_id) is CancelResult.CANCELLED
    assert reserved(oci) == 0
    again = client.cancel_reservation(reservation_id=reservation_id)
    assert again is CancelResult.ALREADY_CANCELLED
    assert reserved(oci) == 0


def test_a_cancel_may_only_be_marked(oci: SimulatorProcess, client: OciClient) -> None:
    oci.settings(cancelStyle="202", cancelDelayMs=0)
    reservation_id = new_id()
    client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    assert client.cancel_reservation(reservation_id=reservation_id) is CancelResult.MARKED


@pytest.mark.parametrize("status", ["404", "400"])
def test_an_unknown_document_is_absent_in_both_spellings(
    oci: SimulatorProcess, client: OciClient, status: str
) -> None:
    oci.settings(unknownCancel=status)
    assert client.cancel_reservation(reservation_id=new_id()) is CancelResult.ABSENT
    assert str(oci.requests()[-1]["status"]) == status


# Availability


def test_counts_of_a_group_and_of_a_location(oci: SimulatorProcess, client: OciClient) -> None:
    client.put_reservation(reservation_id=new_id(), body=TWO_TEES)
    tee, mug = client.get_availability(place=US, skus=["TEE", "NONE", "MUG", "TEE"])
    assert (tee.place, tee.sku, tee.ato, tee.atf) == (US, "TEE", 13, 13)
    assert (tee.on_hand, tee.reserved, tee.safety_stock) == (15, 2, 0)
    assert (mug.sku, mug.ato) == ("MUG", Decimal("2.5"))
    (store,) = client.get_availability(place=STORE, skus=["TEE"])
    assert (store.place, store.on_hand, store.safety_stock, store.ato) == (STORE, 3, 1, 2)
    assert client.get_availability(place=US, skus=[]) == []


@pytest.mark.parametrize("place", [US, STORE])
@pytest.mark.parametrize(("skus", "calls"), [(100, 1), (101, 2), (250, 3)])
def test_availability_is_asked_for_a_hundred_at_a_time(
    oci: SimulatorProcess, client: OciClient, place: Place, skus: int, calls: int
) -> None:
    location = "store-042" if place == STORE else "dc-west"
    names = [f"S{n:03}" for n in range(skus)]
    oci.set_stock([{"location": location, "sku": name, "onHand": 5} for name in names])
    found = client.get_availability(place=place, skus=names)
    assert [figures.sku for figures in found] == names
    assert {figures.ato for figures in found} == {5}
    asked = [entry for entry in oci.requests() if entry["operation"] == "availability"]
    assert [entry["status"] for entry in asked] == [200] * calls


def test_repeated_skus_are_asked_for_once(oci: SimulatorProcess, client: OciClient) -> None:
    found = client.get_availability(place=US, skus=["TEE", "MUG"] * 200)
    assert [figures.sku for figures in found] == ["TEE", "MUG"]
    assert [entry["operation"] for entry in oci.requests()] == ["token", "availability"]


def test_counts_with_more_than_three_places_are_rounded() -> None:
    counts = {"ato": 0.30000000000000004, "atf": 1, "onHand": 1.0005, "reserved": 0}
    record = {"sku": "TEE", "safetyStockCount": 0, **counts}
    good = answer({"groups": [{"id": "site-us", "records": [record]}]})
    with RawServer(good) as server:
        (figures,) = client_of(server.url).get_availability(place=US, skus=["TEE"])
    assert (figures.ato, figures.on_hand) == (Decimal("0.300"), Decimal("1.000"))


# Releases


def test_a_batch_of_releases_tells_what_failed(oci: SimulatorProcess, client: OciClient) -> None:
    client.put_reservation(reservation_id=new_id(), body=body_of(("TEE", 4), ("MUG", 2)))
    wrong = release_of("TEE", 100)
    failures = client.release([release_of("TEE", 3), wrong, release_of("MUG", "0.5")])
    expected = RecordFailure(
        id=wrong.id,
        sku="TEE",
        error_code="InsufficientQuantity",
        message="Not enough quantity for that",
    )
    assert failures == [expected]
    assert (reserved(oci), reserved(oci, "MUG")) == (1, Decimal("1.5"))


def test_a_release_again_with_the_same_id_gives_back_once(
    oci: SimulatorProcess, client: OciClient
) -> None:
    client.put_reservation(reservation_id=new_id(), body=body_of(("TEE", 4)))
    record = release_of("TEE", 3)
    assert [client.release([record]) for _ in range(3)] == [[], [], []]
    assert reserved(oci) == 1


def test_a_release_names_its_order_and_place(oci: SimulatorProcess, client: OciClient) -> None:
    body = body_of(("TEE", 2), place=STORE)
    client.put_reservation(reservation_id=new_id(), body=body)
    record = replace(release_of("TEE", 2, place=STORE), external_ref_id="0000012345")
    assert client.release([record]) == []
    (document,) = oci.documents_of("0000012345")
    assert [line["held"] for line in document["lines"]] == [0]


@pytest.mark.parametrize("quantity", ["0", "-1", "0.0005", "NaN"])
def test_a_release_that_makes_no_sense_is_not_sent(
    oci: SimulatorProcess, client: OciClient, quantity: str
) -> None:
    with pytest.raises(ValueError, match="quantity"):
        client.release([release_of("TEE", quantity)])
    for wrong in ([], [release_of("TEE", 1)] * 101):
        with pytest.raises(ValueError, match="1 to 100 records"):
            client.release(wrong)
    assert oci.requests() == []


# What every call has in common


def test_the_observer_is_told_of_every_call_in_order(oci: SimulatorProcess) -> None:
    witness = Witness()
    client = client_of(oci, witness=witness)
    client.get_availability(place=US, skus=["TEE"])
    with pytest.raises(OciRefused):
        client.get_availability(place=Place(PlaceKind.GROUP, "nowhere"), skus=["TEE"])
    client.cancel_reservation(reservation_id=new_id())
    assert witness.told == ["sent", "answered"] * 3


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_correlation_id_of_its_own_and_says_who_we_are(name: str) -> None:
    with RawServer(answer({"type": "about:blank", "errorCode": "X"}, status=409)) as server:
        client = client_of(server.url)
        for _ in range(2):
            with pytest.raises(OciRefused) as caught:
                CALLS[name](client)
            sent = server.asked[-1].headers
            assert sent["correlation-id"] == caught.value.correlation_id
            assert str(uuid.UUID(sent["correlation-id"])) == sent["correlation-id"]
            assert sent["user-agent"] == "continuous-order-capture"
            assert sent["accept-encoding"] == "identity"
    assert len({asked.headers["correlation-id"] for asked in server.asked}) == 2


@pytest.mark.parametrize(
    "tenant", ["a/b", "a?x=1", "a#f", "a b", "é", "a\r\nX-Evil: 1", "%2e%2e", "a;b", 'a"b']
)
def test_an_odd_tenant_group_stays_one_piece_of_the_path(tenant: str) -> None:
    with RawServer(answer({"groups": []})) as server:
        client = client_of(server.url, tenant_group_id=tenant)
        assert client.get_availability(place=US, skus=["TEE"]) == []
    (asked,) = server.asked
    parts = asked.path.split("/")
    assert parts[:5] == ["", "inventory", "availability", "v1", "organizations"]
    assert parts[6:] == ["availability-records", "actions", "get-availability"]
    assert unquote(parts[5]) == tenant
    assert "x-evil" not in asked.headers


@pytest.mark.parametrize("sku", ['"},{"sku":"X', "\x00", "\u202e", "ü" * 200, "..", "a?b#c&d"])
def test_odd_skus_and_order_numbers_stay_inside_the_body(
    oci: SimulatorProcess, client: OciClient, sku: str
) -> None:
    body = body_of((sku, 1), order_no=sku)
    judged = client.put_reservation(reservation_id=new_id(), body=body).judgement
    assert judged.held == {(US, sku): 0}
    (document,) = oci.books()["documents"]
    assert document["externalRefId"] == sku
    assert [line["sku"] for line in document["lines"]] == [sku]


@pytest.mark.parametrize("sku", ["../..", "a\r\nX-Evil: 1", "\u2028", "a;b", "%2e", "x" * 251])
def test_skus_that_oci_does_not_take_are_refused(
    oci: SimulatorProcess, client: OciClient, sku: str
) -> None:
    with pytest.raises(OciRefused) as caught:
        client.put_reservation(reservation_id=new_id(), body=body_of((sku, 1)))
    assert (caught.value.status, caught.value.parameter) == (400, "sku")
    assert oci.books() == NO_BOOKS


def test_a_base_url_may_have_a_path_and_a_slash_at_its_end() -> None:
    with RawServer(answer({"groups": []})) as server:
        client = client_of(server.url, base_url=f"{server.url}/gateway/")
        client.get_availability(place=US, skus=["TEE"])
    assert server.asked[0].path.startswith("/gateway/inventory/availability/v1/")


def test_a_client_shows_no_secret(oci: SimulatorProcess, client: OciClient) -> None:
    client.get_availability(place=US, skus=["TEE"])
    caller = client._caller
    shown = f"{client!r} {caller!r} {caller._config!r} {caller._tokens!r} {vars(caller)!r}"
    assert oci.client_secret not in shown
    assert caller._tokens.get() not in f"{shown} {caller._tokens._held!r}"

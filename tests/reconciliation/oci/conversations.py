"""What client and simulator can say to each other, and whether it fits the description of OCI."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from reconciliation.oci.client import CancelResult, OciClient
from reconciliation.oci.documents import Line, Place, PlaceKind, build_body
from reconciliation.oci.errors import OciRefused
from reconciliation.oci.records import ReleaseRecord
from tests.reconciliation.oci.clients import (
    STORE,
    TWO_TEES,
    US,
    body_of,
    new_id,
    number,
    release_of,
)
from tests.reconciliation.oci.openapi_checker import checker
from tests.reconciliation.oci.raw_server import TOKEN_PATH
from tests.reconciliation.oci.relay import Exchange, Message, Relay


def problems_of_request(request: Message) -> list[str]:
    if request.path == TOKEN_PATH:
        return checker().token_request(request.headers, request.body)
    return checker().request(request.method, request.path, request.headers, request.body)


def problems_of_answer(exchange: Exchange) -> list[str]:
    request, found = exchange.request, exchange.answer
    if found is None:
        return ["no whole answer"]
    if request.path == TOKEN_PATH and found.status == 200:
        return checker().token_response(found.status, found.body)
    if request.path == TOKEN_PATH:
        error = json.loads(found.body)
        return [] if "error" in error or "type" in error else ["not an OAuth error"]
    return checker().response(request.method, request.path, found.status, found.headers, found.body)


def all_fit(relay: Relay) -> list[tuple[str, int]]:
    """Assert that everything said fits; gives the (operation, status) pairs that were seen."""
    seen = []
    for exchange in relay.exchanges():
        assert problems_of_request(exchange.request) == []
        assert problems_of_answer(exchange) == [], exchange
        operation = checker().operation_id(exchange.request.method, exchange.request.path)
        assert exchange.answer is not None
        seen.append((operation or "token", exchange.answer.status))
    assert seen
    return seen


def everything_good(client: OciClient) -> None:
    reservation_id = new_id()
    lines = [
        Line(US, "TEE", number(2)),
        Line(US, "MUG", number("1.125")),
        Line(STORE, "TEE", number(1)),
    ]
    body = build_body(order_no='é"\\\n#1', lines=lines)
    assert client.put_reservation(reservation_id=reservation_id, body=body).judgement.complete
    assert client.put_reservation(reservation_id=reservation_id, body=body).judgement.complete
    client.get_availability(place=US, skus=["TEE", "MUG", "NONE"])
    client.get_availability(place=STORE, skus=["TEE"])
    client.get_availability(place=US, skus=[f"S{n}" for n in range(250)])
    record = ReleaseRecord(
        id=str(uuid.uuid4()), place=US, sku="MUG", quantity=number("0.125"), external_ref_id="ü"
    )
    assert client.release([record, release_of("TEE", 1, place=STORE)]) == []
    assert client.cancel_reservation(reservation_id=reservation_id) is CancelResult.CANCELLED


def everything_short(client: OciClient) -> None:
    body = body_of(("TEE", "99.999"), ("MUG", 2), ("NONE", 1))
    assert client.put_reservation(reservation_id=new_id(), body=body).judgement.partial
    assert client.put_reservation(reservation_id=new_id(), body=TWO_TEES).judgement.nothing
    (failure,) = client.release([release_of("TEE", 999), release_of("MUG", 1)])
    assert failure.error_code == "InsufficientQuantity"


def every_refusal(client: OciClient) -> None:
    nowhere = Place(PlaceKind.LOCATION, "nowhere")
    calls: list[Callable[[], object]] = [
        lambda: client.put_reservation(
            reservation_id=new_id(), body=body_of(("TEE", 1), place=nowhere)
        ),
        lambda: client.get_availability(place=nowhere, skus=["TEE"]),
        lambda: client.release([release_of("TEE", 1, place=nowhere)]),
    ]
    for call in calls:
        with pytest.raises(OciRefused) as caught:
            call()
        assert caught.value.error_code == "LocationDoesNotExist"
    assert client.cancel_reservation(reservation_id=new_id()) is CancelResult.ABSENT
    reservation_id = new_id()
    client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    client.cancel_reservation(reservation_id=reservation_id)
    assert client.cancel_reservation(reservation_id=reservation_id) == "already_cancelled"
    with pytest.raises(OciRefused):
        client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)

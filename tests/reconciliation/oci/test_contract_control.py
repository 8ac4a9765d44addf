"""The checker of the contract tests finds what is wrong: lies of the service, planted mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciliation.oci.client import OciClient
from reconciliation.oci.errors import OciError
from tests.reconciliation.oci.clients import (
    CALLS,
    body_of,
    new_id,
)
from tests.reconciliation.oci.conversations import (
    all_fit,
    everything_good,
    problems_of_answer,
    problems_of_request,
)
from tests.reconciliation.oci.raw_server import TOKEN_PATH
from tests.reconciliation.oci.relay import Exchange, Message, Relay
from tests.reconciliation.oci.simulator_process import SimulatorProcess

OPERATIONS = {
    "put": "createReservations",
    "cancel": "cancelReservation",
    "release": "unreserveReservations",
    "availability": "skuAvailabilityByLocationAndOrGroup",
}
LOGGED = {"cancel": "patch", "release": "releases"}


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ({"mode": "garbage"}, "content type"),
        ({"mode": "wrongtype"}, "is not of type 'number'"),
        ({"mode": "wrongtype", "style": "list"}, "is not of type 'object'"),
        ({"mode": "wrongtype", "style": "null"}, "None"),
        ({"mode": "wrongquantities", "style": "negative"}, "is less than 0"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_answers_of_a_lying_service_do_not_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient, fault: dict[str, Any], found: str
) -> None:
    for name, operation in (("put", "put"), ("availability", "availability")):
        oci.fault(**fault, operations=[operation])
        with pytest.raises(OciError):
            CALLS[name](relayed)
    exchanges = [e for e in relay.exchanges() if e.request.path != TOKEN_PATH]
    assert len(exchanges) == 2
    for exchange in exchanges:
        assert problems_of_request(exchange.request) == []
        assert found in " ".join(problems_of_answer(exchange))


def good_exchange(relay: Relay, method: str, path: str) -> Exchange:
    return next(
        e for e in relay.exchanges() if e.request.method == method and path in e.request.path
    )


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda body: body.pop("groups") and body.pop("locations"), "is not valid under any"),
        (lambda body: body.update(externalRefId=5), "externalRefId"),
        (lambda body: body.update(allowPartialReservations="yes"), "boolean"),
        (lambda body: body.update(expirationSeconds=0), "less than 1"),
        (lambda body: body["groups"][0].pop("id"), "'id' is a required property"),
        (lambda body: body["groups"][0].update(id="site us"), "does not match"),
        (lambda body: body["groups"][0]["reservations"][0].pop("sku"), "'sku' is a required"),
        (lambda body: body["groups"][0]["reservations"][0].update(sku="a b"), "does not match"),
        (lambda body: body["groups"][0]["reservations"][0].update(quantity=0), "less than 0.001"),
        (lambda body: body["groups"][0]["reservations"][0].update(quantity="1"), "not of type"),
        (
            lambda body: body["groups"][0]["reservations"][0].update(quantity=0.0015),
            "not a multiple of 0.001",
        ),
    ],
)
def test_a_planted_mistake_in_a_request_is_found(
    relay: Relay, relayed: OciClient, change: Change, found: str
) -> None:
    everything_good(relayed)
    request = good_exchange(relay, "PUT", "reservation-documents").request
    assert problems_of_request(request) == []
    body = json.loads(request.body)
    change(body)
    wrong = Message(request.start, request.headers, json.dumps(body).encode())
    problems = problems_of_request(wrong)
    assert problems
    assert found in " ".join(problems)


@pytest.mark.parametrize(
    ("header", "value", "found"),
    [
        ("Authorization", "Basic abc", "bearer"),
        ("Authorization", "Bearer ", "bearer"),
        ("Content-Type", "text/plain", "content type"),
        ("Correlation-Id", "order-1", "UUID"),
    ],
)
def test_a_planted_header_is_found(
    relay: Relay, relayed: OciClient, header: str, value: str, found: str
) -> None:
    everything_good(relayed)
    request = good_exchange(relay, "PUT", "reservation-documents").request
    wrong = Message(request.start, {**request.headers, header: value}, request.body)
    (problem,) = problems_of_request(wrong)
    assert found in problem


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda body: body.pop("success"), "'success' is a required"),
        (lambda body: body.pop("reservationTime"), "'reservationTime' is a required"),
        (lambda body: body.update(reservationTime="yesterday"), "date-time"),
        (lambda body: body["groups"][0].pop("id"), "'id' is a required"),
        (lambda body: body["groups"][0]["details"][0].update(quantity=-1), "less than 0"),
        (lambda body: body["groups"][0]["details"][0].update(quantity=1.00001), "multiple"),
        (lambda body: body["groups"][0].update(errors=[{"sku": "A", "errorCode": "No"}]), "one of"),
    ],
)
def test_a_planted_mistake_in_an_answer_is_found(
    relay: Relay, relayed: OciClient, change: Change, found: str
) -> None:
    everything_good(relayed)
    exchange = good_exchange(relay, "PUT", "reservation-documents")
    good = exchange.answer
    assert good is not None
    body = json.loads(good.body)
    change(body)
    wrong = Message(good.start, good.headers, json.dumps(body).encode())
    problems = problems_of_answer(Exchange(exchange.request, wrong))
    assert found in " ".join(problems)


@pytest.mark.parametrize(
    ("path", "start", "body", "found"),
    [
        ("reservation-documents", "HTTP/1.1 201 Created", b"{}", "201 is not declared"),
        ("reservation-documents", "HTTP/1.1 429 Slow", b'{"type":"x"}', "Retry-After"),
        ("reservation-documents", "HTTP/1.1 409 Conflict", b'{"type":"x"}', "errorCode"),
        ("releases", "HTTP/1.1 204 No Content", b"{}", "must have no body"),
        ("get-availability", "HTTP/1.1 410 Gone", b"{}", "410 is not declared"),
    ],
)
def test_a_planted_status_is_found(
    relay: Relay,
    relayed: OciClient,
    path: str,
    start: str,
    body: bytes,
    found: str,
) -> None:
    everything_good(relayed)
    method = "PUT" if path == "reservation-documents" else "POST"
    exchange = good_exchange(relay, method, path)
    problem = {"Content-Type": "application/problem+json"}
    wrong = Message(start, problem, body)
    assert found in " ".join(problems_of_answer(Exchange(exchange.request, wrong)))


def test_too_many_combinations_are_found(relay: Relay, relayed: OciClient) -> None:
    everything_good(relayed)
    request = good_exchange(relay, "POST", "get-availability").request
    body = {"skus": [f"S{n}" for n in range(101)], "groups": ["site-us"]}
    wrong = Message(request.start, request.headers, json.dumps(body).encode())
    (problem,) = problems_of_request(wrong)
    assert "101 combinations" in problem


def test_legal_quantities_that_floats_would_refuse_are_accepted(
    relay: Relay, relayed: OciClient
) -> None:
    for quantity in ("7.132", "12.45", "2.675"):
        relayed.put_reservation(reservation_id=new_id(), body=body_of(("TEE", quantity)))
    all_fit(relay)

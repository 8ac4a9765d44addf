"""What client and simulator say to each other, held against the description of OCI's API.

The bytes are those that went over the wire (see ``relay``). The description is no part of the
project; without it these tests are skipped.
"""

from __future__ import annotations

from typing import Any

import pytest

from reconciliation.oci.client import CancelResult, OciClient
from reconciliation.oci.errors import OciConfigurationFault, OciError, OciRefused, OciThrottled
from tests.reconciliation.oci.clients import (
    CALLS,
    TWO_TEES,
    US,
    Brief,
    client_of,
    new_id,
)
from tests.reconciliation.oci.conversations import (
    all_fit,
    every_refusal,
    everything_good,
    everything_short,
    problems_of_answer,
    problems_of_request,
)
from tests.reconciliation.oci.raw_server import TOKEN_PATH
from tests.reconciliation.oci.relay import Relay
from tests.reconciliation.oci.simulator_process import SimulatorProcess

OPERATIONS = {
    "put": "createReservations",
    "cancel": "cancelReservation",
    "release": "unreserveReservations",
    "availability": "skuAvailabilityByLocationAndOrGroup",
}
LOGGED = {"cancel": "patch", "release": "releases"}


# Good, short and refused


def test_good_calls_and_their_answers_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient
) -> None:
    everything_good(relayed)
    seen = all_fit(relay)
    assert set(seen) == {
        ("token", 200),
        ("createReservations", 200),
        ("skuAvailabilityByLocationAndOrGroup", 200),
        ("unreserveReservations", 204),
        ("cancelReservation", 204),
    }
    # Nothing passed by the relay, and nothing was sent that the simulator did not get.
    passed = sorted((e.request.method, e.request.path) for e in relay.exchanges())
    assert passed == sorted((entry["method"], entry["path"]) for entry in oci.requests())


@pytest.mark.parametrize("style", ["silent", "errors"])
def test_short_answers_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient, style: str
) -> None:
    oci.settings(partialStyle=style)
    everything_short(relayed)
    seen = all_fit(relay)
    assert {("createReservations", 200), ("unreserveReservations", 200)} <= set(seen)


@pytest.mark.parametrize("unknown", ["404", "400"])
def test_refusals_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient, unknown: str
) -> None:
    oci.settings(unknownCancel=unknown)
    every_refusal(relayed)
    seen = set(all_fit(relay))
    assert ("cancelReservation", int(unknown)) in seen
    expected = {
        ("createReservations", 400),
        ("createReservations", 409),
        ("cancelReservation", 409),
        ("unreserveReservations", 400),
        ("skuAvailabilityByLocationAndOrGroup", 400),
    }
    assert expected <= seen


@pytest.mark.parametrize("replay", ["exists", "finalized"])
def test_answers_to_an_id_that_is_taken_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient, replay: str
) -> None:
    oci.settings(replay=replay, cancelStyle="202", cancelDelayMs=0)
    reservation_id = new_id()
    relayed.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    with pytest.raises(OciRefused):
        relayed.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    assert relayed.cancel_reservation(reservation_id=reservation_id) is CancelResult.MARKED
    assert {("createReservations", 409), ("cancelReservation", 202)} <= set(all_fit(relay))


def test_answers_with_a_rate_limit_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient
) -> None:
    oci.settings(rateLimitPerMinute=1)
    with pytest.raises(OciThrottled):
        relayed.get_availability(place=US, skus=[f"S{n}" for n in range(350)])
    seen = all_fit(relay)
    assert ("skuAvailabilityByLocationAndOrGroup", 429) in seen
    good = [e.answer for e in relay.exchanges() if e.answer and e.answer.status == 200][-1]
    assert good.headers["X-RateLimit-Limit"] == "1"


# Faults


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({"mode": "5xx"}, [503]),
        ({"mode": "5xx", "status": 500}, [500]),
        ({"mode": "429", "retryAfter": 3}, [429]),
        ({"mode": "forbidden"}, [403]),
        ({"mode": "badtoken"}, [401, 401]),
    ],
    ids=["503", "500", "429", "forbidden", "badtoken"],
)
def test_errors_of_every_call_fit(
    oci: SimulatorProcess,
    relay: Relay,
    relayed: OciClient,
    name: str,
    fault: dict[str, Any],
    statuses: list[int],
) -> None:
    oci.fault(**fault, operations=[LOGGED.get(name, name)])
    with pytest.raises(OciError):
        CALLS[name](relayed)
    found = [(operation, status) for operation, status in all_fit(relay) if operation != "token"]
    assert found == [(OPERATIONS[name], status) for status in statuses]


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("mode", ["down", "hang", "drop", "cut"])
def test_requests_whose_answer_never_comes_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient, name: str, mode: str
) -> None:
    oci.fault(mode, operations=[LOGGED.get(name, name)])
    with pytest.raises(OciError):
        CALLS[name](Brief(relayed, read_timeout=2.0 if mode == "drop" else 0.5))
    exchanges = [e for e in relay.exchanges() if e.request.path != TOKEN_PATH]
    assert len(exchanges) in (1, 2)
    for exchange in exchanges:
        assert problems_of_request(exchange.request) == []
        assert problems_of_answer(exchange) == ["no whole answer"]


def test_slow_answers_and_dripping_ones_fit(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient
) -> None:
    for mode in ("slow", "drip"):
        oci.fault(mode, delayMs=0)
        everything_short(relayed)
        oci.reset("books")
    all_fit(relay)


def test_a_repeated_request_has_the_same_bytes(
    oci: SimulatorProcess, relay: Relay, relayed: OciClient
) -> None:
    relayed.get_availability(place=US, skus=["TEE"])
    oci.fault("drop", operations=["put"])
    with pytest.raises(OciError):
        CALLS["put"](relayed)
    first, second = [e.request for e in relay.exchanges() if e.request.method == "PUT"]
    assert first == second


@pytest.mark.parametrize("status", ["401", "400"])
def test_token_errors_are_those_of_oauth(oci: SimulatorProcess, relay: Relay, status: str) -> None:
    oci.settings(authFailureStatus=status)
    for changes in (
        {"client_secret": "wrong"},
        {"scope": "SALESFORCE_COMMERCE_API:abcd_001 sfcc.orders"},
    ):
        with pytest.raises(OciConfigurationFault):
            CALLS["put"](client_of(relay.url, **changes))
    assert all_fit(relay) == [("token", int(status)), ("token", 400)]

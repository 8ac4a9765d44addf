"""Tokens and credentials that are refused: one renewal, one repeat, then a configuration fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)
from reconciliation.oci.token import TokenSource
from tests.reconciliation.oci.clients import (
    CALLS,
    TWO_TEES,
    US,
    Clock,
    Witness,
    asked,
    client_of,
    new_id,
    token_source,
)
from tests.reconciliation.oci.raw_server import RawServer, answer
from tests.reconciliation.oci.simulator_process import SimulatorProcess


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(oci: SimulatorProcess, clock: Clock) -> Iterator[TokenSource]:
    made = token_source(oci, clock)
    yield made
    made.close()


# Tokens that OCI does not accept


@pytest.mark.parametrize("status", ["401", "400"])
def test_a_token_that_ended_early_is_renewed_once_and_the_call_repeated(
    oci: SimulatorProcess, status: str
) -> None:
    oci.settings(authFailureStatus=status)
    witness = Witness()
    client = client_of(oci, witness=witness)
    client.get_availability(place=US, skus=["TEE"])
    oci.expire_tokens()
    reservation_id = new_id()
    got = client.put_reservation(reservation_id=reservation_id, body=TWO_TEES)
    assert got.judgement.complete
    made = [(entry["operation"], entry["status"]) for entry in oci.requests()[2:]]
    assert made == [("put", int(status)), ("token", 200), ("put", 200)]
    assert witness.told == ["sent", "answered"] * 2
    assert [d["reservationId"] for d in oci.books()["documents"]] == [str(reservation_id)]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [401, 400])
def test_a_new_token_that_is_refused_too_is_a_configuration_fault(
    oci: SimulatorProcess, name: str, status: int
) -> None:
    witness = Witness()
    client = client_of(oci, witness=witness)
    oci.fault("badtoken", status=status)
    for number in (1, 2):
        with pytest.raises(OciConfigurationFault) as caught:
            CALLS[name](client)
        assert (caught.value.status, caught.value.operation) == (status, name)
        assert caught.value.sent is True
        assert "token was not accepted" in caught.value.detail
        # Two tokens and two calls each time: neither of the tokens is tried again.
        assert asked(oci) == 2 * number
    assert witness.told == ["sent", "configuration_fault"] * 2
    assert oci.books()["documents"] == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, None),
        (401, {"type": "about:blank", "errorCode": "InvalidRequest"}),
        (400, None),
        (400, {"title": "Bad Request", "detail": "invalid token"}),
        (400, {"error": "invalid_token"}),
        (400, {"type": "https://api.commercecloud.salesforce.com/documentation/error/v1/errors/x"}),
        (400, {"errorCode": "InvalidRequest", "message": "Authentication failed"}),
        (400, {"errorCode": "InvalidRequest", "message": "The request was unauthorized."}),
    ],
)
def test_every_spelling_of_failed_authentication(status: int, body: Any) -> None:
    refused = answer(body if body else b"", status=status, kind="application/problem+json")
    good = answer({"groups": []})
    with RawServer(refused, good, refused, refused) as server:
        client = client_of(server.url)
        assert client.get_availability(place=US, skus=["TEE"]) == []
        assert [call.token for call in server.asked] == ["token-1", "token-2"]
        with pytest.raises(OciConfigurationFault):
            client.get_availability(place=US, skus=["TEE"])
    assert [call.token for call in server.asked][2:] == ["token-2", "token-3"]


@pytest.mark.parametrize(
    "body",
    [
        {"errorCode": "InvalidRequest", "message": "Give at least one group or location"},
        {"errorCode": "InvalidRequestParameter", "message": "The token SKU", "parameterName": "s"},
        {"errorCode": "InvalidRequest", "message": "unauthorized", "parameterName": "sku"},
        {"errorCode": "GroupDoesNotExist", "message": "Authentication Group is not there"},
    ],
)
def test_a_400_about_the_request_is_no_failed_authentication(body: dict[str, str]) -> None:
    refused = answer(body, status=400, kind="application/problem+json")
    with RawServer(refused) as server, pytest.raises(OciRefused) as caught:
        CALLS["put"](client_of(server.url))
    assert caught.value.error_code == body["errorCode"]
    assert len(server.asked) == 1


def test_after_403_the_next_call_has_a_new_token() -> None:
    """Rights that were granted meanwhile come with a new token only."""
    forbidden = answer({"errorCode": "TenantNotProvisioned"}, status=403)
    with RawServer(forbidden, answer({"groups": []})) as server:
        client = client_of(server.url)
        with pytest.raises(OciConfigurationFault):
            client.get_availability(place=US, skus=["TEE"])
        assert client.get_availability(place=US, skus=["TEE"]) == []
    assert [call.token for call in server.asked] == ["token-1", "token-2"]


def test_a_newer_token_is_not_forgotten_with_an_old_one(
    oci: SimulatorProcess, tokens: TokenSource
) -> None:
    first = tokens.get()
    tokens.invalidate(first)
    second = tokens.get()
    tokens.invalidate(first)
    assert tokens.get() == second
    assert asked(oci) == 2


# Credentials that are refused


@pytest.mark.parametrize("status", ["401", "400"])
def test_wrong_credentials_are_a_configuration_fault(oci: SimulatorProcess, status: str) -> None:
    oci.settings(authFailureStatus=status)
    witness = Witness()
    client = client_of(oci, witness=witness, client_secret="not-the-secret")
    with pytest.raises(OciConfigurationFault) as caught:
        CALLS["put"](client)
    error = caught.value
    assert (error.status, error.operation, error.sent) == (int(status), "token", False)
    assert error.detail == "invalid_client: Client authentication failed"
    assert witness.told == ["sent", "configuration_fault"]
    assert asked(oci, "put") == 0


def test_a_scope_that_does_not_exist_is_a_configuration_fault(oci: SimulatorProcess) -> None:
    with pytest.raises(OciConfigurationFault) as caught:
        CALLS["put"](client_of(oci, scope="SALESFORCE_COMMERCE_API:abcd_001 sfcc.orders"))
    assert caught.value.detail.startswith("invalid_scope: ")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (answer({"error": "access_denied"}, status=403), OciConfigurationFault),
        (answer(b"<html>", status=401, kind="text/html"), OciConfigurationFault),
        (answer({"access_token": "abc"}, status=201), OciNoAnswer),
        (answer(status=302, kind="", Location="http://127.0.0.1:9/"), OciNoAnswer),
        (answer(b"<html>", status=404, kind="text/html"), OciConfigurationFault),
        (answer(b"<html>", status=500, kind="text/html"), OciNoAnswer),
        (answer(status=429, kind="", Retry_After="9"), OciThrottled),
        (answer(b"<html>", kind="text/html"), OciNoAnswer),
        (answer({"access_token": "abc"}, kind="text/html"), OciNoAnswer),
        (answer([]), OciNoAnswer),
        (answer({}), OciNoAnswer),
        (answer({"access_token": ""}), OciNoAnswer),
        (answer({"access_token": 5}), OciNoAnswer),
        (answer({"access_token": "a b"}), OciNoAnswer),
        (answer({"access_token": "abc\r\nX-Evil: 1"}), OciNoAnswer),
        (answer({"access_token": "ümlaut"}), OciNoAnswer),
        (answer({"access_token": "x" * 20_000}), OciNoAnswer),
    ],
)
def test_what_is_no_token_is_not_used(clock: Clock, raw: bytes, expected: type[OciError]) -> None:
    with RawServer(token=raw) as server:
        tokens = token_source(server.url, clock)
        with pytest.raises(expected) as caught:
            tokens.get()
        assert (caught.value.operation, caught.value.sent) == ("token", False)
        with pytest.raises(expected):
            tokens.get()
    assert len(server.tokens_asked) == 2


def test_a_failure_is_not_remembered(oci: SimulatorProcess, tokens: TokenSource) -> None:
    for mode in ("5xx", "down", "refuse", "hang"):
        oci.fault(mode)
        with pytest.raises(OciNoAnswer):
            tokens.get(within=0.5)
    oci.fault("none")
    assert tokens.get()


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://127.0.0.1/", "http://", "http://[::1", "http://a b"]
)
def test_an_address_that_is_none_is_a_configuration_fault(clock: Clock, url: str) -> None:
    with pytest.raises(OciConfigurationFault) as caught:
        token_source("http://127.0.0.1:9", clock, token_url=url).get()
    assert (caught.value.status, caught.value.sent) == (0, False)
    assert str(caught.value) == "The address of OCI in the settings cannot be used."

"""Connections: reused, replaced when stale, and what must never be followed or believed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciliation.oci.errors import OciConfigurationFault, OciNoAnswer
from reconciliation.oci.transport import HttpAnswer, HttpRequest, Transport
from tests.reconciliation.oci.clients import CALLS, US, client_of
from tests.reconciliation.oci.raw_server import (
    RawServer,
    answer,
    close_after,
    drip,
    silence,
)
from tests.reconciliation.oci.simulator_process import SimulatorProcess
from tests.reconciliation.oci.single_requests import BODY, OK, failure, request_to, send

# Connections


def test_calls_in_a_row_use_one_connection() -> None:
    with RawServer(
        OK, answer(status=204, kind=""), answer(b"", status=409), answer(b"x" * 200_000), OK
    ) as server:
        transport = Transport(pool_size=4)
        for _ in range(5):
            send(server.url, transport=transport)
    assert server.connections == [1] * 5


def test_calls_at_once_use_no_more_connections_than_the_pool_has() -> None:
    with RawServer(drip(OK, seconds=0.0005)) as server:
        transport = Transport(pool_size=3)
        with ThreadPoolExecutor(9) as pool:
            got = list(
                pool.map(lambda _: send(server.url, transport=transport, seconds=60), range(27))
            )
    assert [found.status for found in got] == [200] * 27
    assert set(server.connections) <= {1, 2, 3}


def test_a_connection_is_not_used_again_after_a_call_that_failed() -> None:
    with RawServer(silence, OK) as server:
        transport = Transport(pool_size=1)
        failure(server.url, seconds=0.2, transport=transport)
        assert send(server.url, transport=transport).status == 200
    assert server.connections == [1, 2]


def test_what_follows_an_answer_is_not_taken_for_the_next_one() -> None:
    smuggled = OK + answer({"groups": "not asked for"})
    with RawServer(smuggled, answer({"right": True})) as server:
        transport = Transport(pool_size=1)
        send(server.url, transport=transport)
        time.sleep(0.05)
        assert send(server.url, transport=transport).body == b'{"right": true}'


def test_a_connection_that_ended_at_rest_is_replaced_at_once() -> None:
    with RawServer(OK, close_after(b""), OK) as server:
        transport = Transport(pool_size=4)
        assert send(server.url, transport=transport).status == 200
        assert send(server.url, transport=transport).status == 200
    assert server.connections == [1, 1, 2]


def test_the_second_try_leaves_other_connections_at_rest_alone() -> None:
    """Another thread may have put back one that is as stale as the first."""
    with RawServer(OK) as server:
        transport = Transport(pool_size=2)
        send(server.url, transport=transport)
        _, found = transport._try(request_to(server.url), fresh=True)
        assert isinstance(found, HttpAnswer)
        send(server.url, transport=transport)
    assert server.connections == [1, 2, 2]


def test_what_must_not_be_repeated_is_sent_once() -> None:
    with RawServer(OK, close_after(b""), OK) as server:
        transport = Transport(pool_size=4)
        send(server.url, transport=transport)
        error = failure(server.url, transport=transport, repeatable=False)
    assert (error.kind, error.sent) == ("broken", True)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "cut",
    [
        b"H",
        b"HTTP/1.1 204",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 204 No Content\r\nDate: S",
        BODY[:-2],
        BODY + b"x",
    ],
)
def test_an_answer_that_had_begun_is_not_asked_for_again(cut: bytes) -> None:
    with RawServer(OK, close_after(cut), OK) as server:
        transport = Transport(pool_size=4)
        send(server.url, transport=transport)
        # A part of the first word of an answer is no HTTP.
        kind = "malformed" if cut == b"H" else "broken"
        assert failure(server.url, transport=transport).kind == kind
    assert len(server.asked) == 2


def test_a_new_connection_that_ends_is_not_repeated() -> None:
    with RawServer(close_after(b""), OK) as server:
        assert failure(server.url).kind == "broken"
    assert len(server.asked) == 1


def test_a_simulator_that_was_away_is_called_again_without_a_failure(
    oci: SimulatorProcess,
) -> None:
    client = client_of(oci)
    for _ in range(3):
        client.get_availability(place=US, skus=["TEE"])
        oci.fault("refuse")
        oci.fault("none")
        assert [found.sku for found in client.get_availability(place=US, skus=["TEE"])] == ["TEE"]


def test_closing_leaves_the_transport_usable() -> None:
    with RawServer(OK) as server:
        transport = Transport(pool_size=2)
        send(server.url, transport=transport)
        transport.close()
        assert send(server.url, transport=transport).status == 200


# What must not be followed or believed


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with RawServer(OK) as other:
        moved = answer(status=status, kind="", Location=f"{other.url}/stolen")
        with RawServer(moved) as server:
            assert send(server.url).status == status
            with pytest.raises(OciNoAnswer) as caught:
                CALLS["put"](client_of(server.url))
    assert caught.value.status == status
    assert other.asked == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with RawServer(OK) as proxy, RawServer(OK) as server:
        monkeypatch.setenv(name, proxy.url)
        CALLS["availability"](client_of(server.url))
    assert (proxy.asked, proxy.tokens_asked) == ([], [])
    assert len(server.asked) == 1


def test_netrc_and_cookies_play_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(answer({"groups": []}, Set_Cookie="a=b; Path=/")) as server:
        client = client_of(server.url)
        CALLS["availability"](client)
        CALLS["availability"](client)
    assert [call.token for call in server.asked] == ["token-1"] * 2
    assert all("cookie" not in call.headers for call in server.asked)


@pytest.mark.parametrize(
    "url", ["", "x", "//host", "ftp://127.0.0.1/", "http://", "http://[::1", "http://h:99999/"]
)
def test_an_address_that_is_none_is_a_configuration_fault(url: str) -> None:
    with pytest.raises(OciConfigurationFault) as caught:
        send(url)
    assert (caught.value.status, caught.value.sent) == (0, False)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", " \r\n"])
def test_a_header_cannot_be_smuggled_in(value: str) -> None:
    with RawServer(OK) as server, pytest.raises(OciConfigurationFault):
        send(server.url, headers={"Correlation-Id": value})
    assert server.asked == []


def test_what_is_sent_and_answered_shows_no_header_or_body() -> None:
    request = HttpRequest(
        "put", "PUT", "http://h/", {"Authorization": "Bearer t0k"}, b"b0dy", 1, 1, True
    )
    found = HttpAnswer(200, {"Set-Cookie": "c00k"}, b'{"access_token":"t0k"}')
    for secret in ("t0k", "b0dy", "c00k"):
        assert secret not in repr(request) + repr(found)

"""Time limits of whole calls, whatever the other end does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reconciliation.oci.errors import OciNoAnswer
from reconciliation.oci.transport import Transport
from tests.reconciliation.oci.clients import CALLS, Brief, client_of
from tests.reconciliation.oci.raw_server import (
    RawServer,
    Script,
    answer,
    drip,
    silence,
)
from tests.reconciliation.oci.simulator_process import SimulatorProcess
from tests.reconciliation.oci.single_requests import BODY, LONG, OK, SLACK, failure, send


@pytest.mark.parametrize(
    "script",
    [
        silence,
        drip(LONG, seconds=0.01),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, seconds=0.01),
        drip(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 999,
            seconds=0.01,
        ),
    ],
    ids=["silence", "slow head", "continue for ever", "slow chunks"],
)
def test_a_call_ends_at_its_deadline(script: Script) -> None:
    with RawServer(script) as server:
        began = time.monotonic()
        error = failure(server.url, seconds=0.4)
        took = time.monotonic() - began
    assert (error.kind, error.sent) == ("timeout", True)
    assert 0.35 < took < 0.4 + SLACK


def test_a_body_that_drips_ends_at_the_deadline() -> None:
    def slow_body(sock: socket.socket, stopping: threading.Event) -> bool:
        sock.sendall(BODY)
        return drip(b"x" * 100, seconds=0.05)(sock, stopping)

    with RawServer(slow_body) as server:
        began = time.monotonic()
        assert failure(server.url, seconds=0.4).kind == "timeout"
        assert time.monotonic() - began < 0.4 + SLACK


def test_a_slow_answer_within_the_deadline_is_whole() -> None:
    with RawServer(drip(answer(b'{"a":1}'), seconds=0.005)) as server:
        assert send(server.url, seconds=60).body == b'{"a":1}'


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_call_whose_time_is_over_is_not_made(seconds: float) -> None:
    with RawServer(OK) as server:
        error = failure(server.url, seconds=seconds)
    assert (error.kind, error.sent) == ("connect", False)
    assert server.asked == []


@pytest.mark.parametrize("name", CALLS)
def test_the_time_limit_of_one_call_replaces_the_configured_one(name: str) -> None:
    with RawServer(silence) as server:
        client = client_of(server.url, connect_timeout=0.1, read_timeout=60)
        client._caller._tokens.get()
        began = time.monotonic()
        with pytest.raises(OciNoAnswer) as caught:
            CALLS[name](Brief(client))
        assert time.monotonic() - began < 0.3 + SLACK
    assert caught.value.kind == "timeout"


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port that takes no more connections: to connect means to wait."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        yield port
        for filler in fillers:
            filler.close()


def test_a_host_that_does_not_take_connections(full_port: int) -> None:
    began = time.monotonic()
    error = failure(f"http://127.0.0.1:{full_port}", seconds=5, connect_timeout=0.3)
    assert (error.kind, error.sent) == ("connect", False)
    assert str(error) == "OCI could not be reached. No connection in time."
    assert time.monotonic() - began < 0.3 + SLACK


def test_all_addresses_of_a_host_share_one_time_limit(
    full_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def six_addresses(_: str, port: int, **named: Any) -> list[Any]:
        return real("127.0.0.1", port, **named) * 6

    monkeypatch.setattr(socket, "getaddrinfo", six_addresses)
    began = time.monotonic()
    error = failure(f"http://oci.test:{full_port}", seconds=5, connect_timeout=0.4)
    assert (error.kind, error.sent) == ("connect", False)
    assert time.monotonic() - began < 0.4 + SLACK


def test_an_address_that_is_silent_leaves_time_for_the_next(
    full_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def silent_first(_: str, port: int, **named: Any) -> list[Any]:
        return [*real("127.0.0.1", full_port, **named), *real("127.0.0.1", port, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", silent_first)
    with RawServer(OK) as server:
        url = f"http://oci.test:{server.port}"
        assert send(url, connect_timeout=0.4).status == 200


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        ([socket.gaierror(socket.EAI_NONAME, "unknown")], "Its name could not be resolved."),
        ([], ""),
    ],
)
def test_a_name_without_an_address(
    monkeypatch: pytest.MonkeyPatch, addresses: list[Exception], words: str
) -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        if addresses:
            raise addresses[0]
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = failure("http://oci.test:80")
    assert (error.kind, error.sent) == ("connect", False)
    assert str(error) == f"OCI could not be reached. {words}".strip()


def test_a_refused_connection_was_not_sent(oci: SimulatorProcess) -> None:
    oci.fault("refuse")
    error = failure(oci.base_url)
    assert (error.kind, error.sent) == ("connect", False)
    assert str(error) == "OCI could not be reached. The connection was refused."


def test_more_threads_than_connections_wait_for_one_until_their_deadline() -> None:
    with RawServer(silence) as server:
        transport = Transport(pool_size=2)
        began = time.monotonic()
        with ThreadPoolExecutor(6) as pool:
            errors = list(
                pool.map(lambda _: failure(server.url, seconds=0.4, transport=transport), range(6))
            )
        assert time.monotonic() - began < 0.4 + 2 * SLACK
    assert sorted(error.kind for error in errors)[-2:] == ["timeout", "timeout"]
    assert all(error.sent is (error.kind == "timeout") for error in errors)

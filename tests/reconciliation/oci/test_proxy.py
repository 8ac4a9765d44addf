"""Calls over a proxy: with the same deadlines, and told apart from an OCI that is away."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from reconciliation.oci.transport import Transport
from tests.reconciliation.oci.raw_server import RawServer, answer, silence
from tests.reconciliation.oci.single_requests import OK, SLACK, failure, send
from tests.reconciliation.oci.test_transport_tls import certificate, tls

__all__ = ["certificate", "tls"]


@dataclass
class Tunnel:
    """A proxy that does nothing but CONNECT, to one place whatever it is asked for."""

    target: tuple[str, int]
    refuses: bool = False
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        self.asked.append(head)
        if self.refuses:
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            sock.close()
            return
        far = socket.create_connection(self.target)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_pump, args=(far, sock), daemon=True).start()
        _pump(sock, far)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def far(tls: ssl.SSLContext) -> Iterator[RawServer]:
    with RawServer(OK, OK, silence, tls=tls) as server:
        yield server


def place_of(server: RawServer) -> tuple[str, int]:
    host, _, port = server.url.rpartition("://")[2].partition(":")
    return host, int(port)


def test_calls_go_through_the_tunnel_and_end_at_their_deadline(
    far: RawServer, certificate: object
) -> None:
    with closing(Tunnel(place_of(far))) as tunnel:
        transport = Transport(pool_size=2, proxy=tunnel.url, ca_file=str(certificate))
        for _ in range(2):
            assert send(far.url, transport=transport).status == 200
        began = time.monotonic()
        error = failure(far.url, seconds=0.5, transport=transport)
        assert time.monotonic() - began < 0.5 + SLACK
        assert (error.kind, error.sent) == ("timeout", True)
    assert len(tunnel.asked) == 1
    assert tunnel.asked[0].startswith(b"CONNECT ")


def test_a_proxy_that_refuses_is_told_as_such(far: RawServer, certificate: object) -> None:
    with closing(Tunnel(place_of(far), refuses=True)) as tunnel:
        transport = Transport(pool_size=2, proxy=tunnel.url, ca_file=str(certificate))
        error = failure(far.url, transport=transport)
    assert (error.kind, error.sent) == ("connect", False)
    assert "COC_OCI_PROXY" in str(error)
    assert tunnel.url not in str(error)


def test_plain_calls_name_the_whole_address() -> None:
    with RawServer(answer({})) as proxy:
        transport = Transport(pool_size=2, proxy=proxy.url)
        assert send("http://oci.invalid/somewhere", transport=transport).status == 200
    assert proxy.asked[0].path == "http://oci.invalid/somewhere"

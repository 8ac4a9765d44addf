"""A connection that is reset, before the answer or in the midst of it, is told as what it is."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.reconciliation.oci.single_requests import failure

HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


@contextmanager
def resetting(first: bytes) -> Iterator[str]:
    """Serve `first` and a reset to each connection; yield the address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listening.accept()
                sock.recv(65536)
                sock.sendall(first)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()

    threading.Thread(target=serve, daemon=True).start()
    with listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("first", [b"", HALF], ids=["before the answer", "in the midst of it"])
def test_a_reset_is_a_connection_that_oci_ended(first: bytes) -> None:
    with resetting(first) as url:
        error = failure(url)
    assert str(error) == "OCI ended the connection before its answer was complete."

"""Stands between client and simulator, passes every byte on, and keeps what passed.

with Relay(oci) as relay:
    client_of(relay.url).cancel_reservation(...)
for exchange in relay.exchanges():
    ... exchange.request, exchange.answer (None when none came whole) ...
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.reconciliation.oci.simulator_process import SimulatorProcess


@dataclass(frozen=True, slots=True)
class Message:
    """One request or answer as it went over the wire; ``start`` is its first line."""

    start: str
    headers: dict[str, str]
    body: bytes

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.start.split(" ")[0]

    @property
    def path(self) -> str:
        """The target of a request."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start.split(" ")[1])


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the answer to it if one came whole."""

    request: Message
    answer: Message | None


@dataclass(slots=True)
class _Connection:
    there: bytearray = field(default_factory=bytearray)
    back: bytearray = field(default_factory=bytearray)


class Relay:
    """Listens on 127.0.0.1 while entered."""

    def __init__(self, oci: SimulatorProcess) -> None:
        self._oci = oci
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[_Connection] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Relay:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def exchanges(self) -> list[Exchange]:
        """Everything that was asked so far, connection by connection."""
        found = []
        for connection in self._connections:
            requests = _messages(bytes(connection.there))
            answers: list[Message | None] = [*_messages(bytes(connection.back))]
            answers += [None] * (len(requests) - len(answers))
            found += [Exchange(*pair) for pair in zip(requests, answers, strict=True)]
        return found

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        address = urlsplit(self._oci.base_url)
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                try:
                    far = socket.create_connection((str(address.hostname), address.port or 80))
                except OSError:
                    near.close()
                    continue
                self._sockets.append(far)
                for sock in (near, far):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection()
                self._connections.append(connection)
                self._start(self._pass_on, near, far, connection.there)
                self._start(self._pass_on, far, near, connection.back)

    def _pass_on(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                kept += piece
                target.sendall(piece)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _messages(raw: bytes) -> list[Message]:
    """Cut a stream into its whole messages; what is left of a last one is dropped."""
    found = []
    while b"\r\n\r\n" in raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name: value.strip() for name, _, value in pairs}
        length = re.search(rb"(?im)^content-length: *(\d+)\r?$", head + b"\r\n")
        size = int(length[1]) if length else 0
        if len(rest) < size:
            break
        found.append(Message(start, headers, rest[:size]))
        raw = rest[size:]
    return found

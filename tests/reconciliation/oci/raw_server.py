"""A server that answers with the very bytes a test wants, and remembers what it was asked.

    with RawServer(b"HTTP/1.1 200 OK\\r\\n...", Silence()) as server:
        ... call server.url ...
        assert server.asked[0].path == "/inventory/..."

The first call gets the first answer, the last answer is repeated. Requests for a token are answered
apart, with ``token-1``, ``token-2`` and so on.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOKEN_PATH = "/dwsso/oauth2/access_token"
Script = Callable[[socket.socket, threading.Event], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and the number of the connection that it came by."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str:
        """The bearer token."""
        return self.headers["authorization"].removeprefix("Bearer ")


def answer(
    body: Any = b"", *, status: int = 200, kind: str = "application/json", **headers: str
) -> bytes:
    """The bytes of a whole answer; what is not bytes becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(raw)}"]
    if kind:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + raw


def close_after(raw: bytes) -> Script:
    """Send bytes and close the connection."""

    def play(sock: socket.socket, _: threading.Event) -> bool:
        sock.sendall(raw)
        return False

    return play


def drip(raw: bytes, *, seconds: float) -> Script:
    """Send a byte at a time, with a pause after each."""

    def play(sock: socket.socket, stopping: threading.Event) -> bool:
        for byte in raw:
            sock.sendall(bytes([byte]))
            if stopping.wait(seconds):
                return False
        return True

    return play


def endless(head: bytes, piece: bytes) -> Script:
    """Send a head and then the same piece for ever, as fast as it is taken."""

    def play(sock: socket.socket, stopping: threading.Event) -> bool:
        sock.sendall(head)
        while not stopping.is_set():
            sock.sendall(piece)
        return False

    return play


def silence(sock: socket.socket, stopping: threading.Event) -> bool:
    """Say nothing until the test ends."""
    stopping.wait(30)
    return False


class RawServer:
    """Listens on 127.0.0.1 while entered, by TLS if it is given a context."""

    def __init__(
        self, *answers: bytes | Script, tls: ssl.SSLContext | None = None, token: bytes = b""
    ) -> None:
        self.asked: list[Asked] = []
        self.tokens_asked: list[Asked] = []
        self._answers = answers
        self._token = token
        self._tls = tls
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> list[int]:
        """By which connection each call came."""
        return [asked.connection for asked in self.asked]

    def __enter__(self) -> RawServer:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                self._start(self._serve, sock, len(self._sockets))

    def _serve(self, sock: socket.socket, connection: int) -> None:
        served = sock
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(20)
            if self._tls:
                # The plain socket stays open, so that the test's end can cut it.
                served = self._tls.wrap_socket(sock.dup(), server_side=True)
            while (asked := _read(served, connection)) is not None:
                if not self._play(served, self._answer_to(asked)):
                    break
        for one in {served, sock}:
            with contextlib.suppress(OSError):
                one.close()

    def _answer_to(self, asked: Asked) -> bytes | Script:
        with self._lock:
            if asked.path == TOKEN_PATH:
                self.tokens_asked.append(asked)
                token = f"token-{len(self.tokens_asked)}"
                return self._token or answer({"access_token": token, "expires_in": 1800})
            self.asked.append(asked)
            return self._answers[min(len(self.asked), len(self._answers)) - 1]

    def _play(self, sock: socket.socket, script: bytes | Script) -> bool:
        if isinstance(script, bytes):
            sock.sendall(script)
            return True
        return script(sock, self._stopping)


def _read(sock: socket.socket, connection: int) -> Asked | None:
    raw = b""
    while b"\r\n\r\n" not in raw or len(raw) < _whole(raw):
        piece = sock.recv(65_536)
        if not piece:
            return None
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    method, path, _ = head.decode("latin-1").split("\r\n")[0].split(" ")
    return Asked(connection, method, path, _headers(head), body)


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value for name, _, value in pairs}


def _whole(raw: bytes) -> int:
    head = raw.partition(b"\r\n\r\n")[0]
    return len(head) + 4 + int(_headers(head).get("content-length", "0"))

"""HTTP by hand: requests that are broken, slow or never whole, over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPResponse

PATIENCE = 30.0


def connect(port: int) -> socket.socket:
    """Return a connection to a port of this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def head(method: str, path: str, **headers: str) -> bytes:
    """Return the head of a request; underscores in names of headers stand for hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_answer(link: socket.socket, method: str = "GET") -> HTTPResponse:
    """Return the next answer with its body read (`answer.text`)."""
    answer = HTTPResponse(link, method=method)
    answer.begin()
    answer.text = answer.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
    return answer


def exchange(port: int, request: bytes) -> tuple[int, str, str]:
    """Send bytes; return status, content type and body, when the server has closed as well."""
    with connect(port) as link:
        with suppress(ConnectionError):
            link.sendall(request)
        answer = read_answer(link)
        assert link.recv(1) == b"", "the connection is still open"
        return (
            answer.status,
            answer.getheader("Content-Type", ""),
            answer.text,  # type: ignore[attr-defined]
        )


@dataclass
class Senders:
    """Connections whose bodies come byte by byte and never end; `links` are all of them."""

    links: list[socket.socket] = field(default_factory=list)
    sent: int = 0

    def are_all_open(self) -> bool:
        """Whether the server has neither answered nor closed any of them."""
        return not any(has_something_to_read(link) for link in self.links)


def has_something_to_read(link: socket.socket) -> bool:
    """Whether an answer, or the end, has come."""
    link.setblocking(False)
    try:
        link.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        link.settimeout(PATIENCE)
    return True


@contextmanager
def dripping(port: int, heads: Sequence[bytes], piece: bytes = b"x") -> Iterator[Senders]:
    """Open a connection for each head, and send `piece` on each of them again and again."""
    senders = Senders()
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.1):
            for link in senders.links:
                with suppress(OSError):
                    link.sendall(piece)
            senders.sent += 1

    with ExitStack() as stack:
        for one in heads:
            senders.links.append(stack.enter_context(connect(port)))
            senders.links[-1].sendall(one)
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield senders
        finally:
            ended.set()
            thread.join()

"""A web server with small limits and a small application, as a thread."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from coc_admin.web_server.limits import Limits
from coc_admin.web_server.server import Server
from tests.raw_http import connect, head, read_answer

LARGE = 40_000_000


class App:
    """Echoes the request; `/wait`, `/large` and `/file` behave as their names say."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen.append(environ)
        body = environ["wsgi.input"].read()
        path = environ["PATH_INFO"]
        if path == "/wait":
            self.waiting.release()
            assert self.may_answer.wait(30)
        large = path in ("/large", "/file")
        answer = b"x" * LARGE if large else f"{path} {len(body)}".encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        if path == "/file":
            return environ["wsgi.file_wrapper"](io.BytesIO(answer))  # type: ignore[no-any-return]
        return [answer]


class Started:
    """A server in a thread of its own."""

    def __init__(self, listener: socket.socket, **limits: Any) -> None:
        self.app = App()
        self.port = int(listener.getsockname()[1])
        self.server = Server(
            self.app, listener, threads=2, limits=Limits(**({"request_seconds": 30} | limits))
        )
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def stop(self) -> None:
        self.app.may_answer.set()
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


Serve = Callable[..., Started]


def is_served(server: Started) -> None:
    with connect(server.port) as link:
        link.sendall(head("GET", "/hello"))
        assert read_answer(link).status == 200

"""A web process and a console process with small applications, over real sockets."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from coc_admin.processes.preflight import take_port
from coc_admin.web_server import handover
from coc_admin.web_server.console import ConsoleServer
from coc_admin.web_server.limits import ForwardingLimits, Limits
from coc_admin.web_server.server import Server
from tests.raw_http import connect, head, read_answer

ORDERS = "/api/v1/sites/shop/orders"


LARGE = 20_000_000


PROBLEM = "application/problem+json"


HTML = "text/html; charset=utf-8"


AGAIN = "Your request was not started"


class Console:
    """Echoes the request; `/wait`, `/file`, `/parts` and `/cut` behave as their names say."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen.append(environ)
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read()
        if path.startswith("/wait"):
            self.waiting.release()
            assert self.may_answer.wait(30)
        if path == "/file":
            start_response("200 OK", [("Content-Length", str(LARGE))])
            return [b"x" * LARGE]
        if path == "/empty":
            start_response("304 Not Modified", [("ETag", '"1"')])
            return []
        if path in ("/parts", "/cut"):
            start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
            return self._parts(path)
        answer = json.dumps(
            {
                "from": "console",
                "method": environ["REQUEST_METHOD"],
                "path": path,
                "query": environ["QUERY_STRING"],
                "address": environ["REMOTE_ADDR"],
                "length": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
            }
        ).encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    def _parts(self, path: str) -> Iterator[bytes]:
        for _ in range(3):
            yield b"part " * 1000
        if path == "/cut":
            raise RuntimeError("the console ends in the middle of an answer")


def takes_orders(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer an order, as the web process does."""
    environ["wsgi.input"].read()
    start_response("201 Created", [("Content-Length", "6")])
    return [b"order\n"]


class Pair:
    """A web process and its console process, as threads. `console` may be missing."""

    def __init__(self, stack: ExitStack, *, has_console: bool = True, **limits: Any) -> None:
        outer, self.inner = handover.pair()
        outer.setblocking(False)
        self.inner.setblocking(False)
        stack.callback(outer.close)
        self.app = Console()
        listener = take_port("127.0.0.1", 0)
        self.port = int(listener.getsockname()[1])
        usual = Limits(request_seconds=30)
        self.web = Server(
            takes_orders,
            listener,
            threads=1,
            limits=usual,
            forward_to=outer,
            forwarding=ForwardingLimits(**({"working": 2, "waiting": 2} | limits)),
        )
        servers: list[Server] = [self.web]
        if has_console:
            servers.append(ConsoleServer(self.app, self.inner, threads=4, limits=usual))
        for server in servers:
            thread = threading.Thread(target=server.run)
            thread.start()
            stack.callback(thread.join, 20)
            stack.callback(server.stop)
        stack.callback(self.app.may_answer.set)

    def get(self, path: str, **headers: str) -> Any:
        with connect(self.port) as link:
            link.sendall(head("GET", path, **headers))
            return read_answer(link)

    def takes_an_order(self) -> None:
        with connect(self.port) as link:
            link.sendall(head("POST", ORDERS, Content_Length="0"))
            assert read_answer(link).status == 201


Start = Callable[..., Pair]

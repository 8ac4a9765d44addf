"""A receiver of webhooks over real HTTP: it keeps what it gets and answers what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Where it listens, what came, and the status of the next answers."""

    url: str = ""
    status: int = 200
    got: list[Received] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.receiver.got.append(Received(self.path, dict(self.headers), body))
        self.send_response(self.receiver.status)
        if 300 <= self.receiver.status < 400:
            self.send_header("Location", f"{self.receiver.url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep the test's output clean."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # All who deliver at once get through, before this process has taken the first of them.
    request_queue_size = 64


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Return a receiver on this machine, to which webhooks may be sent."""
    settings.COC_WEBHOOKS_LOCAL = True
    made = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": made})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()

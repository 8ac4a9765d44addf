"""HTTP/1.1 over sockets: a thread per connection, and ports that can close and open again."""

from __future__ import annotations

import contextlib
import http.server
import select
import selectors
import socket
import struct
import sys
import threading
import time
import traceback
from http import HTTPStatus
from typing import Any

from . import bodies, control
from .answers import PROBLEM, Answer, json_answer, oci_problem
from .api import route
from .documents import Refused
from .misbehave import Outcome, handle
from .simulator import Simulator

TICK = 0.02
MAX_API_BODY = 2_000_000
MAX_CONTROL_BODY = 64_000_000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True
    # Called only when a connection is waiting.
    timeout = 0

    def __init__(self, sock: socket.socket, simulator: Simulator) -> None:
        super().__init__(sock.getsockname()[:2], Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.simulator = simulator
        self.connections: set[socket.socket] = set()
        self.guard = threading.Lock()
        self._stop, self._stopper = socket.socketpair()

    def run(self) -> None:
        """Accept connections until `end`. Uses no CPU while there are none."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while self._stop not in [key.fileobj for key, _ in selector.select()]:
                self.handle_request()

    def end(self) -> None:
        """Make `run` return at once."""
        self._stopper.close()

    def close_sockets(self) -> None:
        """Stop listening; open connections stay."""
        self.socket.close()
        self._stop.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.guard:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.guard:
            self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError | ValueError):
            super().handle_error(request, client_address)

    def break_connections(self, keep: socket.socket | None) -> None:
        """Cut all open connections but one."""
        with self.guard:
            others = [sock for sock in self.connections if sock is not keep]
        for sock in others:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Port:
    """One port that can stop listening, so that connections are refused, and start again."""

    def __init__(self, host: str, port: int, simulator: Simulator) -> None:
        self._simulator = simulator
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._spare = _bound(host, port)
        self.host, self.number = self._spare.getsockname()[:2]

    @property
    def listening(self) -> bool:
        """Whether connects are accepted."""
        return self._server is not None

    def open(self) -> None:
        """Listen; does nothing if the port already listens."""
        with self._lock:
            if self._server is not None:
                return
            server = _Server(self._spare, self._simulator)
            server.server_activate()
            self._thread = threading.Thread(
                target=server.run, name=f"port-{self.number}", daemon=True
            )
            self._thread.start()
            self._server = server

    def close(self, keep: socket.socket | None = None) -> None:
        """Stop listening and cut the connections, but keep the port reserved."""
        with self._lock:
            server, thread = self._server, self._thread
            if server is None or thread is None:
                return
            server.end()
            thread.join()
            server.close_sockets()
            self._server = None
            # Bound but not listening: no other process gets the port, and connections are refused.
            self._spare = _bound(self.host, self.number, patience=5)
            server.break_connections(keep)


def _bound(host: str, port: int, patience: float = 0) -> socket.socket:
    end = time.monotonic() + patience
    while True:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            sock.close()
            if time.monotonic() >= end:
                raise
            time.sleep(TICK)
        else:
            return sock


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300
    server: _Server
    connection: socket.socket

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the request log is the record."""

    def _serve(self) -> None:
        is_control = self.path == "/_sim" or self.path.startswith(("/_sim/", "/_sim?"))
        raw = self._body(MAX_CONTROL_BODY if is_control else MAX_API_BODY)
        if raw is None:
            return
        if is_control:
            self._serve_control(raw)
            return
        call = route(self.command, self.path)
        if call is None:
            missing = Refused(404, "ResourceNotFound", "The API has nothing there")
            self._note("unknown", Outcome(oci_problem(missing)))
            return
        try:
            outcome = handle(
                self.server.simulator, call, self._named(), raw, client_gone=self._client_gone
            )
        except Exception:
            # A caller must not take a fault of the simulator for a lost connection.
            traceback.print_exc()
            fault = Refused(500, "Unknown", "The simulator has a fault of its own")
            outcome = Outcome(oci_problem(fault))
        self._note(call.operation, outcome)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _serve_control(self, raw: bytes) -> None:
        simulator = self.server.simulator
        request = control.Request(
            self.command, self.path, self._named(), raw, str(self.client_address[0])
        )
        answer = control.answer(simulator, request)
        simulator.listening_changed(self.connection)
        if not simulator.is_listening():
            self.close_connection = True
        self._send(answer)

    def _named(self) -> dict[str, str]:
        return {name.title(): value for name, value in self.headers.items()}

    def _body(self, most: int) -> bytes | None:
        try:
            raw = bodies.read(self.rfile, self.headers, most=most)
        except bodies.BodyRefused as refused:
            self._reject(refused.status, str(refused))
            return None
        self.close_connection = self.close_connection or raw is None
        return raw

    def _reject(self, status: int, text: str) -> None:
        self.close_connection = True
        body = {"type": "about:blank", "title": text}
        self._send(json_answer(status, body, content_type=PROBLEM))

    def _note(self, operation: str, outcome: Outcome) -> None:
        # Logged before it is sent, so a caller that has the answer finds it in the log.
        path = self.path.partition("?")[0]
        self.server.simulator.log.add(
            method=self.command,
            path=path,
            operation=operation,
            status=outcome.answer.status if outcome.answer and outcome.arrives else 0,
            committed=outcome.committed,
            dropped=not outcome.arrives,
            fault=outcome.fault,
        )
        self._deliver(outcome)

    def _deliver(self, outcome: Outcome) -> None:
        answer = outcome.answer
        if outcome.delivery == "send" and answer is not None:
            self._send(answer)
            return
        self.close_connection = True
        if outcome.delivery == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        elif outcome.delivery == "hang":
            outcome.pause()
        elif outcome.delivery == "cut" and answer is not None:
            head = self._head(answer)
            cut = len(head) + len(answer.body) // 2 if answer.body else len(head) // 2
            self.wfile.write((head + answer.body)[:cut])
        elif outcome.delivery == "drip" and answer is not None:
            for byte in self._head(answer) + answer.body:
                self.wfile.write(bytes([byte]))
                outcome.pause()
        if outcome.delivery == "reset":
            # The server's normal close shuts the connection down cleanly first.
            self.connection.close()

    def _head(self, answer: Answer) -> bytes:
        lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
        lines.append(f"Date: {self.date_time_string()}")
        if answer.content_type:
            lines.append(f"Content-Type: {answer.content_type}")
        if answer.status not in (204, 304):
            lines.append(f"Content-Length: {len(answer.body)}")
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _send(self, answer: Answer) -> None:
        body = b"" if self.command == "HEAD" else answer.body
        self.wfile.write(self._head(answer) + body)

    def _client_gone(self) -> bool:
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class Servers:
    """The API port, which a fault may close, and the control port, which stays open."""

    def __init__(self, simulator: Simulator, *, host: str, port: int, control_port: int) -> None:
        self.simulator = simulator
        self.api = Port(host, port, simulator)
        self.control = Port(host, control_port, simulator)
        self._lock = threading.Lock()
        simulator.api_port, simulator.control_port = self.api.number, self.control.number
        simulator.listening_changed = self.keep_in_line
        simulator.is_listening = lambda: self.api.listening

    def start(self) -> None:
        """Open both ports."""
        self.control.open()
        self.api.open()

    def keep_in_line(self, keep: socket.socket | None = None) -> None:
        """Close or open the API port according to the faults; ``keep`` is not cut."""
        with self._lock:
            if self.simulator.faults.refusing():
                self.api.close(keep)
            elif not self.simulator.stopping.is_set():
                self.api.open()

    def stop(self) -> None:
        """Close both ports and cut open connections."""
        self.simulator.stopping.set()
        with self._lock:
            self.api.close()
            self.control.close()

"""Forwards requests to the console process, and returns its answers.

All of it runs in the web process's loop without a thread, so neither a slow page nor a slow reader
delays an order. A request waits here until one of the console's threads is free for it, so none is
carried out after its sender was told to try again.
"""

from __future__ import annotations

import socket
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

from waitress import wasyncore
from waitress.channel import ClientDisconnected
from waitress.task import Task
from waitress.utilities import Error

from coc_admin.web_server import handover
from coc_admin.web_server.answers import ConsoleAway, ConsoleBusy, ConsoleFailed, ConsoleSlow
from coc_admin.web_server.console_answer import AnswerReader, BrokenAnswer
from coc_admin.web_server.contact import contact
from coc_admin.web_server.limits import ForwardingLimits

_PIECE = 64 * 1024
# Without requests, the console process is probed this often.
_PROBE_SECONDS = 2.0
# About one connection, and never forwarded (RFC 9110, 7.6.1). A length is set again; a peer that
# expected to be asked for the body has been asked.
_OWN = frozenset(
    (
        *("CONNECTION", "KEEP_ALIVE", "PROXY_CONNECTION", "TE", "TRAILER", "TRANSFER_ENCODING"),
        *("UPGRADE", "EXPECT", "CONTENT_LENGTH"),
    )
)


class Forwarder:
    """The requests of one web process for the console process."""

    def __init__(self, console: socket.socket, limits: ForwardingLimits, sockets: Any) -> None:
        self.limits = limits
        self.sockets = sockets
        self._console = console
        # Other threads add to it.
        self._arrived: deque[Any] = deque()
        self._waiting: deque[tuple[float, Any]] = deque()
        self._open: set[_Link] = set()

    def take(self, channel: Any) -> None:
        """Take over the first request of `channel`; call `turn` soon."""
        self._arrived.append(channel)

    def turn(self) -> None:
        """Forward requests while there is room, and refuse those beyond the queue."""
        while self._arrived:
            channel = self._arrived.popleft()
            if len(self._waiting) < self.limits.waiting:
                self._waiting.append((time.monotonic(), channel))
            else:
                channel.fail(ConsoleBusy())
        while self._waiting and self._working() < self.limits.working:
            _, channel = self._waiting.popleft()
            if channel.connected:
                self._start(channel)
            else:
                channel.fail(ConsoleBusy())

    def look_after(self, now: float) -> None:
        """Cancel requests that take too long, and probe the console process."""
        while self._waiting and now - self._waiting[0][0] > self.limits.waiting_seconds:
            self._waiting.popleft()[1].fail(ConsoleBusy())
        for link in list(self._open):
            link.look_after(now)
        if now - contact.asked_at >= _PROBE_SECONDS:
            with suppress(OSError):
                contact.asked_at = now
                _Probe(self, handover.open_connection(self._console, ("", 0)))

    def close(self) -> None:
        """Cancel everything at once."""
        for link in list(self._open):
            link.close()

    def forget(self, link: _Link) -> None:
        """Remove a link that has ended."""
        self._open.discard(link)

    def remember(self, link: _Link) -> None:
        """Add a link that has begun."""
        self._open.add(link)

    def _working(self) -> int:
        return sum(link.is_working for link in self._open)

    def _start(self, channel: Any) -> None:
        contact.asked_at = time.monotonic()
        try:
            connection = handover.open_connection(self._console, channel.addr)
        except OSError:
            channel.fail(ConsoleAway())
            return
        _Forward(self, connection, channel)


class _Link(wasyncore.dispatcher):
    """A connection to the console process, from its greeting on."""

    def __init__(self, forwarder: Forwarder, connection: socket.socket) -> None:
        self.forwarder = forwarder
        self.greeted = False
        # when its current wait began
        self.since = time.monotonic()
        super().__init__(connection, map=forwarder.sockets)
        forwarder.remember(self)

    @property
    def is_working(self) -> bool:
        """Whether it occupies one of the console process's threads."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether the connection is closed."""
        return self._fileno is None

    def close(self) -> None:
        """Close the connection. Safe to call again."""
        if not self.is_over:
            super().close()
        self.forwarder.forget(self)

    def readable(self) -> bool:
        """Whether to wait for more data."""
        return True

    def writable(self) -> bool:
        """Whether to wait until data can be sent."""
        return False

    def handle_close(self) -> None:
        """Do nothing: received data is read first, then the end."""

    def handle_expt(self) -> None:
        """Do nothing: sockets of this kind have no urgent data."""

    def handle_error(self) -> None:
        """Give up after an error of our own."""
        self.logger.error("Cannot forward a request.", exc_info=sys.exc_info())
        self.failed(ConsoleFailed())

    def handle_read(self) -> None:
        """Read received data."""
        try:
            data = self.socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.since = time.monotonic()
        if data and not self.greeted:
            self.greeted = True
            contact.heard_at = self.since
            self.begin()
            data = data[len(handover.GREETING) :]
            if not data:
                return
        self.received(data)

    def look_after(self, now: float) -> None:
        """Give up if the console process does not accept the connection."""
        if not self.greeted and now - self.since > self.forwarder.limits.greeting_seconds:
            self.failed(ConsoleAway())

    def begin(self) -> None:
        """Start after the greeting."""

    def received(self, data: bytes) -> None:
        """Process data after the greeting; empty data means the end."""

    def failed(self, error: Error) -> None:
        """Give up."""
        self.close()


class _Probe(_Link):
    """Checks whether the console process is reachable."""

    def begin(self) -> None:
        """Disconnect again."""
        self.close()

    def received(self, data: bytes) -> None:
        """Disconnect: it has ended, or the greeting was too long."""
        self.close()


class _Forward(_Link):
    """One request to the console process, and its answer on the way back."""

    def __init__(self, forwarder: Forwarder, connection: socket.socket, channel: Any) -> None:
        self._channel = channel
        self._request = channel.requests[0]
        self._unsent = b""
        self._body: Any = None
        self._answer = AnswerReader(method=self._request.command)
        self._task: _Forwarded | None = None
        super().__init__(forwarder, connection)

    @property
    def is_working(self) -> bool:
        """Whether the answer has yet to begin; a slow reader does not count."""
        return not self._answer.has_head

    def begin(self) -> None:
        """Send the request."""
        self._body = self._request.get_body_stream()
        self._unsent = _head_of(self._request)

    def readable(self) -> bool:
        """Whether to wait for more of the answer; not while its reader is behind."""
        behind: int = self._channel.total_outbufs_len
        return behind < self.forwarder.limits.ahead_bytes

    def writable(self) -> bool:
        """Whether there is more of the request to send."""
        return bool(self._unsent)

    def handle_write(self) -> None:
        """Send as much of the request as possible."""
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            # The answer began before all was sent, or the other side has closed.
            self._unsent = b""
            return
        self.since = time.monotonic()
        self._unsent = self._unsent[sent:] or self._body.read(_PIECE)

    def received(self, data: bytes) -> None:
        """Forward received data."""
        try:
            if data:
                body = self._answer.feed(data)
            else:
                body = b""
                self._answer.end()
        except (BrokenAnswer, ValueError):
            self.failed(ConsoleFailed() if self.greeted else ConsoleAway())
            return
        try:
            self._pass_on(body)
        except ClientDisconnected:
            self.failed(ConsoleFailed())
            return
        if self._answer.is_complete:
            self._complete()

    def look_after(self, now: float) -> None:
        """Give up if the answer, or more of it, does not arrive."""
        super().look_after(now)
        if not self.greeted or self.is_over:
            return
        if not self.readable():
            self.since = now
        elif now - self.since > self.forwarder.limits.answer_seconds:
            self.failed(ConsoleSlow())

    def failed(self, error: Error) -> None:
        """Refuse the request or, if its answer has begun, cut the answer off."""
        if self.is_over:
            return
        self.close()
        if self._task is None:
            self._channel.fail(error)
        else:
            self._task.close_on_finish = True
            self._channel.finish(self._task)

    def _pass_on(self, body: bytes) -> None:
        if not self._channel.connected:
            raise ClientDisconnected
        if self._task is None and self._answer.has_head:
            self._task = _Forwarded(self._channel, self._request, self._answer)
        if self._task is not None and body:
            self._task.write(body)

    def _complete(self) -> None:
        self.close()
        assert self._task is not None  # noqa: S101 - a complete answer has a head
        with suppress(ClientDisconnected):
            self._task.complete_answer()
        self._channel.finish(self._task)


class _Forwarded(Task):
    """An answer of the console process, in the form for the client."""

    complete = True

    def __init__(self, channel: Any, request: Any, answer: AnswerReader) -> None:
        super().__init__(channel, request)
        self.status = answer.status
        self.content_length = answer.length
        self.response_headers = answer.headers
        self.start()

    def complete_answer(self) -> None:
        """Write the rest after the body has been written."""
        if self.request.command == "HEAD":
            self.write(b"")
            # without a body there is no end of one
            self.chunked_response = False
        self.finish()

    def service(self) -> None:
        """Do nothing: everything has been written."""


def _head_of(request: Any) -> bytes:
    """Return request line and headers for the console process."""
    lines = [f"{request.command} {request.request_uri} HTTP/1.1", "Connection: close"]
    lines += [
        f"{name.replace('_', '-')}: {value}"
        for name, value in request.headers.items()
        if name not in _OWN
    ]
    if request.body_rcv is not None:
        lines.append(f"Content-Length: {request.body_rcv.__len__()}")
    elif "CONTENT_LENGTH" in request.headers:
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

"""One connection: its age, and its refusal."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import Task, WSGITask
from waitress.utilities import Error

from coc_admin.web_server.answers import Refusal
from coc_admin.web_server.parser import Parser

# Independent of the load of the process and of its database.
_ALIVE = "/healthz"
# Bytes of a body that are copied behind the head of their answer.
_SENT_TOGETHER = 64 * 1024


class Answering(WSGITask):
    """Sends the head of an answer with the first part of its body: one call, and one packet."""

    def build_response_header(self) -> bytes:
        """Keep the head for the first part of the body, and return nothing to send now."""
        self.channel.head = super().build_response_header()
        return b""

    def finish(self) -> None:
        """Send the rest: of an answer without a body, its head."""
        super().finish()
        self.channel.send_head()


class Channel(HTTPChannel):
    """A connection that can be refused, and measured against the limits.

    All methods except `service` and `task_class` run in the loop's thread; these two also run there
    if no thread of the pool is needed.
    """

    parser_class = Parser
    error_task_class = Refusal
    # the request being received
    request: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # when the connection was opened, its request began, or its last answer was made
        self.since = time.monotonic()
        self._timed: HTTPRequestParser | None = None
        self._refused = False
        self._drained: int | None = None
        self._answered: Task | None = None
        # of the answer that is being made, as long as none of it is sent
        self.head = b""
        super().__init__(*arguments, **options)

    def received(self, data: bytes) -> bool:
        """Read received data; record when a request begins."""
        taken: bool = super().received(data)
        if self.request is not self._timed:
            self._timed = self.request
            self.since = time.monotonic()
        return taken

    def task_class(self, channel: Channel, request: Any) -> Task:
        """Return the task for a request: the application, unless an answer already exists."""
        answered, self._answered = self._answered, None
        return answered if answered is not None else Answering(channel, request)

    def write_soon(self, data: Any) -> int:
        """Send `data`, bytes or an open file, behind the head of its answer."""
        if not data:
            return 0
        if self.head and isinstance(data, bytes) and len(data) <= _SENT_TOGETHER:
            data, self.head = self.head + data, b""
        else:
            self.send_head()
        return int(super().write_soon(data))

    def send_head(self) -> None:
        """Send the head of the answer unless it has been sent."""
        head, self.head = self.head, b""
        super().write_soon(head)

    def finish(self, answered: Task) -> None:
        """Finish the first request, answered by `answered`, in the loop."""
        self._answered = answered
        self._serve()

    def fail(self, error: Error) -> None:
        """Answer the first, complete request with `error` in the loop and close."""
        self.requests[0].error = error
        self._serve()

    def service(self) -> None:
        """Answer one request, in a thread of the pool."""
        says_nothing_of_the_pool = self.asks_whether_alive
        self._serve()
        # Answers made in the loop, and probe answers, do not show that the pool works.
        if not says_nothing_of_the_pool:
            self.server.note_answer()

    def _serve(self) -> None:
        if self.requests[0].error:
            self._refused = True
        super().service()
        self.since = time.monotonic()

    @property
    def asks_whether_alive(self) -> bool:
        """Whether the first request goes to the separate thread that nothing can block."""
        return getattr(self.requests[0], "path", "") == _ALIVE

    @property
    def is_receiving(self) -> bool:
        """Whether a request has begun and is incomplete."""
        return self.request is not None

    @property
    def is_draining(self) -> bool:
        """Whether a refusal has been sent and further data is dropped."""
        return self._drained is not None

    def body_bytes(self) -> int:
        """Return the bytes of bodies stored for this connection."""
        with self.requests_lock:
            kept = [*self.requests, *([self.request] if self.request is not None else [])]
            return sum(request.body_bytes_received for request in kept)

    def refuse(self, error: Error) -> None:
        """Answer the incomplete request with `error` and close the connection."""
        with self.requests_lock:
            request = self.request
            if request is None or self.will_close or self.close_when_flushed:
                return
            request.error = error
            request.completed = True
            request.expect_continue = False
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)

    def readable(self) -> bool:
        """Whether to wait for more data."""
        return self.is_draining or bool(super().readable())

    def writable(self) -> bool:
        """Whether to wait until data can be sent."""
        return not self.is_draining and bool(super().writable())

    def handle_write(self) -> None:
        """Send pending data. After a refusal, keep reading instead of closing.

        Closing a connection while the peer still sends resets it, and the reset may overtake the
        answer (RFC 9112, 9.6).
        """
        if not (self._refused and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.will_close and not self.total_outbufs_len:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            self._drained = 0
            self.since = time.monotonic()

    def _flush_some_if_lockable(self, do_close: bool = True) -> None:
        """Send pending data of a running request, unless its thread is sending."""
        if not self.outbuf_lock.acquire(blocking=False):
            self.server.give_way()
            return
        try:
            super()._flush_some_if_lockable(do_close)
        finally:
            self.outbuf_lock.release()

    def handle_expt(self) -> None:
        """Close: urgent data has no meaning here, and would wake the loop for ever."""
        self.handle_close()

    def handle_read(self) -> None:
        """Read received data, or drop it after a refusal."""
        if self._drained is None:
            super().handle_read()
            return
        try:
            data = self.recv(self.adj.recv_bytes)
        except OSError:
            self.handle_close()
            return
        self._drained += len(data)
        if self._drained > self.server.limits.drain_bytes:
            self.handle_close()

"""The loop of one web process: accepts and monitors connections, and stops gracefully."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from coc_admin.web_server.answers import RequestTimeout, TooBusy
from coc_admin.web_server.channel import Channel
from coc_admin.web_server.limits import ForwardingLimits, Limits
from coc_admin.web_server.order_paths import takes_orders
from coc_admin.web_server.proxy import Forwarder
from coc_admin.web_server.threads import Threads
from reconciliation import liveness

Application = Callable[..., Iterable[bytes]]

# Seconds between two checks of the clock.
_PAUSE = 1.0
# How long the loop leaves the interpreter to a thread that is sending.
WAY_SECONDS = 0.001
# A thread that waits for SQLite's write lock gives up after 30 s, a call to OCI much earlier. If no
# thread answers in three times that, they hang.
POOL_SECONDS = 90.0


class Server(TcpWSGIServer):
    """Serves `application` on a bound socket, with `threads` requests in progress at a time.

    With `forward_to`, an end of `handover.pair`, only order requests are answered here.
    """

    channel_class = Channel

    def __init__(
        self,
        application: Application,
        listener: socket.socket,
        *,
        threads: int,
        limits: Limits,
        forward_to: socket.socket | None = None,
        forwarding: ForwardingLimits | None = None,
    ) -> None:
        self.limits = limits
        self._stopping = self._gives_way = False
        self.turns = 0
        self._answers = itertools.count(1)
        self._answered = 0
        self._looked_at = 0.0
        self._loop = 0
        self._forwarder: Forwarder | None = None
        super().__init__(
            without_body_of_head(application),
            {},
            _sock=listener,
            dispatcher=Threads(threads),
            adj=_adjustments(threads, limits),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        if forward_to is not None and forwarding is not None:
            self._forwarder = Forwarder(forward_to, forwarding, self._map)

    @property
    def channels(self) -> list[Channel]:
        """Return the open connections."""
        return list(self.active_channels.values())

    def add_task(self, channel: Channel) -> None:
        """Queue the first request of `channel`, for a thread here or for the console process."""
        request = channel.requests[0]
        if self._forwarder is None or request.error or takes_orders(request.command, request.path):
            super().add_task(channel)
            return
        self._forwarder.take(channel)
        if threading.get_ident() != self._loop:
            self.pull_trigger()

    def run(self) -> None:
        """Serve until `stop` is called, and return when all answers are finished."""
        self._loop = threading.get_ident()
        while not self._stopping:
            self._turn()
        # Other processes share the socket, so closing it here ends only our share.
        wasyncore.dispatcher.close(self)
        deadline = time.monotonic() + self.limits.stop_seconds
        while time.monotonic() < deadline and any(map(_is_at_work, self.channels)):
            for channel in self.channels:
                if not _is_at_work(channel):
                    channel.handle_close()
            self._turn(0.05)
        for channel in self.channels:
            channel.handle_close()
        if self._forwarder is not None:
            self._forwarder.close()

    def stop(self) -> None:
        """Make `run` return soon. Signal handlers may call this."""
        self._stopping = True
        self.pull_trigger()

    def show_progress(self, *, loop_seconds: float) -> None:
        """Report to the supervisor whether the loop, or all threads of the pool, are stuck."""
        liveness.watch("the loop", lambda: self.turns, patience=loop_seconds)
        liveness.watch("all threads", self.pool_mark, patience=POOL_SECONDS)

    def pool_mark(self) -> int | None:
        """Return a number that changes with each answer; None if no request waits for a thread."""
        return self._answered if self.task_dispatcher.queue else None

    def give_way(self) -> None:
        """Let the loop pause after this turn, because a thread is sending what it would send.

        The peer can take more, so the loop would turn again at once, thousands of times a second.
        Each turn takes the interpreter's lock before the thread that needs it to finish gets it.
        """
        self._gives_way = True

    def note_answer(self) -> None:
        """Count an answer of a pool thread. Any thread may call it."""
        self._answered = next(self._answers)

    def maintenance(self, now: float) -> None:
        """Do nothing: connections are monitored between two waits, when they may be closed."""

    def _turn(self, pause: float = _PAUSE) -> None:
        self.turns += 1
        wasyncore.loop(timeout=pause, use_poll=True, map=self._map, count=1)
        if self._gives_way:
            self._gives_way = False
            time.sleep(WAY_SECONDS)
        now = time.monotonic()
        if self._forwarder is not None:
            self._forwarder.turn()
        if len(self.active_channels) > self.limits.connections:
            self._close_the_stalest()
        if now - self._looked_at >= _PAUSE:
            self._looked_at = now
            self._look_after(now)

    def _look_after(self, now: float) -> None:
        """Refuse requests over their limits, and close idle connections."""
        silent_since = time.time() - self.limits.silent_seconds
        for channel in self.channels:
            lasted = now - channel.since
            if channel.is_draining:
                if lasted > self.limits.drain_seconds:
                    channel.handle_close()
            elif channel.is_receiving and lasted > self.limits.request_seconds:
                channel.refuse(
                    RequestTimeout(
                        f"The request did not come within {self.limits.request_seconds:g} seconds."
                    )
                )
            elif channel.last_activity < silent_since and _waits_for_its_peer(channel):
                channel.handle_close()
        self._keep_bodies_within_bounds()
        if self._forwarder is not None:
            self._forwarder.look_after(now)

    def _keep_bodies_within_bounds(self) -> None:
        kept = {channel: channel.body_bytes() for channel in self.channels}
        total = sum(kept.values())
        for channel in sorted(kept, key=lambda channel: channel.since):
            if total <= self.limits.all_body_bytes:
                return
            if channel.is_receiving and kept[channel]:
                channel.refuse(TooBusy("Too much is being sent at once; try again."))
                total -= kept[channel]

    def _close_the_stalest(self) -> None:
        """Close the connection without progress for the longest time that no thread works for."""
        waiting = [channel for channel in self.channels if not channel.requests]
        if waiting:
            min(waiting, key=lambda channel: channel.since).handle_close()


def without_body_of_head(application: Application) -> Application:
    """Return `application` without bodies in answers to HEAD, which Django leaves to the server."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = application(environ, start_response)
        if environ["REQUEST_METHOD"] != "HEAD":
            return body
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return []

    return answer


def _waits_for_its_peer(channel: Channel) -> bool:
    # With a request in progress and nothing to send, it waits for us.
    return not channel.requests or bool(channel.total_outbufs_len)


def _is_at_work(channel: Channel) -> bool:
    return bool(channel.requests or channel.total_outbufs_len)


def _adjustments(threads: int, limits: Limits) -> Adjustments:
    return Adjustments(
        threads=threads,
        # Never reached: it also counts the listening socket and the trigger, and we close a
        # connection after accepting one too many, where waitress would stop accepting.
        connection_limit=limits.connections + 10,
        max_request_header_size=limits.header_bytes,
        max_request_body_size=limits.body_bytes,
        inbuf_overflow=limits.body_memory_bytes,
        outbuf_overflow=limits.answer_memory_bytes,
        outbuf_high_watermark=limits.answer_bytes,
        # more connections than select() can watch
        asyncore_use_poll=True,
        # Answers contain no server name, and proxy headers reach Django unchanged: the settings
        # decide which to trust.
        ident=None,
        clear_untrusted_proxy_headers=False,
        log_socket_errors=False,
    )

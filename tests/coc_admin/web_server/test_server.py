"""The web server with small limits and a small application, over real sockets."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from coc_admin.processes.preflight import take_port
from coc_admin.web_server.channel import Channel
from coc_admin.web_server.limits import Limits
from coc_admin.web_server.server import WAY_SECONDS, Server
from tests.processes.product import wait_for
from tests.raw_http import connect, dripping, exchange, has_something_to_read, head, read_answer

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


Start = Callable[..., Started]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(**limits: Any) -> Started:
            one = Started(take_port("127.0.0.1", 0), **limits)
            stack.callback(one.stop)
            return one

        yield begin


def is_served(server: Started) -> None:
    with connect(server.port) as link:
        link.sendall(head("GET", "/hello"))
        assert read_answer(link).status == 200


def test_head_and_body_of_a_short_answer_are_sent_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    real = Channel.send

    def send(channel: Channel, data: bytes, do_close: bool = True) -> int:
        sent.append(bytes(data))
        return int(real(channel, data, do_close=do_close))

    monkeypatch.setattr(Channel, "send", send)
    is_served(start())
    (answer,) = sent
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n/hello 0")


# --- progress -------------------------------------------------------------------------------------


def test_a_pool_stands_still_while_a_request_waits_and_no_thread_answers(start: Start) -> None:
    server = start()
    marks: list[int | None] = []
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server.port)) for _ in range(3)]
        for _ in range(2):
            # Two threads at work and nobody who waits: nothing has to move.
            for link in links[:2]:
                link.sendall(head("GET", "/wait"))
                assert server.app.waiting.acquire(timeout=20)
            assert server.server.pool_mark() is None

            links[2].sendall(head("GET", "/hello"))
            wait_for(lambda: server.server.pool_mark() is not None, "a request to wait")
            marks.append(server.server.pool_mark())
            assert server.server.pool_mark() == marks[-1]

            server.app.may_answer.set()
            assert [read_answer(link).status for link in links] == [200, 200, 200]
            assert server.server.pool_mark() is None
            server.app.may_answer.clear()
    # The answers in between have moved it.
    assert marks[0] != marks[1]


def test_it_says_that_it_is_alive_while_every_thread_is_at_work(start: Start) -> None:
    server = start()
    with connect(server.port) as one, connect(server.port) as two, connect(server.port) as third:
        for link in (one, two, third):
            link.sendall(head("GET", "/wait"))
        assert server.app.waiting.acquire(timeout=20)
        assert server.app.waiting.acquire(timeout=20)
        wait_for(lambda: server.server.pool_mark() is not None, "a request to wait")
        mark = server.server.pool_mark()

        with connect(server.port) as another:
            for _ in range(3):
                another.sendall(head("GET", "/healthz?from=balancer"))
                assert read_answer(another).status == 200
        # Which is no sign that the pool moves.
        assert server.server.pool_mark() == mark
        server.app.may_answer.set()
        assert [read_answer(link).status for link in (one, two, third)] == [200] * 3


def test_the_loop_leaves_the_interpreter_to_a_thread_that_is_sending(start: Start) -> None:
    """The peer can take more all the time, so that without a pause the loop would never rest."""
    server = start()
    with connect(server.port) as link:
        link.sendall(head("GET", "/wait"))
        assert server.app.waiting.acquire(timeout=20)
        (channel,) = server.server.channels
        with channel.outbuf_lock:
            channel.total_outbufs_len += 1
            server.server.pull_trigger()
            turns, began = server.server.turns, time.monotonic()
            wait_for(lambda: server.server.turns > turns + 20, "the loop to turn")
            turns, most = server.server.turns - turns, (time.monotonic() - began) / WAY_SECONDS
            channel.total_outbufs_len -= 1
        # A turn each pause at the most, but for the one that was under way.
        assert turns <= most + 1
        server.app.may_answer.set()
        assert read_answer(link).status == 200


# --- limits ---------------------------------------------------------------------------------------


def test_one_connection_too_many_closes_the_one_that_waits_for_longest(start: Start) -> None:
    server = start(connections=5)
    heads = [head("POST", "/hello", Content_Length="1000")] * 5
    with dripping(server.port, heads) as senders:
        wait_for(lambda: senders.sent > 1, "the bodies to begin")
        is_served(server)
        wait_for(lambda: has_something_to_read(senders.links[0]), "the first to be closed")
        assert not any(has_something_to_read(link) for link in senders.links[1:])


def test_a_connection_whose_request_is_at_work_is_not_closed_for_another(start: Start) -> None:
    server = start(connections=1)
    with connect(server.port) as link:
        link.sendall(head("GET", "/wait"))
        assert server.app.waiting.acquire(timeout=20)
        with connect(server.port) as another:
            another.sendall(head("GET", "/hello"))
            server.app.may_answer.set()
            assert read_answer(link).status == 200


def test_a_connection_on_which_nothing_happens_is_closed(start: Start) -> None:
    server = start(silent_seconds=0.5)
    with connect(server.port) as fresh, connect(server.port) as used:
        used.sendall(head("GET", "/hello"))
        assert read_answer(used).status == 200
        assert fresh.recv(1) == b""
        assert used.recv(1) == b""


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_readers_that_take_nothing_hold_no_thread(start: Start, path: str) -> None:
    server = start()
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server.port)) for _ in range(6)]
        for link in links:
            link.sendall(head("GET", path))
        wait_for(lambda: len(server.app.seen) == 6, "all of them to be answered")
        is_served(server)
        assert len(read_answer(links[0]).text) == LARGE  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_readers_that_take_nothing_are_cut_off(start: Start, path: str) -> None:
    server = start(silent_seconds=1, answer_bytes=1_000_000)
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server.port)) for _ in range(6)]
        for link in links:
            link.sendall(head("GET", path))
        # Above `answer_bytes` each holds a thread, until it is found out.
        wait_for(lambda: len(server.app.seen) == 6, "all of them to be answered")
        wait_for(lambda: not server.server.channels, "all of them to be closed")
    is_served(server)


def test_a_large_answer_is_sent_whole(start: Start) -> None:
    server = start(answer_bytes=1_000_000)
    with connect(server.port) as link:
        link.sendall(head("GET", "/large"))
        assert len(read_answer(link).text) == LARGE  # type: ignore[attr-defined]


def test_bodies_have_a_bound_together(start: Start) -> None:
    server = start(all_body_bytes=300_000)
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server.port)) for _ in range(5)]
        for link in links:
            link.sendall(head("POST", "/api/v1/hello", Content_Length="200000") + b"x" * 100_000)
        answers = [read_answer(link) for link in links[:2]]
        assert [answer.status for answer in answers] == [503, 503]
        assert {answer.getheader("Content-Type") for answer in answers} == {
            "application/problem+json"
        }
        assert answers[0].getheader("Retry-After") == "5"
        for link in links[2:]:
            link.sendall(b"x" * 100_000)
            assert read_answer(link).text == "/api/v1/hello 200000"  # type: ignore[attr-defined]


def test_a_large_body_is_kept_in_a_file(start: Start) -> None:
    server = start(body_memory_bytes=1000)
    with connect(server.port) as link:
        link.sendall(head("POST", "/hello", Content_Length="5000") + b"x" * 5000)
        assert read_answer(link).text == "/hello 5000"  # type: ignore[attr-defined]
    assert not isinstance(server.app.seen[0]["wsgi.input"], io.BytesIO)


def test_a_refusal_reaches_who_still_sends(start: Start) -> None:
    server = start(body_bytes=1000)
    request = head("POST", "/hello", Content_Length="9000000") + b"x" * 9_000_000
    status, content_type, body = exchange(server.port, request)
    assert (status, content_type) == (413, "text/plain; charset=utf-8")
    assert body == "Request Entity Too Large: exceeds max_body of 1000\n"
    assert server.app.seen == []


def test_who_sends_on_after_a_refusal_is_cut_off(start: Start) -> None:
    server = start(body_bytes=1000, drain_seconds=1)
    with dripping(server.port, [head("POST", "/hello", Content_Length="9000000")]):
        wait_for(lambda: bool(server.server.channels), "the connection")
        wait_for(lambda: not server.server.channels, "the connection to be closed")


# --- requests that could be two things ------------------------------------------------------------


@pytest.mark.parametrize(
    "request_head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_a_request_that_could_be_two_things_is_refused(start: Start, request_head: bytes) -> None:
    server = start()
    answer = exchange(server.port, request_head + b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer[0] == 400
    assert server.app.seen == []


def test_an_encoding_that_is_unknown_is_refused(start: Start) -> None:
    request = head("POST", "/", Transfer_Encoding="gzip, chunked")
    assert exchange(start().port, request)[0] == 501


def test_requests_in_a_row_are_answered_in_their_order(start: Start) -> None:
    server = start()
    with connect(server.port) as link:
        link.sendall(
            head("POST", "/one", Content_Length="3")
            + b"abc"
            + head("POST", "/two", Transfer_Encoding="chunked")
            + b"4\r\nabcd\r\n0\r\n\r\n"
            + head("GET", "/three")
        )
        # Each ends where its length says; one reader for all would take what belongs to the next.
        found = b""
        while b"/three 0" not in found:
            found += link.recv(65536)
    assert [part in found for part in (b"/one 3", b"/two 4")] == [True, True]
    assert found.index(b"/one 3") < found.index(b"/two 4") < found.index(b"/three 0")


def test_an_answer_to_head_has_no_body(start: Start) -> None:
    server = start()
    with connect(server.port) as link:
        for _ in range(2):
            link.sendall(head("HEAD", "/hello"))
            answer = read_answer(link, "HEAD")
            assert (answer.status, answer.getheader("Content-Length")) == (200, "8")
        link.sendall(head("GET", "/hello"))
        assert read_answer(link).text == "/hello 0"  # type: ignore[attr-defined]


def test_urgent_data_closes_the_connection(start: Start) -> None:
    server = start()
    with connect(server.port) as link:
        link.send(b"!", socket.MSG_OOB)
        wait_for(lambda: has_something_to_read(link), "the connection to be closed")
    is_served(server)


# --- what the application sees --------------------------------------------------------------------


def test_the_address_is_that_of_the_peer_and_headers_of_proxies_stay_as_they_are(
    start: Start,
) -> None:
    server = start()
    with connect(server.port) as link:
        link.sendall(head("GET", "/hello", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https"))
        assert read_answer(link).getheader("Server") is None
    environ = server.app.seen[0]
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"
    assert environ["HTTP_X_FORWARDED_PROTO"] == "https"
    assert environ["wsgi.url_scheme"] == "http"


def test_the_environment_of_the_process_is_not_in_the_request(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "planted")
    server = start()
    is_served(server)
    assert "SECRET_KEY" not in server.app.seen[0]


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")
def test_addresses_of_ipv6() -> None:
    server = Started(take_port("::1", 0))
    try:
        with socket.create_connection(("::1", server.port), timeout=20) as link:
            link.sendall(head("GET", "/hello"))
            assert read_answer(link).status == 200
        assert server.app.seen[0]["REMOTE_ADDR"] == "::1"
    finally:
        server.stop()


# --- stopping -------------------------------------------------------------------------------------


def test_answers_under_way_end_before_it_stops(start: Start) -> None:
    server = start(stop_seconds=20)
    with connect(server.port) as busy, connect(server.port) as idle:
        busy.sendall(head("GET", "/wait"))
        assert server.app.waiting.acquire(timeout=20)

        server.server.stop()

        # Nobody else gets in, and who is idle is sent away.
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(server.port)
        assert server.thread.is_alive()
        server.app.may_answer.set()
        assert read_answer(busy).text == "/wait 0"  # type: ignore[attr-defined]
    server.thread.join(20)
    assert not server.thread.is_alive()


def test_it_stops_although_somebody_reads_nothing(start: Start) -> None:
    server = start(stop_seconds=0.5)
    with connect(server.port) as link:
        link.sendall(head("GET", "/large"))
        wait_for(lambda: bool(server.app.seen), "the answer to begin")
        server.server.stop()
        server.thread.join(20)
        assert not server.thread.is_alive()


@contextmanager
def two_on_one_port() -> Iterator[tuple[Started, Started]]:
    listener = take_port("127.0.0.1", 0)
    copies = [socket.socket(fileno=os.dup(listener.fileno())) for _ in range(2)]
    listener.close()
    first, second = (Started(copy) for copy in copies)
    try:
        yield first, second
    finally:
        first.stop()
        second.stop()


def test_several_listen_on_one_socket_and_one_may_end() -> None:
    with two_on_one_port() as (first, second):
        for _ in range(20):
            is_served(first)
        assert len(first.app.seen) + len(second.app.seen) == 20
        first.stop()
        for _ in range(5):
            is_served(second)
        assert len(second.app.seen) >= 5

"""The web server over real sockets: its threads and connections, slow readers, and how it ends."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from coc_admin.processes.preflight import take_port
from coc_admin.web_server.channel import Channel
from coc_admin.web_server.server import WAY_SECONDS
from tests.coc_admin.web_server.served import LARGE, Serve, Started, is_served
from tests.processes.product import wait_for
from tests.raw_http import connect, dripping, has_something_to_read, head, read_answer


def test_head_and_body_of_a_short_answer_are_sent_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    real = Channel.send

    def send(channel: Channel, data: bytes, do_close: bool = True) -> int:
        sent.append(bytes(data))
        return int(real(channel, data, do_close=do_close))

    monkeypatch.setattr(Channel, "send", send)
    is_served(serve())
    (answer,) = sent
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n/hello 0")


def test_a_pool_stands_still_while_a_request_waits_and_no_thread_answers(serve: Serve) -> None:
    server = serve()
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


def test_it_says_that_it_is_alive_while_every_thread_is_at_work(serve: Serve) -> None:
    server = serve()
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


def test_the_loop_leaves_the_interpreter_to_a_thread_that_is_sending(serve: Serve) -> None:
    """The peer can take more all the time, so that without a pause the loop would never rest."""
    server = serve()
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


def test_one_connection_too_many_closes_the_one_that_waits_for_longest(serve: Serve) -> None:
    server = serve(connections=5)
    heads = [head("POST", "/hello", Content_Length="1000")] * 5
    with dripping(server.port, heads) as senders:
        wait_for(lambda: senders.sent > 1, "the bodies to begin")
        is_served(server)
        wait_for(lambda: has_something_to_read(senders.links[0]), "the first to be closed")
        assert not any(has_something_to_read(link) for link in senders.links[1:])


def test_a_connection_whose_request_is_at_work_is_not_closed_for_another(serve: Serve) -> None:
    server = serve(connections=1)
    with connect(server.port) as link:
        link.sendall(head("GET", "/wait"))
        assert server.app.waiting.acquire(timeout=20)
        with connect(server.port) as another:
            another.sendall(head("GET", "/hello"))
            server.app.may_answer.set()
            assert read_answer(link).status == 200


def test_a_connection_on_which_nothing_happens_is_closed(serve: Serve) -> None:
    server = serve(silent_seconds=0.5)
    with connect(server.port) as fresh, connect(server.port) as used:
        used.sendall(head("GET", "/hello"))
        assert read_answer(used).status == 200
        assert fresh.recv(1) == b""
        assert used.recv(1) == b""


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_readers_that_take_nothing_hold_no_thread(serve: Serve, path: str) -> None:
    server = serve()
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server.port)) for _ in range(6)]
        for link in links:
            link.sendall(head("GET", path))
        wait_for(lambda: len(server.app.seen) == 6, "all of them to be answered")
        is_served(server)
        assert len(read_answer(links[0]).text) == LARGE  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_readers_that_take_nothing_are_cut_off(serve: Serve, path: str) -> None:
    server = serve(silent_seconds=1, answer_bytes=1_000_000)
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server.port)) for _ in range(6)]
        for link in links:
            link.sendall(head("GET", path))
        # Above `answer_bytes` each holds a thread, until it is found out.
        wait_for(lambda: len(server.app.seen) == 6, "all of them to be answered")
        wait_for(lambda: not server.server.channels, "all of them to be closed")
    is_served(server)


def test_a_large_answer_is_sent_whole(serve: Serve) -> None:
    server = serve(answer_bytes=1_000_000)
    with connect(server.port) as link:
        link.sendall(head("GET", "/large"))
        assert len(read_answer(link).text) == LARGE  # type: ignore[attr-defined]


def test_answers_under_way_end_before_it_stops(serve: Serve) -> None:
    server = serve(stop_seconds=20)
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


def test_it_stops_although_somebody_reads_nothing(serve: Serve) -> None:
    server = serve(stop_seconds=0.5)
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

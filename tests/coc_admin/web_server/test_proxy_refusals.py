"""What the web process answers when the console process is busy, away, slow or broken."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from coc_admin.web_server import handover
from coc_admin.web_server.console import ConsoleServer
from coc_admin.web_server.limits import Limits
from tests.coc_admin.web_server.pair import AGAIN, HTML, PROBLEM, Pair, Start
from tests.processes.product import wait_for
from tests.raw_http import connect, has_something_to_read, head, read_answer


def test_what_is_too_much_is_refused_at_once_and_orders_go_on(start: Start) -> None:
    # On a busy machine those that wait must not be refused before the test is through.
    pair = start(working=2, waiting=2, waiting_seconds=60)
    with ExitStack() as stack:
        links = [stack.enter_context(connect(pair.port)) for _ in range(4)]
        # Only two may wait for the console, also before it is there.
        for link in links[:2]:
            link.sendall(head("GET", "/wait"))
        for _ in range(2):
            assert pair.app.waiting.acquire(timeout=20)
        for link in links[2:]:
            link.sendall(head("GET", "/wait"))
        wait_for(lambda: len(pair.web._forwarder._waiting) == 2, "two to wait")  # type: ignore[union-attr]
        page = pair.get("/", Accept_Language="de-AT,en;q=0.5")
        api = pair.get("/api/v1/sites/shop/orders", Accept_Language="de")
        pair.takes_an_order()
        # Who waits is not with the console yet.
        assert not pair.app.waiting.acquire(timeout=0.1)
        pair.app.may_answer.set()
        assert [read_answer(link).status for link in links] == [200] * 4
    assert (page.status, page.getheader("Content-Type")) == (503, HTML)
    assert page.getheader("Retry-After") == "5"
    assert '<html lang="de">' in page.text
    assert (api.status, api.getheader("Content-Type")) == (503, PROBLEM)
    assert json.loads(api.text)["type"] == "unavailable"
    assert pair.get("/").status == 200


def test_who_has_waited_for_too_long_is_refused_and_never_carried_out(start: Start) -> None:
    pair = start(working=1, waiting_seconds=0.5)
    with connect(pair.port) as first, connect(pair.port) as second:
        first.sendall(head("GET", "/wait"))
        assert pair.app.waiting.acquire(timeout=20)
        second.sendall(head("POST", "/waits", Content_Length="0"))
        assert read_answer(second).status == 503
        pair.app.may_answer.set()
        assert read_answer(first).status == 200
    assert [seen["PATH_INFO"] for seen in pair.app.seen] == ["/wait"]


def test_orders_go_on_without_a_console(start: Start) -> None:
    pair = start(has_console=False, greeting_seconds=0.5)
    pair.takes_an_order()
    page = pair.get("/")
    assert (page.status, page.getheader("Content-Type")) == (503, HTML)
    assert AGAIN in page.text
    pair.takes_an_order()


def test_who_comes_while_it_starts_is_answered_then(start: Start) -> None:
    with ExitStack() as stack:
        pair = start(has_console=False, greeting_seconds=20)
        with connect(pair.port) as link:
            link.sendall(head("GET", "/hello"))
            pair.takes_an_order()
            assert not has_something_to_read(link)
            server = ConsoleServer(
                pair.app, pair.inner, threads=1, limits=Limits(request_seconds=30)
            )
            thread = threading.Thread(target=server.run)
            thread.start()
            stack.callback(thread.join, 20)
            stack.callback(server.stop)
            assert read_answer(link).status == 200


def taken(pair: Pair) -> socket.socket:
    """Return the next connection, from which the request has been read: a console by hand."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = handover.take_connection(pair.inner)
        if found is None:
            time.sleep(0.01)
            continue
        link, (address, _port) = found
        link.settimeout(20)
        link.sendall(handover.GREETING)
        if not address:
            # Only checks whether anyone is there.
            link.close()
            continue
        while b"\r\n\r\n" not in link.recv(65536):
            pass
        return link
    pytest.fail("no request came")


def test_a_console_that_ends_before_it_answers(start: Start) -> None:
    pair = start(has_console=False)
    with connect(pair.port) as link:
        link.sendall(head("POST", "/change", Content_Length="0"))
        taken(pair).close()
        answer = read_answer(link)
    assert answer.status == 503
    assert "Check whether your change was saved" in answer.text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_a_console_that_ends_within_its_answer_makes_no_whole_one(
    start: Start, begun: bytes
) -> None:
    pair = start(has_console=False)
    with connect(pair.port) as link:
        link.sendall(head("GET", "/report"))
        with taken(pair) as inner:
            inner.sendall(begun)
        got = b""
        while piece := link.recv(65536):
            got += piece
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert b"half" in got
    assert not got.endswith(b"0\r\n\r\n")
    pair.takes_an_order()


@pytest.mark.parametrize("rubbish", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"])
def test_what_is_no_answer(start: Start, rubbish: bytes) -> None:
    pair = start(has_console=False)
    with connect(pair.port) as link:
        link.sendall(head("GET", "/report"))
        with taken(pair) as inner:
            inner.sendall(rubbish)
            assert read_answer(link).status == 503


def test_an_answer_that_does_not_come_in_time(start: Start) -> None:
    pair = start(has_console=False, answer_seconds=0.5)
    with connect(pair.port) as link:
        link.sendall(head("GET", "/api/v1/sites/shop/runs"))
        with taken(pair):
            answer = read_answer(link)
    assert (answer.status, answer.getheader("Content-Type")) == (504, PROBLEM)
    pair.takes_an_order()


def test_who_has_gone_takes_no_place(start: Start) -> None:
    pair = start(working=1)
    with connect(pair.port) as first:
        first.sendall(head("GET", "/wait"))
        assert pair.app.waiting.acquire(timeout=20)
        with connect(pair.port) as gone:
            gone.sendall(head("GET", "/file"))
        pair.app.may_answer.set()
        assert read_answer(first).status == 200
    for _ in range(3):
        assert pair.get("/hello").status == 200
    wait_for(lambda: not pair.web._forwarder._working(), "no place to be taken")  # type: ignore[union-attr]

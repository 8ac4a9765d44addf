"""A web process and a console process with small applications, over real sockets."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from coc_admin.processes.preflight import take_port
from coc_admin.web_server import handover
from coc_admin.web_server.console import ConsoleServer
from coc_admin.web_server.limits import ForwardingLimits, Limits
from coc_admin.web_server.server import Server
from tests.processes.product import wait_for
from tests.raw_http import connect, exchange, has_something_to_read, head, read_answer

ORDERS = "/api/v1/sites/shop/orders"
LARGE = 20_000_000
PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
AGAIN = "Your request was not started"


class Console:
    """Answers with what it was asked; `/wait`, `/file`, `/parts` and `/cut` as they are named."""

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


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **options: Pair(stack, **options)


# --- what goes there and back ---------------------------------------------------------------------


def test_orders_and_pages_take_turns_on_one_connection(start: Start) -> None:
    pair = start()
    with connect(pair.port) as link:
        for _ in range(3):
            link.sendall(head("GET", "/orders/?page=2"))
            told = json.loads(read_answer(link).text)  # type: ignore[attr-defined]
            assert (told["from"], told["path"], told["query"]) == ("console", "/orders/", "page=2")
            link.sendall(head("POST", ORDERS, Content_Length="3") + b"abc")
            assert read_answer(link).text == "order\n"  # type: ignore[attr-defined]
        # At once, and answered in their order.
        link.sendall(
            head("GET", "/one")
            + head("POST", ORDERS, Content_Length="0")
            + head("GET", "/two", Connection="close")
        )
        got = b""
        while piece := link.recv(65536):
            got += piece
    assert re.findall(rb'"path": "(/\w+)"|(order)\n', got) == [
        (b"/one", b""),
        (b"", b"order"),
        (b"/two", b""),
    ]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_arrives_whole(start: Start, chunked: bool) -> None:
    pair = start()
    body = bytes(range(256)) * 30_000
    with connect(pair.port) as link:
        if chunked:
            link.sendall(head("POST", "/upload", Transfer_Encoding="chunked"))
            link.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        else:
            link.sendall(head("POST", "/upload", Content_Length=str(len(body))) + body)
        told = json.loads(read_answer(link).text)  # type: ignore[attr-defined]
    assert (told["length"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_who_waits_to_be_asked_for_the_body_is_asked(start: Start) -> None:
    pair = start()
    with connect(pair.port) as link:
        link.sendall(head("POST", "/upload", Content_Length="4", Expect="100-continue"))
        assert link.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"body")
        assert json.loads(read_answer(link).text)["length"] == 4  # type: ignore[attr-defined]


def test_an_answer_without_a_length_comes_in_chunks_and_cookies_stay_apart(start: Start) -> None:
    answer = start().get("/parts")
    assert answer.getheader("Transfer-Encoding") == "chunked"
    assert answer.text == "part " * 3000
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_an_old_client_gets_no_chunks(start: Start) -> None:
    pair = start()
    with connect(pair.port) as link:
        link.sendall(b"GET /parts HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = read_answer(link)
    assert answer.getheader("Transfer-Encoding") is None
    assert answer.text == "part " * 3000  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/file", "/parts", "/hello"])
def test_head_has_no_body(start: Start, path: str) -> None:
    pair = start()
    with connect(pair.port) as link:
        link.sendall(head("HEAD", path, Connection="close"))
        got = b""
        while piece := link.recv(65536):
            got += piece
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.partition(b"\r\n\r\n")[2] == b""
    if path == "/file":
        assert f"Content-Length: {LARGE}\r\n".encode() in got


def test_an_answer_without_a_body(start: Start) -> None:
    answer = start().get("/empty")
    assert (answer.status, answer.getheader("ETag"), answer.text) == (304, '"1"', "")


def test_a_slow_reader_holds_no_place_and_gets_all(start: Start) -> None:
    pair = start(working=1)
    with connect(pair.port) as slow:
        slow.sendall(head("GET", "/file"))
        assert slow.recv(12) == b"HTTP/1.1 200"
        for _ in range(3):
            assert pair.get("/hello").status == 200
            pair.takes_an_order()
        # No more of it is kept in the web process than is said to be.
        kept = max(channel.total_outbufs_len for channel in pair.web.channels)
        assert kept <= 256 * 1024 + 64 * 1024 + 100
        got = 0
        while got < LARGE:
            got += len(slow.recv(1_000_000))


# --- who is who -----------------------------------------------------------------------------------


def test_no_header_names_another_client(start: Start) -> None:
    pair = start()
    answer = pair.get(
        "/hello",
        X_Forwarded_For="203.0.113.9",
        X_Real_Ip="203.0.113.9",
        Remote_Addr="203.0.113.9",
        Connection="X-Forwarded-For, keep-alive",
    )
    assert json.loads(answer.text)["address"] == "127.0.0.1"
    (seen,) = pair.app.seen
    assert seen["REMOTE_PORT"] != "0"
    # As it came: what is believed of it, the settings say.
    assert seen["HTTP_X_FORWARDED_FOR"] == "203.0.113.9"
    assert seen["HTTP_CONNECTION"] == "close"


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("POST", "/one", Content_Length="4", Transfer_Encoding="chunked") + b"0\r\n\r\n",
        head("POST", "/one", Content_Length="4, 60") + b"body",
        head("POST", "/one", Transfer_Encoding="xchunked") + b"0\r\n\r\n",
        b"POST /one HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\nX: y\r\n\r\nbody",
        b"POST /one HTTP/1.1\r\nHost: localhost\r\nContent-Length : 4\r\n\r\nbody",
        b"GET /one HTTP/1.1\rX-A: b\r\nHost: localhost\r\n\r\n",
        b"GET /one\x00 HTTP/3.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_a_request_with_two_meanings_never_reaches_the_console(
    start: Start, request_bytes: bytes
) -> None:
    pair = start()
    status, _, _ = exchange(pair.port, request_bytes + HIDDEN)
    assert status in (400, 501)
    assert pair.app.seen == []


def test_a_body_that_looks_like_a_request_is_a_body(start: Start) -> None:
    pair = start()
    with connect(pair.port) as link:
        link.sendall(head("POST", "/one", Content_Length=str(len(HIDDEN))) + HIDDEN)
        assert json.loads(read_answer(link).text)["path"] == "/one"  # type: ignore[attr-defined]
        # Sent earlier, its answer could end up in the buffer of the first one.
        link.sendall(head("GET", "/two"))
        assert json.loads(read_answer(link).text)["path"] == "/two"  # type: ignore[attr-defined]
    assert [seen["PATH_INFO"] for seen in pair.app.seen] == ["/one", "/two"]


# --- when the console process is busy, away or at its end -----------------------------------------


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
            # Only asks whether somebody is there.
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

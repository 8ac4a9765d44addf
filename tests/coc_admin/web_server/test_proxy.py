"""Requests and answers that pass through a web process to the console process."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from tests.coc_admin.web_server.pair import LARGE, ORDERS, Start
from tests.raw_http import connect, exchange, head, read_answer


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
    # Unchanged: the settings decide which of it to trust.
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

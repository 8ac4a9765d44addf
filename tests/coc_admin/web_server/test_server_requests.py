"""What the web server makes of a request: bounds of its body, refusals, addresses."""

from __future__ import annotations

import io
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from coc_admin.processes.preflight import take_port
from tests.coc_admin.web_server.served import Serve, Started, is_served
from tests.processes.product import wait_for
from tests.raw_http import connect, dripping, exchange, has_something_to_read, head, read_answer


def test_bodies_have_a_bound_together(serve: Serve) -> None:
    server = serve(all_body_bytes=300_000)
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


def test_a_large_body_is_kept_in_a_file(serve: Serve) -> None:
    server = serve(body_memory_bytes=1000)
    with connect(server.port) as link:
        link.sendall(head("POST", "/hello", Content_Length="5000") + b"x" * 5000)
        assert read_answer(link).text == "/hello 5000"  # type: ignore[attr-defined]
    assert not isinstance(server.app.seen[0]["wsgi.input"], io.BytesIO)


def test_a_refusal_reaches_who_still_sends(serve: Serve) -> None:
    server = serve(body_bytes=1000)
    request = head("POST", "/hello", Content_Length="9000000") + b"x" * 9_000_000
    status, content_type, body = exchange(server.port, request)
    assert (status, content_type) == (413, "text/plain; charset=utf-8")
    assert body == "Request Entity Too Large: exceeds max_body of 1000\n"
    assert server.app.seen == []


def test_who_sends_on_after_a_refusal_is_cut_off(serve: Serve) -> None:
    server = serve(body_bytes=1000, drain_seconds=1)
    with dripping(server.port, [head("POST", "/hello", Content_Length="9000000")]):
        wait_for(lambda: bool(server.server.channels), "the connection")
        wait_for(lambda: not server.server.channels, "the connection to be closed")


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
def test_a_request_that_could_be_two_things_is_refused(serve: Serve, request_head: bytes) -> None:
    server = serve()
    answer = exchange(server.port, request_head + b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer[0] == 400
    assert server.app.seen == []


def test_an_encoding_that_is_unknown_is_refused(serve: Serve) -> None:
    request = head("POST", "/", Transfer_Encoding="gzip, chunked")
    assert exchange(serve().port, request)[0] == 501


def test_requests_in_a_row_are_answered_in_their_order(serve: Serve) -> None:
    server = serve()
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


def test_an_answer_to_head_has_no_body(serve: Serve) -> None:
    server = serve()
    with connect(server.port) as link:
        for _ in range(2):
            link.sendall(head("HEAD", "/hello"))
            answer = read_answer(link, "HEAD")
            assert (answer.status, answer.getheader("Content-Length")) == (200, "8")
        link.sendall(head("GET", "/hello"))
        assert read_answer(link).text == "/hello 0"  # type: ignore[attr-defined]


def test_urgent_data_closes_the_connection(serve: Serve) -> None:
    server = serve()
    with connect(server.port) as link:
        link.send(b"!", socket.MSG_OOB)
        wait_for(lambda: has_something_to_read(link), "the connection to be closed")
    is_served(server)


def test_the_address_is_that_of_the_peer_and_headers_of_proxies_stay_as_they_are(
    serve: Serve,
) -> None:
    server = serve()
    with connect(server.port) as link:
        link.sendall(head("GET", "/hello", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https"))
        assert read_answer(link).getheader("Server") is None
    environ = server.app.seen[0]
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"
    assert environ["HTTP_X_FORWARDED_PROTO"] == "https"
    assert environ["wsgi.url_scheme"] == "http"


def test_the_environment_of_the_process_is_not_in_the_request(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "planted")
    server = serve()
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

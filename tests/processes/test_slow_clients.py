"""Slow, large and broken requests against the real server: others are served meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests import migrated
from tests.processes.product import Running, environment, serve

pytestmark = pytest.mark.processes
MANY = 40


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("slow")
    migrated.copy_sqlite(folder / "coc.sqlite3")
    running = serve(environment(folder), "--only", "web")
    running.wait_until_it_answers("/healthz")
    yield running
    running.stop()


def get(web: Running, path: str = "/login/") -> requests.Response:
    return requests.get(f"http://127.0.0.1:{web.port}{path}", timeout=5)


def open_many(web: Running, stack: ExitStack, head: str) -> None:
    """Open connections, each with a request that is not whole."""
    for _ in range(MANY):
        one = stack.enter_context(socket.create_connection(("127.0.0.1", web.port)))
        one.sendall(head.encode())


def test_headers_that_never_end(web: Running) -> None:
    with ExitStack() as stack:
        open_many(web, stack, "GET /login/ HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        for _ in range(5):
            assert get(web).status_code == 200


def test_orders_without_a_token_whose_bodies_never_come(web: Running) -> None:
    """The API looks at the token first, and reads no body of a stranger."""
    head = (
        "POST /api/v1/sites/x/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n"
        "Content-Type: application/json\r\n\r\n{"
    )
    with ExitStack() as stack:
        open_many(web, stack, head)
        for _ in range(5):
            assert get(web).status_code == 200


@pytest.mark.parametrize(
    ("path", "statuses"), [("/login/", {403, 413}), ("/api/v1/sites/x/orders", {401, 413})]
)
def test_large_bodies(web: Running, path: str, statuses: set[int]) -> None:
    body = b"x" * 20_000_000
    answer = requests.post(f"http://127.0.0.1:{web.port}{path}", data=body, timeout=20)
    assert answer.status_code in statuses


def test_large_headers(web: Running) -> None:
    url, headers = f"http://127.0.0.1:{web.port}/login/", {"X-A": "x" * 2_000_000}
    assert requests.get(url, headers=headers, timeout=20).status_code == 431
    assert get(web).status_code == 200

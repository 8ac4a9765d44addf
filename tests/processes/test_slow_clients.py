"""Slow, large and broken requests against the real server: others are served meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import requests

from tests import migrated
from tests.processes.product import ROOT, Running, environment, free_port, serve, wait_for
from tests.raw_http import connect, dripping, exchange, head, read_answer

pytestmark = [pytest.mark.processes, pytest.mark.own_sqlite]
MANY = 40
THREADS = 4
ORDERS = "/api/v1/sites/slow/orders"
PROBLEM = "application/problem+json"
BIG = 40_000_000
NUMBERS = count(1)


@dataclass
class Web:
    """The web process alone, with a site whose orders are captured offline, and its token."""

    running: Running
    token: str

    @property
    def port(self) -> int:
        return self.running.port

    def get(self, path: str = "/login/") -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def place(self, body: bytes) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{ORDERS}"
        return requests.post(url, data=body, headers=headers, timeout=10)

    def order_head(self, **headers: str) -> bytes:
        return head(
            "POST",
            ORDERS,
            Authorization=f"Bearer {self.token}",
            Content_Type="application/json",
            **headers,
        )


def order() -> bytes:
    item = {"itemId": "1", "productId": "MUG", "quantity": 1, "basePrice": 5, "price": 5}
    return json.dumps(
        {
            "orderNo": f"S{next(NUMBERS)}",
            "creationDate": "2026-01-01T00:00:00Z",
            "currency": "EUR",
            "customerInfo": {"customerName": "Ada Reed"},
            "productItems": [item | {"productName": "Mug"}],
            "orderTotal": 5,
        }
    ).encode()


# In one process: starting Django takes longer than all of it.
SET_UP = """
import django
django.setup()
from django.core.management import call_command
call_command("collectstatic", interactive=False, verbosity=0)
call_command("create_site", "slow", "--inventory-list=stock", "--currency=EUR")
call_command("import_inventory", {stock!r}, "--inventory-list=stock")
call_command("coc_connection", "force-offline", "--reason=test")
print()
call_command("create_api_token", "slow", "--site=slow", "--scope", "orders:write")
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("slow")
    migrated.copy_sqlite(folder / "coc.sqlite3")
    static = {"COC_STATIC_ROOT": str(folder / "static")}
    return environment(folder, COC_WEB_THREADS=str(THREADS), **static)


@pytest.fixture(scope="module")
def token(env: dict[str, str]) -> str:
    """Return the token of a site with stock; the static files hold a large one."""
    folder = Path(env["COC_VAR_DIR"])
    (folder / "stock.csv").write_text("sku,ato\nMUG,1000\n")
    script = SET_UP.format(stock=str(folder / "stock.csv"))
    settings = {"DJANGO_SETTINGS_MODULE": "coc_admin.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=env | settings,
        check=True,
        capture_output=True,
    )
    (folder / "static" / "big.txt").write_bytes(b"big " * (BIG // 4))
    return done.stdout.decode().split()[-1]


@pytest.fixture(scope="module")
def web(env: dict[str, str], token: str) -> Iterator[Web]:
    yield from running(env, token)


@pytest.fixture(scope="module")
def hasty(env: dict[str, str], token: str) -> Iterator[Web]:
    """A request has two seconds to arrive."""
    hurry = {"PORT": str(free_port()), "COC_WEB_REQUEST_SECONDS": "2"}
    yield from running(env | hurry, token)


def running(env: dict[str, str], token: str) -> Iterator[Web]:
    process = serve(env, "--only", "web")
    try:
        process.wait_until_it_answers("/healthz")
        yield Web(process, token)
    finally:
        process.stop()


def everybody_is_served(web: Web) -> None:
    for _ in range(3):
        assert web.get().status_code == 200
        assert web.get("/healthz").status_code == 200
        placed = web.place(order())
        assert placed.status_code == 201, placed.text
        assert placed.json()["capturedOffline"]


def form_head(**headers: str) -> bytes:
    # With a cookie, the form is read for the token that belongs to it.
    form = "application/x-www-form-urlencoded"
    return head("POST", "/login/", Cookie=f"coc_csrf={'c' * 32}", Content_Type=form, **headers)


def test_headers_that_never_end(web: Web) -> None:
    heads = [b"GET /login/ HTTP/1.1\r\nHost: localhost\r\nX-A: "] * MANY
    with dripping(web.port, heads) as senders:
        everybody_is_served(web)
        assert senders.are_all_open()


def test_orders_and_forms_whose_bodies_drip_with_a_length(web: Web) -> None:
    """Three times as many senders as there are threads, and everybody else is served."""
    heads = [web.order_head(Content_Length="900000")] * (2 * THREADS)
    heads += [form_head(Content_Length="900000")] * THREADS
    with dripping(web.port, heads) as senders:
        wait_for(lambda: senders.sent > 3, "the bodies to begin")
        everybody_is_served(web)
        assert senders.are_all_open()


def test_orders_and_forms_whose_bodies_drip_in_chunks(web: Web) -> None:
    heads = [web.order_head(Transfer_Encoding="chunked")] * (2 * THREADS)
    heads += [form_head(Transfer_Encoding="chunked")] * THREADS
    with dripping(web.port, heads, b"1\r\nx\r\n") as senders:
        wait_for(lambda: senders.sent > 3, "the bodies to begin")
        everybody_is_served(web)
        assert senders.are_all_open()


def test_an_order_that_comes_slowly_and_is_whole_is_placed(web: Web) -> None:
    body = order()
    with connect(web.port) as link:
        link.sendall(web.order_head(Content_Length=str(len(body))))
        for start_at in range(0, len(body), 40):
            link.sendall(body[start_at : start_at + 40])
            assert web.get("/healthz").status_code == 200
        assert read_answer(link).status == 201


def test_an_order_in_chunks_is_placed(web: Web) -> None:
    """It has a length when the view sees it: the server has taken it in whole."""
    body = order()
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    with connect(web.port) as link:
        link.sendall(web.order_head(Transfer_Encoding="chunked") + chunk)
        assert read_answer(link).status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_never_ends_is_cut_off(hasty: Web, chunked: bool) -> None:
    extra = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": "900000"}
    piece = b"1\r\nx\r\n" if chunked else b"x"
    with dripping(hasty.port, [hasty.order_head(**extra)] * (3 * THREADS), piece) as senders:
        for link in senders.links:
            answer = read_answer(link)
            assert (answer.status, answer.getheader("Content-Type")) == (408, PROBLEM)
            assert json.loads(answer.text)["type"] == "request-timeout"  # type: ignore[attr-defined]
            assert answer.getheader("Connection") == "close"
    everybody_is_served(hasty)


def test_headers_that_never_end_are_cut_off(hasty: Web) -> None:
    heads = [b"GET /login/ HTTP/1.1\r\nHost: localhost\r\nX-A: "] * MANY
    with dripping(hasty.port, heads) as senders:
        assert {read_answer(link).status for link in senders.links} == {408}
    everybody_is_served(hasty)


def test_large_bodies(web: Web) -> None:
    body = b"x" * 20_000_000
    for path, headers in (
        ("/login/", {}),
        (ORDERS, {}),
        (ORDERS, {"Authorization": f"Bearer {web.token}"}),
    ):
        url = f"http://127.0.0.1:{web.port}{path}"
        answer = requests.post(url, data=body, headers=headers, timeout=20)
        assert answer.status_code == 413
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json()["type"] == "body-too-large"


def test_a_body_without_end_in_large_chunks(web: Web) -> None:
    chunk = b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"
    request = web.order_head(Transfer_Encoding="chunked") + chunk * 20
    assert exchange(web.port, request)[:2] == (413, PROBLEM)


def test_a_body_that_is_too_large_is_not_asked_for(web: Web) -> None:
    request = web.order_head(Content_Length="20000000", Expect="100-continue")
    assert exchange(web.port, request)[:2] == (413, PROBLEM)


def test_large_headers(web: Web) -> None:
    url, headers = f"http://127.0.0.1:{web.port}/login/", {"X-A": "x" * 2_000_000}
    assert requests.get(url, headers=headers, timeout=20).status_code == 431
    assert web.get().status_code == 200


def test_readers_that_take_nothing_of_a_large_answer(web: Web) -> None:
    with ExitStack() as stack:
        links = [stack.enter_context(connect(web.port)) for _ in range(3 * THREADS)]
        for link in links:
            link.sendall(head("GET", "/static/big.txt"))
            # So the answer has begun, and the rest of it waits.
            assert link.recv(12) == b"HTTP/1.1 200"
        everybody_is_served(web)
    answer = web.get("/static/big.txt")
    assert len(answer.content) == BIG

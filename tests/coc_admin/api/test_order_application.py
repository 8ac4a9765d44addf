"""The processes that take orders answer as the whole application does, with less middleware."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from coc_admin.header_bounds import bounded
from coc_admin.web_server.order_paths import takes_orders
from coc_admin.wsgi import Handler, order_application
from tests.coc_admin.api.conftest import Api
from tests.orders.payloads import order_document, raw_order

pytestmark = pytest.mark.django_db

ORDERS = "/api/v1/sites/NorthShop/orders"
# Of each answer; and of cookies, which the API does not read.
CHANGING = {"X-Request-Id", "Vary", "Set-Cookie"}


def answer(app: Any, method: str, path: str, body: bytes, **headers: str) -> Any:
    """Return the status, the headers and the body that `app` answers."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "testserver",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        **headers,
    }
    told: list[Any] = []
    chunks = app(environ, lambda status, found: told.extend((status, dict(found))))
    text = b"".join(chunks)
    status, found = told
    return status, {k: v for k, v in found.items() if k not in CHANGING}, text


@contextmanager
def connection_kept() -> Iterator[None]:
    """Let no request close the connection that holds the test's rows, as Django's client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@pytest.fixture
def requests(api: Api) -> dict[str, tuple[str, str, bytes, dict[str, str]]]:
    """Return requests of all kinds that the processes answer, by name."""
    api.post(ORDERS, order_document("A-1", [("MUG-01", 2)]))
    known = {"HTTP_AUTHORIZATION": f"Bearer {api.token}"}
    same = raw_order("A-1", [("MUG-01", 2)])
    cancel = json.dumps({"reason": "wanted none"}).encode()
    return {
        "the same order again": ("POST", ORDERS, same, known),
        "another order of that number": ("POST", ORDERS, raw_order("A-1", [("MUG-01", 1)]), known),
        "too many units": ("POST", ORDERS, raw_order("A-2", [("MUG-01", 10**6)]), known),
        "no JSON": ("POST", ORDERS, b"{", known),
        "nobody": ("POST", ORDERS, same, {}),
        "another site": ("POST", "/api/v1/sites/Nowhere/orders", same, known),
        "NUL in the path": ("GET", f"{ORDERS}/A\x00", b"", known),
        "one order": ("GET", f"{ORDERS}/A-1", b"", known),
        "no such order": ("GET", f"{ORDERS}/A-9", b"", known),
        "a method that is none": ("DELETE", f"{ORDERS}/A-1", b"", known),
        "a query that is none": (
            "GET",
            f"{ORDERS}/A-1",
            b"",
            known | {"QUERY_STRING": "x=%00&y=%ff"},
        ),
        "German": ("GET", f"{ORDERS}/A-9", b"", known | {"HTTP_ACCEPT_LANGUAGE": "de"}),
        "a cookie": ("GET", f"{ORDERS}/A-1", b"", known | {"HTTP_COOKIE": "coc_session=abc"}),
        "another host": ("GET", f"{ORDERS}/A-1", b"", known | {"HTTP_HOST": "elsewhere.test"}),
        "cancelling": ("POST", f"{ORDERS}/A-7/cancel", cancel, known),
        "stock": ("GET", "/api/v1/sites/NorthShop/inventory/MUG-01", b"", known),
        "health": ("GET", "/healthz", b"", {}),
    }


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("https", [False, True])
def test_the_same_answers(
    requests: dict[str, tuple[str, str, bytes, dict[str, str]]],
    settings: LazySettings,
    https: bool,
) -> None:
    settings.SECURE_SSL_REDIRECT = https
    whole, orders = bounded(Handler()), order_application()
    for name, (method, path, body, headers) in requests.items():
        assert takes_orders(method, path), name
        with connection_kept():
            status, found, text = answer(whole, method, path, body, **headers)
            by_part = answer(orders, method, path, body, **headers)
        if path == "/healthz":  # Programs ask it, no browser.
            for header in ("Content-Security-Policy", "X-Frame-Options"):
                del found[header]
        assert status < "500", name
        assert by_part == (status, found, text), name


def test_its_middleware_is_a_part_of_the_whole_in_that_order(settings: LazySettings) -> None:
    part = settings.ORDER_MIDDLEWARE
    assert part == [name for name in settings.MIDDLEWARE if name in part]

"""Whatever comes in a path, a query or a body: a clear refusal, and nothing has changed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from orders.models import Movement, Order, OrderEvent, Site
from reconciliation.models import Run
from tests.coc_admin.api.conftest import PROBLEM, Api
from tests.coc_admin.console.scene import Scene
from tests.orders.payloads import order_document

PARTS = {
    "NUL": "%00",
    "newline": "%0A",
    "carriage return and header": "%0D%0AX-Evil:%201",
    "escape": "%1B%5B2J",
    "delete": "%7F",
    "dots": "..",
    "encoded dots": "%2e%2e",
    "way up": "..%2f..%2f..%2fetc%2fpasswd",
    "backslashes": "..%5c..%5cwindows",
    "slash": "%2f",
    "slashes": "//",
    "percent": "%25",
    "broken percent": "%",
    "broken UTF-8": "%ff%fe",
    "lone surrogate": "%ED%A0%80",
    "emoji": "%F0%9F%92%A9",
    "right to left": "%E2%80%AE",
    "line separator": "%E2%80%A8",
    "combining": "e%CC%81" * 20,
    "beyond the planes": "%F4%8F%BF%BF",
    "SQL": "'%20OR%201=1;--",
    "like": "%25_%25",
    "markup": "%3Cscript%3Ealert(1)%3C/script%3E",
    "template": "%7B%7B7*7%7D%7D",
    "format": "%25s%25n{0.__class__}",
    "number": "9" * 400,
    "long": "x" * 3000,
    "long and wide": "%E2%82%AC" * 1000,
    "null": "null",
    "space": "%20",
}
PLACES = (
    ("GET", "sites/{}/orders", None),
    ("POST", "sites/{}/orders", order_document()),
    ("GET", "sites/NorthShop/orders/{}", None),
    ("PATCH", "sites/NorthShop/orders/{}", {"exportStatus": "failed"}),
    ("POST", "sites/NorthShop/orders/{}/cancel", {"reason": "x"}),
    ("GET", "sites/{}/orders/{}", None),
    ("GET", "sites/NorthShop/inventory/{}", None),
    ("GET", "reconciliation/runs/{}", None),
    ("GET", "reports/{}", None),
    ("GET", "{}", None),
    ("GET", "/api/{}", None),
)
QUERIES = (
    ("sites/NorthShop/orders", "reservationState exportStatus capturedFrom limit cursor"),
    ("reconciliation/runs", "limit cursor"),
    ("reports", "site date kind limit cursor"),
    ("reports/20260202_offline_NorthShop.json", "format"),
    ("alerts", "state"),
    ("status", "site"),
)


@pytest.fixture
def site(outage: Scene) -> Site:
    return outage.site


def rows() -> list[list[dict[str, Any]]]:
    return [list(m.objects.order_by("pk").values()) for m in (Order, OrderEvent, Movement, Run)]


def refused(answer: Any) -> None:
    assert answer.status_code in (400, 404), (answer.status_code, answer.content[:500])
    assert answer["Content-Type"] == PROBLEM
    body = json.loads(answer.content)
    assert body["status"] == answer.status_code
    assert "X-Evil" not in answer.headers


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_paths(api: Api, part: str) -> None:
    before = rows()
    for method, path, body in PLACES:
        refused(api(method, path.format(part, part), body))
    assert rows() == before


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_queries(api: Api, part: str) -> None:
    before = rows()
    value = quote(part) if part == "//" else part.replace("#", "%23").replace("&", "%26")
    for path, names in QUERIES:
        for name in names.split():
            refused(api.get(f"{path}?{name}={value}"))
        refused(api.get(f"{path}?{value}=1"))
    assert rows() == before


def test_many_parameters(api: Api) -> None:
    refused(api.get("sites/NorthShop/orders?" + "&".join(f"p{n}=1" for n in range(2000))))


BODIES = {
    "empty": b"",
    "NUL": b"\x00",
    "text": b"hello",
    "cut": b'{"a":',
    "two values": b"{}{}",
    "list": b"[]",
    "null": b"null",
    "number": b"1",
    "deep": b"[" * 60_000 + b"]" * 1_000,
    "deep objects": b'{"a":' * 5_000,
    "not UTF-8": b'{"reason":"\xff"}',
    "UTF-16": '{"reason":"x"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"reason":NaN}',
    "infinity": b'{"limit":-Infinity}',
    "huge exponent": b'{"run":1e999999999}',
    "huge number": b'{"run":' + b"9" * 5_000 + b"}",
    "surrogate": b'{"reason":"\\ud800","exportStatus":"\\udfff"}',
    "surrogate in a name": b'{"\\ud800":1}',
    "escaped NUL": b'{"reason":"\\u0000"}',
    "twice": b'{"reason":"a","reason":"b"}',
    "strange names": b'{"__proto__":{},"":1,"constructor":2}',
}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies(api: Api, outage: Scene, body: bytes) -> None:
    before = rows()
    order = f"sites/NorthShop/orders/{outage.waiting.order_no}"
    refused(api.post("sites/NorthShop/orders", body))
    refused(api.patch(order, body))
    refused(api.post(f"{order}/cancel", body))
    refused(api.post("reconciliation/runs", body))
    assert rows() == before


@pytest.mark.parametrize(
    "header",
    ["Bearer " + "x" * 60_000, "Bearer \xff\xfe", "Bearer coc_\x00", "\x00", "Bearer\tcoc_x"],
)
def test_headers(outage: Scene, header: str) -> None:
    answer = Api(None).get("status", Authorization=header)
    assert (answer.status_code, answer["Content-Type"]) == (401, PROBLEM)


def test_a_host_that_is_not_ours(api: Api) -> None:
    answer = api.get("status", Host="evil.example")
    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM)
    assert "evil.example" not in answer.content.decode()

"""Who may call what: every operation with every token, and nothing that is open by accident."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from coc_admin.accounts import tokens
from coc_admin.models import ApiToken, TokenScope
from orders.models import Movement, Order, OrderEvent
from reconciliation.models import Run
from reconciliation.reports import downloads
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene
from tests.factories import browser_of
from tests.orders.payloads import order_document


@dataclass(frozen=True)
class Call:
    """One operation: how to call it, and the scopes any one of which is enough."""

    method: str
    path: str
    scopes: tuple[str, ...]
    body: Any = None
    good: int = 200
    is_of_a_site: bool = True


SITE = "sites/{site}/"
CALLS = (
    Call("POST", SITE + "orders", ("orders:write",), order_document("NEW"), good=201),
    Call("GET", SITE + "orders", ("orders:read",)),
    Call("GET", SITE + "orders/0000012340", ("orders:read",)),
    Call("PATCH", SITE + "orders/0000012340", ("orders:write",), {"exportStatus": "failed"}),
    Call("POST", SITE + "orders/0000012345/cancel", ("orders:write",), {"reason": "x"}),
    Call("GET", SITE + "inventory/MUG-01", ("inventory:read",)),
    Call("GET", "status", ("status:read",), is_of_a_site=False),
    Call("POST", "reconciliation/runs", ("reconciliation:run",), {}, 202, is_of_a_site=False),
    Call("GET", "reconciliation/runs", ("reconciliation:run", "status:read"), is_of_a_site=False),
    Call(
        "GET",
        "reconciliation/runs/{run}",
        ("reconciliation:run", "status:read"),
        is_of_a_site=False,
    ),
    Call("GET", "reports?site={site}", ("reports:read",)),
    Call("GET", "reports/20260202_offline_{site}.json", ("reports:read",), good=503),
    Call("GET", "alerts", ("alerts:read",), is_of_a_site=False),
)


def named(call: Call) -> str:
    return f"{call.method} {call.path}"


@pytest.fixture
def outage(db: None, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = scene.build_scene()
    scene.set_connection(scene.ConnectionState.RECOVERING)

    def unavailable(report: Any) -> None:
        raise downloads.ReportUnavailable(report)

    monkeypatch.setattr(downloads, "open_json", unavailable)
    return made


def send(api: Api, call: Call, outage: Scene, *, site: str = "NorthShop") -> Any:
    path = call.path.replace("{site}", site).replace("{run}", str(outage.run.pk))
    return api(call.method, path, call.body)


def rows() -> list[list[dict[str, Any]]]:
    return [list(m.objects.order_by("pk").values()) for m in (Order, OrderEvent, Movement, Run)]


@pytest.mark.parametrize("call", CALLS, ids=named)
@pytest.mark.parametrize("scope", TokenScope.values)
def test_a_scope_opens_what_it_names_and_nothing_else(
    outage: Scene, call: Call, scope: str
) -> None:
    before = rows()
    answer = send(api_for(outage.site, scope), call, outage)
    if scope in call.scopes:
        assert answer.status_code == call.good, answer.content
        return
    body = problem(answer, 403, "scope-missing")
    assert body["scopes"] == list(call.scopes)
    first = call.scopes[0]
    assert answer["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{first}"'
    assert rows() == before


@pytest.mark.parametrize("call", CALLS, ids=named)
@pytest.mark.parametrize("token", [None, "", "coc_" + "a" * 43, "revoked"])
def test_no_token_opens_nothing(outage: Scene, call: Call, token: str | None) -> None:
    api = Api(token)
    if token == "revoked":
        api = api_for(outage.site)
        tokens.revoke([ApiToken.objects.get().pk], now=timezone.now())
    before = rows()
    answer = send(api, call, outage)
    problem(answer, 401, "token-required")
    assert answer["WWW-Authenticate"] == 'Bearer realm="Continuous Order Capture"'
    assert rows() == before


@pytest.mark.parametrize("call", [call for call in CALLS if call.is_of_a_site], ids=named)
def test_a_token_is_good_for_its_site_alone(outage: Scene, call: Call) -> None:
    other = scene.make_shop("EastShop")
    before = rows()
    theirs = send(api_for(other), call, outage)
    nowhere = send(api_for(other, name="again"), call, outage, site="Nowhere")
    assert problem(theirs, 404, "not-found") == problem(nowhere, 404, "not-found")
    assert rows() == before


def test_a_session_of_the_console_opens_nothing(outage: Scene) -> None:
    browser = browser_of(scene.make_user("root", *scene.OPERATOR), enforce_csrf_checks=True)
    problem(browser.get("/api/v1/sites/NorthShop/orders"), 401, "token-required")


def patterns(resolver: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one, route)
        else:
            yield route, one


OPEN = {
    "api/v1/openapi.json",
    "api/v1/docs",
    "api/v1/",  # nothing is there
    r"api/\A.*\Z",  # every other address, where nothing is
}
EXAMPLES = {
    "<siteId>": "NorthShop",
    "<path:orderNo>": "0000012340",
    "<sku>": "MUG-01",
    "<runId>": "1",
    "<fileName>": "20260202_offline_NorthShop.json",
}


def test_no_address_of_the_api_is_open_by_accident(db: None) -> None:
    """Every URL under /api/ must refuse every method to a stranger: 401, or 405."""
    routes = [route for route, _ in patterns(get_resolver()) if route.startswith("api/")]
    guarded = [route for route in routes if route not in OPEN]
    assert len(set(guarded)) >= 10
    assert set(routes) > OPEN
    stranger = Client(raise_request_exception=False)
    for route in guarded:
        path = "/" + route
        for placeholder, example in EXAMPLES.items():
            path = path.replace(placeholder, example)
        assert "<" not in path, f"say what to put into {route}"
        found = {
            method: stranger.generic(method, path).status_code
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
        }
        assert set(found.values()) <= {401, 405}, (route, found)
        assert 401 in found.values(), (route, found)


def test_a_token_is_in_no_log_line(
    outage: Scene, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    api = api_for(outage.site)
    settings.DEBUG = True
    with caplog.at_level(logging.DEBUG):
        for call in CALLS:
            send(api, call, outage)
        api.get("sites/NorthShop/orders?limit=x")
        api.get("nothing")
        Api(f"{api.token}x").get("status")
        Api(None).get("status", Authorization=f"Basic {api.token}")
    assert caplog.records
    assert api.token
    assert api.token not in caplog.text
    assert api.token[4:] not in caplog.text

"""The OpenAPI document and its page are complete, and match the API."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from django.test import Client
from openapi_schema_validator import OAS31Validator

from coc_admin.models import TokenScope
from orders.models import Site
from orders.payload import MAX_ITEMS
from tests.coc_admin.api.conftest import Api, api_for
from tests.coc_admin.console import scene
from tests.factories import browser_of
from tests.orders.payloads import order_document

OPERATIONS = {
    "placeOrder": ("post", "/api/v1/sites/{siteId}/orders"),
    "listOrders": ("get", "/api/v1/sites/{siteId}/orders"),
    "getOrder": ("get", "/api/v1/sites/{siteId}/orders/{orderNo}"),
    "changeOrder": ("patch", "/api/v1/sites/{siteId}/orders/{orderNo}"),
    "cancelOrder": ("post", "/api/v1/sites/{siteId}/orders/{orderNo}/cancel"),
    "getInventory": ("get", "/api/v1/sites/{siteId}/inventory/{sku}"),
    "getStatus": ("get", "/api/v1/status"),
    "listOutages": ("get", "/api/v1/outages"),
    "startRun": ("post", "/api/v1/reconciliation/runs"),
    "listRuns": ("get", "/api/v1/reconciliation/runs"),
    "getRun": ("get", "/api/v1/reconciliation/runs/{runId}"),
    "listReports": ("get", "/api/v1/reports"),
    "getReport": ("get", "/api/v1/reports/{fileName}"),
    "listAlerts": ("get", "/api/v1/alerts"),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    # Without the database: the document depends only on the code.
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    method, path = OPERATIONS[name]
    found: dict[str, Any] = document["paths"][path][method]
    return found


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def test_every_operation_is_in_it(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    found = {
        one["operationId"]: (method, path)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }
    assert found == OPERATIONS


def test_every_operation_needs_a_token_and_tells_its_refusals(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"] == {
        "BearerToken": {"type": "http", "scheme": "bearer"}
    }
    for name in OPERATIONS:
        found = operation(document, name)
        assert found["security"] == [{"BearerToken": []}], name
        assert found["description"], name
        assert {"400", "401", "403", "404", "500"} <= set(found["responses"]), name
        for status, answer in found["responses"].items():
            kind = "application/problem+json"
            assert (kind in answer["content"]) == (int(status) >= 400), (name, status)
        if "requestBody" in found:
            assert {"413", "415"} <= set(found["responses"]), name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        _, _, kind, name = reference.split("/")
        assert name in document["components"][kind], reference
    for name, found in document["components"]["schemas"].items():
        OAS31Validator.check_schema(found)
        assert found, name


def test_path_parameters_are_those_of_the_path(document: dict[str, Any]) -> None:
    for name, (_, path) in OPERATIONS.items():
        declared = {
            one["name"] for one in operation(document, name)["parameters"] if one["in"] == "path"
        }
        assert declared == set(re.findall(r"{(\w+)}", path)), name


def test_the_schema_of_an_order_is_what_is_accepted(document: dict[str, Any]) -> None:
    assert operation(document, "placeOrder")["requestBody"]["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/PlacedOrder"}
    }
    placed = schema(document, "PlacedOrder")
    jsonschema.validate(order_document(), placed)
    for wrong in (
        order_document(currency="usd"),
        order_document(items=[]),
        order_document(items=[("MUG-01", 0)]),
        order_document(items=[("MUG-01", 1)] * (MAX_ITEMS + 1)),
        order_document(orderTotal="42"),
        order_document("x" * 51),
        {},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, placed)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sites/NorthShop/orders", "OrderPage"),
        ("sites/NorthShop/orders/0000012341", "OrderAnswer"),
        ("sites/NorthShop/inventory/MUG-01", "InventoryAnswer"),
        ("status", "StatusAnswer"),
        ("reconciliation/runs", "RunPage"),
        ("reports", "ReportPage"),
        ("alerts", "AlertList"),
        ("sites/NorthShop/orders/none", "ProblemAnswer"),
        ("sites/NorthShop/orders?limit=0", "ProblemAnswer"),
    ],
)
def test_answers_are_as_described(db: None, document: dict[str, Any], path: str, name: str) -> None:
    outage = scene.build_scene()
    answer = api_for(outage.site).get(path)
    jsonschema.validate(json.loads(answer.content), schema(document, name))


def test_scopes_are_those_of_the_design() -> None:
    assert TokenScope.values == [
        "orders:read",
        "orders:write",
        "inventory:read",
        "status:read",
        "reconciliation:run",
        "reports:read",
        "alerts:read",
    ]


class TestPage:
    def test_a_stranger_can_read_it(self, db: None, client: Client) -> None:
        answer = client.get("/api/v1/docs")
        page = answer.content.decode()
        assert answer.status_code == 200
        for name, (method, path) in OPERATIONS.items():
            assert f'id="{name}"' in page
            assert f"{method.upper()} {path}" in page

    def test_nothing_comes_from_elsewhere_and_no_script_is_inline(
        self, db: None, client: Client
    ) -> None:
        answer = client.get("/api/v1/docs")
        page = answer.content.decode()
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
        assert not re.findall(r"<script(?![^>]*\bsrc=)", page)
        assert " style=" not in page
        assert " onclick=" not in page

    def test_every_link_within_it_leads_somewhere(self, db: None, client: Client) -> None:
        page = client.get("/api/v1/docs").content.decode()
        targets = set(re.findall(r'id="([^"]+)"', page))
        links = set(re.findall(r'href="#([^"]+)"', page))
        assert len(links) > 20
        assert links <= targets

    def test_the_console_leads_to_it(self, site: Site) -> None:
        browser = browser_of(scene.make_user("vera", *scene.VIEWER))
        assert 'href="/api/v1/docs"' in browser.get("/").content.decode()
        assert browser.get("/api/v1/docs").status_code == 200


def test_the_document_is_the_same_each_time(stranger: Api) -> None:
    first, second = (stranger.get("openapi.json").content for _ in range(2))
    assert first == second

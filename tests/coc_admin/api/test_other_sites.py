"""A token of one site against another site, by every operation and every parameter there is.

Each row names something of the other site; the answer must be the one for what does not exist, and
nothing may have changed. The table is held against the API's own document.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from orders.models import Hold, InventoryList, InventoryRecord, Order, OrderItem, Site
from reconciliation.models import EntryState, ReportDay, Run, RunState, Scope, Trigger
from reconciliation.reports import names as report_names
from tests import factories
from tests.coc_admin.api.conftest import Api, api_for
from tests.coc_admin.console import scene
from tests.orders.payloads import order_document

pytestmark = pytest.mark.django_db

SOUTH = "South Shop & Co"
LIST, NOWHERE = "South-stock", "nowhere"


def lines(list_id: str, *, below: str = "") -> dict[str, Any]:
    document = order_document("N-9", items=[("MUG-01", 1)])
    line = document["productItems"][0]
    if below:
        line[below] = [{"itemId": "sub", "productId": "CUP-02", "quantity": 1}]
        line = line[below][0]
    line["inventoryId"] = list_id
    return document


def scope(**data: Any) -> dict[str, Any]:
    (name,) = [one for one in data if one != "inventoryListId"]
    names = {"orders": "orders", "run": "run", "sku": "sku"}
    return {"scope": names[name], "scopeData": data, "reason": "again"}


# Operation and what of it names something; how to ask for the other site's, and for nobody's.
ROWS: dict[str, tuple[str, str, Any, str, Any]] = {
    "listOrders siteId": ("GET", "sites/{site}/orders", None, "sites/{none}/orders", None),
    "placeOrder siteId": (
        *("POST", "sites/{site}/orders", order_document("N-8", items=[("MUG-01", 1)])),
        *("sites/{none}/orders", order_document("N-8", items=[("MUG-01", 1)])),
    ),
    "placeOrder productItems[].inventoryId": (
        *("POST", "sites/NorthShop/orders", lines(LIST)),
        *("sites/NorthShop/orders", lines(NOWHERE)),
    ),
    "placeOrder productItems[].bundledProductItems[].inventoryId": (
        *("POST", "sites/NorthShop/orders", lines(LIST, below="bundledProductItems")),
        *("sites/NorthShop/orders", lines(NOWHERE, below="bundledProductItems")),
    ),
    "placeOrder productItems[].optionItems[].inventoryId": (
        *("POST", "sites/NorthShop/orders", lines(LIST, below="optionItems")),
        *("sites/NorthShop/orders", lines(NOWHERE, below="optionItems")),
    ),
    "cancelOrder siteId": (
        *("POST", "sites/{site}/orders/S-1/cancel", {"reason": "no"}),
        *("sites/{none}/orders/S-1/cancel", {"reason": "no"}),
    ),
    "cancelOrder orderNo": (
        *("POST", "sites/NorthShop/orders/S-1/cancel", {"reason": "no"}),
        *("sites/NorthShop/orders/X-1/cancel", {"reason": "no"}),
    ),
    "getOrder siteId": ("GET", "sites/{site}/orders/S-1", None, "sites/{none}/orders/S-1", None),
    "getOrder orderNo": (
        *("GET", "sites/NorthShop/orders/S-1", None),
        *("sites/NorthShop/orders/X-1", None),
    ),
    "changeOrder siteId": (
        *("PATCH", "sites/{site}/orders/S-1", {"exportStatus": "failed"}),
        *("sites/{none}/orders/S-1", {"exportStatus": "failed"}),
    ),
    "changeOrder orderNo": (
        *("PATCH", "sites/NorthShop/orders/S-1", {"exportStatus": "failed"}),
        *("sites/NorthShop/orders/X-1", {"exportStatus": "failed"}),
    ),
    "getInventory siteId": (
        *("GET", "sites/{site}/inventory/MUG-01", None),
        *("sites/{none}/inventory/MUG-01", None),
    ),
    "getInventory sku": (
        *("GET", "sites/NorthShop/inventory/SOUTH-ONLY", None),
        *("sites/NorthShop/inventory/NOBODYS", None),
    ),
    "getRun runId": ("GET", "reconciliation/runs/{run}", None, "reconciliation/runs/987654", None),
    "listReports site": ("GET", "reports?site={site}", None, "reports?site={none}", None),
    "getReport fileName": (
        *("GET", "reports/{report}", None),
        *("reports/20260202_offline_Nobody.json", None),
    ),
    "startRun scopeData.orders": (
        *("POST", "reconciliation/runs", scope(orders=["S-1"])),
        *("reconciliation/runs", scope(orders=["X-1"])),
    ),
    "startRun scopeData.run": (
        *("POST", "reconciliation/runs", scope(run=0)),
        *("reconciliation/runs", scope(run=987654)),
    ),
    "startRun scopeData.sku": (
        *("POST", "reconciliation/runs", scope(sku="SOUTH-ONLY")),
        *("reconciliation/runs", scope(sku="NOBODYS")),
    ),
    "startRun scopeData.inventoryListId": (
        *("POST", "reconciliation/runs", scope(sku="SOUTH-ONLY", inventoryListId=LIST)),
        *("reconciliation/runs", scope(sku="SOUTH-ONLY", inventoryListId=NOWHERE)),
    ),
}
# What narrows or pages the token's own rows, and names nothing of anybody.
HARMLESS = {
    *("reservationState", "exportStatus", "capturedFrom", "capturedTo", "capturedOffline"),
    *("limit", "cursor", "date", "kind", "format"),
}


@pytest.fixture
def north() -> Site:
    return scene.make_shop()


@pytest.fixture
def names(north: Site) -> dict[str, Any]:
    """Return the other site's names: an order, a run of its own and a report."""
    south = scene.make_shop(SOUTH)
    factories.know_stock({"SOUTH-ONLY": 9}, list_id=LIST, at=scene.NOW)
    order = scene.place(south, "S-1", items=[("SOUTH-ONLY", 2), ("MUG-01", 1)])
    run = Run.objects.create(
        trigger=Trigger.API,
        actor="storefront",
        scope=Scope.MISSING,
        scope_data={"site": south.pk},
        state=RunState.COMPLETED,
        created_at=scene.NOW,
        is_active=False,
    )
    scene.enter(run, order, EntryState.OCI_OFFLINE)
    report = ReportDay.objects.create(
        site=south, date=scene.NOW.date(), report_type="offline", order_count=1
    )
    return {
        "site": "South%20Shop%20%26%20Co",
        "none": "Nobody",
        "run": run.pk,
        "report": report_names.name_of(report).replace("&", "%26"),
    }


def rows() -> list[Any]:
    models = (Order, OrderItem, Hold, InventoryRecord, Run, InventoryList)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def told(answer: Any, *own: str) -> tuple[Any, ...]:
    """Return an answer without the words of its request."""
    body = answer.content.decode()
    for word in own:
        body = body.replace(word, "?")
    return answer.status_code, answer["Content-Type"], body


@pytest.mark.parametrize("row", ROWS)
def test_what_another_site_has_is_answered_like_what_nobody_has(
    north: Site, names: dict[str, Any], row: str
) -> None:
    scene.set_connection(scene.ConnectionState.ONLINE)
    method, path, body, other_path, other_body = ROWS[row]
    if row.endswith("scopeData.run"):
        body = scope(run=names["run"])
    api, before = api_for(north), rows()

    theirs = api(method, path.format(**names), body)
    nobodys = api(method, other_path.format(**names), other_body)

    assert 400 <= theirs.status_code < 500, theirs.content
    assert theirs["Content-Type"] == "application/problem+json"
    words = [LIST, NOWHERE, "SOUTH-ONLY", "NOBODYS", SOUTH, "Nobody", str(names["run"]), "987654"]
    assert told(theirs, *words) == told(nobodys, *words)
    assert rows() == before


def test_lists_of_everything_have_nothing_of_the_other_site(
    north: Site, names: dict[str, Any]
) -> None:
    scene.place(north, "N-1")
    api = api_for(north)
    for path in ("sites/NorthShop/orders", "reconciliation/runs", "reports", "alerts", "status"):
        answer = api.get(path)
        assert answer.status_code == 200
        for word in ("S-1", "SOUTH", "South"):
            assert word not in answer.content.decode(), path
    assert api.get("status").json()["waiting"]["orders"] == 1
    assert api.get("reconciliation/runs").json()["runs"] == []
    # There is no parameter by which another list could be asked for.
    assert api.get(f"sites/NorthShop/inventory/MUG-01?inventoryListId={LIST}").status_code == 400


def test_the_table_names_every_parameter_of_every_operation() -> None:
    document = json.loads(Client().get("/api/v1/openapi.json").content)
    wanted = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] not in HARMLESS:
                    wanted.add(f"{operation['operationId']} {parameter['name']}")
    shapes = document["components"]["schemas"]
    wanted |= {f"startRun scopeData.{name}" for name in shapes["ScopeData"]["properties"]}
    for below in ("", ".bundledProductItems[]", ".optionItems[]"):
        wanted.add(f"placeOrder productItems[]{below}.inventoryId")
    assert set(ROWS) == wanted


def test_stock_of_a_permitted_list_is_sold_and_of_another_never(
    north: Site, names: dict[str, Any]
) -> None:
    api, before = Api(api_for(north).token), rows()
    refused = api.post("sites/NorthShop/orders", lines(LIST))
    assert refused.status_code == 400
    assert refused.json()["type"].endswith("order-invalid")
    assert refused.json()["problems"] == [
        {
            "field": "productItems[0].inventoryId",
            "message": "is not an inventory list that the site may sell from",
        }
    ]
    assert rows() == before

    factories.permit_lists(north, LIST)
    assert api.post("sites/NorthShop/orders", lines(LIST)).status_code == 201
    assert InventoryRecord.objects.get(inventory_list=LIST, sku="MUG-01").ato == 98
    # What was accepted is found again, whatever is permitted by then.
    factories.permit_lists(north)
    assert api.post("sites/NorthShop/orders", lines(LIST)).status_code == 200
    later = lines(LIST) | {"orderNo": "N-10"}
    assert api.post("sites/NorthShop/orders", later).status_code == 400
    # Its own list may be named, too.
    own = lines("NorthShop-stock") | {"orderNo": "N-11"}
    assert api.post("sites/NorthShop/orders", own).status_code == 201

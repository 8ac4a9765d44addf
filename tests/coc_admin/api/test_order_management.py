"""What an order management system sees: whole documents, their version, several sites, outages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coc_admin.accounts import tokens
from coc_admin.models import TokenScope
from orders import settlement
from orders.actors import person
from orders.models import OrderEvent, OrderPayload, RefusedOrder, Site
from orders.privacy import erase
from reconciliation.models import ConnectionState
from tests.coc_admin.api.conftest import Api, api_for, body, problem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import NOW, Scene

LIST = "sites/NorthShop/orders"
SOUTH = "South Shop & Co"
MIA = person("mia")


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


def test_customer_addresses_and_totals_as_they_were_sent(api: Api, outage: Scene) -> None:
    payload = OrderPayload.objects.get(order=outage.partial)
    sent = json.loads(payload.body) | {
        "billingAddress": {"lastName": "Reed", "x_flag": 1.5},
        "shipments": [{"shipmentId": "me", "shippingAddress": {"city": "Kiel"}}],
        "taxTotal": 1.9,
        "productSubTotal": 24,
        "paymentInstruments": [{"secret": "4111"}],
    }
    OrderPayload.objects.filter(pk=payload.pk).update(body=json.dumps(sent))
    path = f"{LIST}/{outage.partial.order_no}"
    found = body(api.get(path))
    assert found["customerInfo"] == {"customerName": "Ada Reed", "email": "ada@example.test"}
    assert found["billingAddress"] == {"lastName": "Reed", "x_flag": 1.5}
    assert found["shipments"] == sent["shipments"]
    assert found["totals"] == {"orderTotal": 28.5, "taxTotal": 1.9, "productSubTotal": 24}
    assert "4111" not in json.dumps(found)

    erase(order_ids=[outage.partial.pk], actor=MIA, reason="asked", now=NOW)
    erased = body(api.get(path))
    assert (erased["customerInfo"], erased["billingAddress"], erased["shipments"]) == ({}, None, [])
    assert erased["version"] > found["version"]


def test_what_is_short_is_not_known_while_it_waits(api: Api, outage: Scene) -> None:
    waiting = body(api.get(f"{LIST}/{outage.waiting.order_no}"))
    assert {one["shortQuantity"] for one in waiting["items"]} == {None}


def test_the_version_grows_with_what_the_document_shows(api: Api, outage: Scene) -> None:
    path = f"{LIST}/{outage.partial.order_no}"
    before = body(api.get(path))
    settlement.settle_outside(
        order_id=outage.partial.pk, reference="PO-7", actor=MIA, reason="bought", now=NOW
    )
    after = body(api.get(path))
    assert after["version"] == before["version"] + 1
    assert after["resolution"] == {
        "kind": "settled_outside",
        "at": "2026-02-02T12:00:00.000Z",
        "by": "mia",
        "reference": "PO-7",
        "note": "PO-7: bought",
    }
    changed = api.patch(path, {"exportStatus": "exported", "version": before["version"]})
    told = problem(changed, 409, "order-changed")
    assert told["version"] == after["version"]
    assert body(api.get(path)) == after

    taken = body(api.patch(path, {"exportStatus": "exported", "version": after["version"]}))
    assert taken == after | {"exportStatus": "exported", "acknowledgedVersion": after["version"]}
    again = api.patch(path, {"exportStatus": "exported", "version": after["version"]})
    assert body(again) == taken
    assert OrderEvent.objects.filter(kind="export").count() == 1


def test_failed_there_and_resubmitted(api: Api, outage: Scene) -> None:
    path = f"{LIST}/{outage.complete.order_no}"
    body(api.patch(path, {"exportStatus": "failed"}))
    assert body(api.patch(path, {"exportStatus": "ready"}))["exportStatus"] == "ready"


class TestTokensOfSeveralSites:
    def api(self, **of: Any) -> Api:
        return Api(tokens.make(name=str(of)[:90], scopes=TokenScope.values, **of))

    def test_each_of_its_sites_and_no_other(self, outage: Scene) -> None:
        other = Site.objects.get(pk=SOUTH)
        scene.place(other, "THEIRS")
        third = Site.objects.create(id="third", inventory_list=other.inventory_list)
        two = self.api(sites=[outage.site, other])
        assert body(two.get(f"sites/{SOUTH}/orders"))["orders"][0]["orderNo"] == "THEIRS"
        assert body(two.get(LIST))["orders"]
        problem(two.get("sites/third/orders"), 404, "not-found")
        assert body(Api(two.token).get("status"))["waiting"]["orders"] == 2
        assert body(api_for(outage.site).get("status"))["waiting"]["orders"] == 1
        assert [one["siteId"] for one in body(two.get("status"))["sites"]] == ["NorthShop", SOUTH]
        every = self.api(every_site=True)
        assert body(every.get(f"sites/{third.pk}/orders"))["orders"] == []
        for path in ("reconciliation/runs", "reports", "alerts", "outages"):
            assert body(every.get(path)) is not None


def test_an_outage_says_requested_accepted_and_refused(api: Api, outage: Scene) -> None:
    scene.set_connection(ConnectionState.OFFLINE)
    Site.objects.filter(pk="NorthShop").update(offline_capture=False)
    document = {
        "orderNo": "R-1",
        "currency": "EUR",
        "productItems": [{"productId": "MUG-01", "quantity": 2, "basePrice": 5}],
        "orderTotal": 10,
    }
    for _ in range(2):
        problem(api.post(LIST, document), 503, "offline-capture-off")
    assert RefusedOrder.objects.get().attempts == 2

    status = body(api.get("status"))
    (site,) = status["sites"]
    assert (site["orders"], site["limit"]) == ("refused", "off")
    found = status["outage"]
    assert found["refused"] == {"orders": 1, "units": 2, "value": {"EUR": 10}}
    assert found["refusedByType"] == {"offline-capture-off": 1}
    for name in ("orders", "units"):
        assert found["requested"][name] == found["accepted"][name] + found["refused"][name]
    assert body(api.get("outages"))["outages"][0] == found
    theirs = body(api_for(Site.objects.get(pk=SOUTH)).get("outages"))["outages"][0]
    assert theirs["refused"]["orders"] == 0
    metrics = api.client.get("/metrics").content.decode()
    assert 'coc_outage_orders{kind="refused"} 1.0' in metrics
    assert 'coc_outage_orders_refused{type="offline-capture-off"} 1.0' in metrics
    assert 'coc_outage_units{kind="refused"} 2.0' in metrics

"""Reading orders and ATO."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coc_admin.api import orders
from orders.models import InventoryRecord, Movement, Order, OrderEvent, Site
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import NOW, Scene
from tests.orders.payloads import PLAIN_LINE

LIST = "sites/NorthShop/orders"


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


def rows() -> list[list[dict[str, Any]]]:
    return [list(m.objects.order_by("pk").values()) for m in (Order, OrderEvent, Movement)]


def numbers(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [order["orderNo"] for order in json.loads(answer.content)["orders"]]


def test_one_order(api: Api, outage: Scene) -> None:
    answer = api.get(f"{LIST}/{outage.partial.order_no}")

    assert answer.status_code == 200
    assert json.loads(answer.content) == {
        "orderNo": "0000012341",
        "siteId": "NorthShop",
        "status": "new",
        "reservationState": "PARTIALLY_RESERVED",
        "capturedOffline": True,
        "needsReview": False,
        "exportStatus": "ready",
        "promisedUntil": None,
        "capturedAt": "2026-02-02T11:01:00.000Z",
        "reconciledAt": "2026-02-02T11:51:00.000Z",
        "version": 2,
        "acknowledgedVersion": None,
        "handoverAt": None,
        "creationDate": "",
        "currency": "EUR",
        "orderTotal": 28.5,
        "totals": {"orderTotal": 28.5},
        "customerInfo": {"customerName": "Ada Reed", "email": "ada@example.test"},
        "billingAddress": None,
        "shippingAddress": None,
        "shipments": [],
        "customerErasedAt": None,
        "resolution": None,
        "items": [
            {
                "itemId": "1",
                "sku": "MUG-01",
                "quantity": 2,
                "reservedQuantity": 1,
                "shortQuantity": 1,
                **PLAIN_LINE,
                "productName": "Stoneware MUG-01",
                "inventoryListId": "NorthShop-stock",
                "unitPrice": 9.5,
                "replacedByItemIds": [],
                "partItemIds": [],
            },
            {
                "itemId": "2",
                "sku": "CUP-02",
                "quantity": 1,
                "reservedQuantity": 0,
                "shortQuantity": 1,
                **PLAIN_LINE,
                "productName": "Stoneware CUP-02",
                "inventoryListId": "NorthShop-stock",
                "unitPrice": 9.5,
                "replacedByItemIds": [],
                "partItemIds": [],
            },
        ],
    }


def test_no_such_order(api: Api) -> None:
    problem(api.get(f"{LIST}/nothing"), 404, "not-found")
    problem(api.patch(f"{LIST}/nothing", {"exportStatus": "failed"}), 404, "not-found")
    problem(api.post(f"{LIST}/nothing/cancel", {"reason": "x"}), 404, "not-found")


class TestList:
    def test_oldest_first_with_the_answers_of_single_orders(self, api: Api, outage: Scene) -> None:
        answer = api.get(LIST)

        assert numbers(answer) == [f"00000123{n}" for n in range(40, 46)]
        body = json.loads(answer.content)
        assert body["nextCursor"] is None
        for order in body["orders"]:
            assert order == json.loads(api.get(f"{LIST}/{order['orderNo']}").content)

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("reservationState=RESERVATION_MISSING", ["43", "44", "45"]),
            ("reservationState=COMPLETELY_RESERVED", ["40"]),
            ("reservationState=PARTIALLY_RESERVED", ["41"]),
            ("reservationState=NOTHING_RESERVED", ["42"]),
            ("exportStatus=ready", ["40", "41", "42"]),
            ("exportStatus=exported", []),
            ("exportStatus=ready&reservationState=NOTHING_RESERVED", ["42"]),
            ("capturedOffline=true", ["40", "41", "42", "43", "44", "45"]),
            ("capturedOffline=false", []),
            ("capturedFrom=2026-02-02T11:04:00Z", ["44", "45"]),
            ("capturedFrom=2026-02-02T12:04:00%2B01:00", ["44", "45"]),
            ("capturedTo=2026-02-02T11:02:00Z", ["40", "41"]),
            ("capturedFrom=2026-02-02T11:01:00Z&capturedTo=2026-02-02T11:02:00Z", ["41"]),
            ("limit=2", ["40", "41"]),
        ],
    )
    def test_filters(self, api: Api, query: str, found: list[str]) -> None:
        assert numbers(api.get(f"{LIST}?{query}")) == [f"00000123{n}" for n in found]

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("reservationState=missing", "reservationState"),
            ("exportStatus=READY", "exportStatus"),
            ("capturedOffline=maybe", "capturedOffline"),
            ("capturedFrom=yesterday", "capturedFrom"),
            ("capturedFrom=1769990400", "capturedFrom"),
            ("capturedFrom=2026-02-02T11:04:00", "capturedFrom"),
            ("capturedTo=0001-01-01T00:00:00%2B14:00", "capturedTo"),
            ("capturedTo=99999999999999999999", "capturedTo"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=-1", "limit"),
            ("limit=many", "limit"),
            ("limit=" + "9" * 5000, "limit"),
            ("cursor=x", "cursor"),
            ("cursor=%00", "cursor"),
            ("cursor=" + "A" * 101, "cursor"),
            ("cursor=WzEsMl0", "cursor"),  # [1,2]
            ("cursor=WyJ4IiwyXQ", "cursor"),  # ["x",2]
            ("cursor=WyIyMDI2LTAyLTAyVDEyOjAwOjAwKzAwOjAwIiwxZTk5XQ", "cursor"),  # 1e99
            ("cursor=bnVsbA", "cursor"),  # null
            ("captureFrom=2026-02-02T11:04:00Z", "captureFrom"),
            ("%00=1", "\ufffd"),
        ],
    )
    def test_a_query_that_makes_no_sense_names_its_parameter(
        self, api: Api, query: str, field: str
    ) -> None:
        body = problem(api.get(f"{LIST}?{query}"), 400, "invalid-request")
        assert [one["field"] for one in body["problems"]] == [field]

    def test_pages_hold_every_order_once(self, api: Api, outage: Scene) -> None:
        # Several of one moment: their sequence breaks the tie.
        Order.objects.filter(order_no__in=["0000012341", "0000012342", "0000012343"]).update(
            captured_at=NOW
        )
        for limit in (1, 2, 4, 6, 200):
            found, cursor = [], ""
            while True:
                answer = api.get(f"{LIST}?limit={limit}{cursor}")
                page = numbers(answer)
                assert len(page) <= limit
                found += page
                after = json.loads(answer.content)["nextCursor"]
                if after is None:
                    break
                cursor = f"&cursor={after}"
            assert found == [f"00000123{n}" for n in (40, 44, 45, 41, 42, 43)]

    def test_the_lines_of_a_page_are_bounded(
        self, api: Api, outage: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(orders, "MOST_ITEMS", 5)  # each order has two
        answer = api.get(LIST)
        assert numbers(answer) == ["0000012340", "0000012341"]
        cursor = json.loads(answer.content)["nextCursor"]
        assert numbers(api.get(f"{LIST}?cursor={cursor}")) == ["0000012342", "0000012343"]
        monkeypatch.setattr(orders, "MOST_ITEMS", 1)
        assert numbers(api.get(LIST)) == ["0000012340"]

    def test_the_number_of_queries_does_not_grow(self, api: Api, outage: Scene) -> None:
        api.get(LIST)
        with CaptureQueriesContext(connection) as few:
            api.get(f"{LIST}?limit=1")
        with CaptureQueriesContext(connection) as many:
            api.get(f"{LIST}?limit=200")
        assert len(few) == len(many) <= 6


def test_methods_that_are_not_there(api: Api, outage: Scene) -> None:
    order = f"{LIST}/{outage.waiting.order_no}"
    for method, path, allowed in (
        ("DELETE", LIST, {"GET", "POST"}),
        ("DELETE", order, {"GET", "PATCH"}),
        ("PUT", f"{order}/cancel", {"GET", "PATCH", "POST"}),
    ):
        answer = api(method, path)
        problem(answer, 405, "method-not-allowed")
        assert set(answer["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("body", [{"reason": "x"}, {}, {"exportStatus": "exported"}])
def test_cancelling_is_a_post(api: Api, outage: Scene, body: dict[str, str]) -> None:
    before = rows()
    answer = api.patch(f"{LIST}/{outage.waiting.order_no}/cancel", body)
    problem(answer, 405, "method-not-allowed")
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}
    assert rows() == before


def test_orders_of_another_site_are_not_there(api: Api, outage: Scene) -> None:
    other = Site.objects.get(pk="South Shop & Co")
    # The same number at both sites.
    scene.place(other, outage.waiting.order_no)
    theirs = scene.place(other, "THEIRS")
    before = rows()

    assert "THEIRS" not in numbers(api.get(LIST))
    for site in ("South%20Shop%20&%20Co", "Nowhere"):
        base = f"sites/{site}/orders"
        answers = [
            api.get(base),
            api.post(base, {}),
            api.get(f"{base}/THEIRS"),
            api.patch(f"{base}/THEIRS", {"exportStatus": "failed"}),
            api.post(f"{base}/THEIRS/cancel", {"reason": "x"}),
            api.get(f"sites/{site}/inventory/MUG-01"),
        ]
        assert {problem(answer, 404, "not-found")["detail"] for answer in answers} == {
            "There is no such site, or the token is not good for it."
        }
    problem(api.get(f"{LIST}/{theirs.order_no}"), 404, "not-found")
    assert rows() == before


def test_inventory(api: Api, outage: Scene) -> None:
    answer = api.get("sites/NorthShop/inventory/MUG-01")

    assert answer.status_code == 200
    record = InventoryRecord.objects.get(sku="MUG-01", inventory_list="NorthShop-stock")
    assert json.loads(answer.content) == {
        "sku": "MUG-01",
        "inventoryListId": "NorthShop-stock",
        "ato": int(record.ato),
        "held": int(record.held),
        "snapshotAt": (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def test_inventory_of_a_sku_without_a_figure(api: Api, outage: Scene) -> None:
    InventoryRecord.objects.create(inventory_list_id="NorthShop-stock", sku="NEW#1?")
    answer = api.get("sites/NorthShop/inventory/NEW%231%3F")
    assert json.loads(answer.content) == {
        "sku": "NEW#1?",
        "inventoryListId": "NorthShop-stock",
        "ato": None,
        "held": 0,
        "snapshotAt": None,
    }


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("sku", ["NONE", "mug-01", "MUG%2001", "%00", "..", "%ED%A0%80", "x" * 251])
def test_inventory_of_what_is_no_sku_here(api: Api, sku: str) -> None:
    problem(api.get(f"sites/NorthShop/inventory/{sku}"), 404, "not-found")

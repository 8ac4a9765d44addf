"""POST /sites/{siteId}/orders: stored once, answered exactly, or refused with nothing kept."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from orders.models import (
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from reconciliation.reservation import placement
from tests.coc_admin.api.conftest import Api, problem
from tests.orders.payloads import PLAIN_LINE, order_document, raw_order
from tests.reconciliation.oci.simulator_process import SimulatorProcess
from tests.sources import CASES

ORDERS = "sites/NorthShop/orders"


def everything() -> list[list[dict[str, Any]]]:
    """Return every row that placing an order could touch."""
    models = (Order, OrderItem, OrderPayload, OrderEvent, Hold, Movement, InventoryRecord)
    return [list(model.objects.order_by("pk").values()) for model in models]


class TestOffline:
    @pytest.fixture(autouse=True)
    def _away(self, offline: None) -> None:
        pass

    def test_created(self, api: Api) -> None:
        answer = api.post(ORDERS, order_document("A-1", [("MUG-01", 2), ("CUP-02", 0.25)]))

        assert answer.status_code == 201
        assert answer["Content-Type"] == "application/json"
        assert answer["Location"] == "/api/v1/sites/NorthShop/orders/A-1"
        body = json.loads(answer.content)
        assert datetime.fromisoformat(body.pop("capturedAt")).utcoffset() is not None
        assert body == {
            "orderNo": "A-1",
            "siteId": "NorthShop",
            "status": "new",
            "reservationState": "RESERVATION_MISSING",
            "capturedOffline": True,
            "needsReview": False,
            "exportStatus": "not_exported",
            "promisedUntil": None,
            "reconciledAt": None,
            "items": [
                {
                    "itemId": "item-0",
                    "sku": "MUG-01",
                    "quantity": 2,
                    "reservedQuantity": 0,
                    "shortQuantity": None,
                    **PLAIN_LINE,
                },
                {
                    "itemId": "item-1",
                    "sku": "CUP-02",
                    "quantity": 0.25,
                    "reservedQuantity": 0,
                    "shortQuantity": None,
                    **PLAIN_LINE,
                },
            ],
        }
        assert InventoryRecord.objects.get(sku="MUG-01").ato == 98
        event = OrderEvent.objects.get()
        assert (event.actor_kind, event.actor) == ("api", "storefront")

    def test_the_same_again_is_answered_with_what_is_stored(self, api: Api) -> None:
        first = api.post(ORDERS, raw_order("A-1"))
        before = everything()

        # The same meaning, other bytes.
        again = api.post(ORDERS, json.dumps(order_document("A-1"), indent=3).encode())

        assert (first.status_code, again.status_code) == (201, 200)
        assert json.loads(again.content) == json.loads(first.content)
        assert again["Location"] == first["Location"]
        assert everything() == before

    def test_the_number_with_other_content_is_refused(self, api: Api) -> None:
        api.post(ORDERS, raw_order("A-1"))
        before = everything()

        body = problem(
            api.post(ORDERS, raw_order("A-1", [("CUP-02", 9)])), 409, "order-number-taken"
        )

        assert body["title"] == "The order number is taken"
        assert everything() == before

    def test_short_on_what_is_known(self, api: Api) -> None:
        before = everything()

        answer = api.post(ORDERS, raw_order("A-1", [("MUG-01", 60), ("MUG-01", 41), ("CUP-02", 1)]))

        assert problem(answer, 409, "short-on-stock")["shortfalls"] == [
            {
                "sku": "MUG-01",
                "inventoryListId": "NorthShop-stock",
                "requested": 101,
                "available": 100,
            }
        ]
        assert everything() == before

    def test_an_unknown_sku(self, api: Api) -> None:
        before = everything()
        body = problem(api.post(ORDERS, raw_order("A-1", [("NONE", 1)])), 409, "unknown-sku")
        assert body["skus"] == ["NONE"]
        assert everything() == before

    def test_a_site_that_does_not_sell_offline(self, api: Api, site: Site) -> None:
        Site.objects.update(offline_capture=False)
        before = everything()

        answer = api.post(ORDERS, raw_order())

        assert "NorthShop" in problem(answer, 503, "offline-capture-off")["detail"]
        assert answer["Retry-After"] == "5"
        assert everything() == before

    def test_a_cap_of_the_site(self, api: Api) -> None:
        Site.objects.update(cap_units_per_order=3)
        before = everything()

        answer = api.post(ORDERS, raw_order("A-1", [("MUG-01", 4)]))

        assert problem(answer, 503, "offline-cap")["cap"] == "unitsPerOrder"
        assert answer["Retry-After"] == "5"
        assert everything() == before

    def test_every_fault_of_the_body_is_named(self, api: Api) -> None:
        before = everything()
        document = order_document("", [("A B", 1), ("MUG-01", -1)], currency="usd")

        body = problem(api.post(ORDERS, document), 400, "order-invalid")

        assert [one["field"] for one in body["problems"]] == [
            "orderNo",
            "currency",
            "productItems[0].productId",
            "productItems[1].quantity",
        ]
        assert everything() == before

    def test_two_thousand_lines(self, api: Api) -> None:
        lines: list[tuple[str, float]] = [(("MUG-01", "CUP-02")[n % 2], 0.05) for n in range(2000)]

        answer = api.post(ORDERS, raw_order("LONG", lines))

        assert answer.status_code == 201
        assert len(json.loads(answer.content)["items"]) == 2000
        assert InventoryRecord.objects.get(sku="MUG-01").ato == 50
        body = problem(
            api.post(ORDERS, raw_order("LONGER", [*lines, ("MUG-01", 1)])), 400, "order-invalid"
        )
        assert body["problems"] == [{"field": "productItems", "message": "at most 2,000 items"}]
        assert Order.objects.count() == 1

    def test_what_only_describes_never_refuses_a_sale(self, api: Api) -> None:
        raw = (CASES / "descriptive-text-refuses-order" / "order.json").read_bytes()
        raw = raw.replace(b'"A1"', b'"MUG-01"')
        assert api.post(ORDERS, raw).status_code == 201
        placed = Order.objects.get()
        line = placed.items.get()
        assert (placed.order_total, placed.customer) == (
            Decimal("0.3"),
            {"customerName": "Sean O’Example"},
        )
        assert (line.product_name, line.unit_price) == ("Mug blue", Decimal("8.2645"))
        assert OrderPayload.objects.get().body == raw.decode()

    def test_a_retry_that_was_stamped_again_is_found(self, api: Api) -> None:
        assert api.post(ORDERS, order_document("A-1")).status_code == 201
        before = everything()
        stamped = order_document("A-1", creationDate="2026-02-02T12:00:07.000Z")
        answer = api.post(ORDERS, stamped)
        assert (answer.status_code, json.loads(answer.content)["orderNo"]) == (200, "A-1")
        other = order_document("A-1", [("MUG-01", 2)], creationDate="2026-02-02T12:00:07.000Z")
        problem(api.post(ORDERS, other), 409, "order-number-taken")
        assert everything() == before

    def test_an_order_that_was_cancelled_elsewhere_is_refused(self, api: Api) -> None:
        before = everything()
        body = problem(
            api.post(ORDERS, order_document("A-1", status="cancelled")), 400, "order-invalid"
        )
        assert body["problems"] == [
            {"field": "status", "message": "the order is cancelled already"}
        ]
        assert everything() == before

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize("order_no", ["A/B", "a b", "Größe ♥", "50%", "..", "?#&", "x/cancel"])
    def test_a_strange_number_can_be_placed_and_found(self, api: Api, order_no: str) -> None:
        answer = api.post(ORDERS, order_document(order_no))

        assert answer.status_code == 201
        found = api.get(answer["Location"])
        assert found.status_code == 200
        document, placed = json.loads(found.content), json.loads(answer.content)
        # What was placed is a part of the whole document.
        items = [{name: one[name] for name in placed["items"][0]} for one in document["items"]]
        assert {name: document[name] for name in placed} | {"items": items} == placed


def test_a_database_that_is_busy(api: Api, offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(**_: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(placement.capture, "capture_order", locked)
    answer = api.post(ORDERS, raw_order())
    assert "locked" not in str(problem(answer, 503, "unavailable"))
    assert answer["Retry-After"] == "5"


def test_a_defect_of_ours_shows_nothing(
    api: Api, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(placement.capture, "capture_order", broken)
    answer = api.post(ORDERS, raw_order(), **{"X-Request-Id": "abcdefgh-1"})
    assert "secret" not in str(problem(answer, 500, "internal-error"))
    assert answer["X-Request-Id"] == "abcdefgh-1"


# With a live reservation the outcome is committed in steps, as in production.
@pytest.mark.django_db(transaction=True)
class TestOnline:
    def test_reserved_while_the_shopper_waits(self, oci: SimulatorProcess, api: Api) -> None:
        answer = api.post(ORDERS, raw_order("A-1", [("MUG-01", 2), ("CUP-02", 1)]))

        assert answer.status_code == 201
        body = json.loads(answer.content)
        assert body["reservationState"] == "COMPLETELY_RESERVED"
        assert body["capturedOffline"] is False
        assert body["status"] == "new"
        assert body["exportStatus"] == "ready"
        assert body["reconciledAt"] is not None
        assert [item["reservedQuantity"] for item in body["items"]] == [2, 1]
        assert [item["shortQuantity"] for item in body["items"]] == [0, 0]
        held = {row["sku"]: row["reserved"] for row in oci.books()["reserved"]}
        assert held == {"MUG-01": 2, "CUP-02": 1}

        again = api.post(ORDERS, raw_order("A-1", [("MUG-01", 2), ("CUP-02", 1)]))

        assert again.status_code == 200
        assert json.loads(again.content) == body
        assert len(oci.books()["documents"]) == 1

    def test_short_at_oci(self, oci: SimulatorProcess, api: Api) -> None:
        answer = api.post(ORDERS, raw_order("A-1", [("MUG-01", 2), ("CUP-02", 3)]))

        assert problem(answer, 409, "short-on-stock")["shortfalls"] == [
            {"sku": "CUP-02", "inventoryListId": "NorthShop-stock", "requested": 3, "available": 1}
        ]
        order = Order.objects.get()
        assert order.status == "failed"
        assert not [row for row in oci.books()["reserved"] if row["reserved"]]
        assert not Hold.objects.filter(state__in=["waiting", "answered"]).exists()
        # The figure was wrong; it has been renewed.
        assert InventoryRecord.objects.get(sku="CUP-02").ato == 1
        assert InventoryRecord.objects.get(sku="MUG-01").held == 0
        problem(
            api.post(ORDERS, raw_order("A-1", [("MUG-01", 2), ("CUP-02", 3)])), 409, "order-failed"
        )

    def test_no_answer_is_captured_offline(
        self, oci: SimulatorProcess, api: Api, settings: Any
    ) -> None:
        settings.COC_OCI_LIVE_TIMEOUT = 0.3
        oci.fault("hang")

        answer = api.post(ORDERS, raw_order("A-1"))

        body = json.loads(answer.content)
        assert (answer.status_code, body["capturedOffline"], body["reservationState"]) == (
            201,
            True,
            "RESERVATION_MISSING",
        )

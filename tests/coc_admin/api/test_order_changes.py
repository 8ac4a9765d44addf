"""Changing orders: their export status, cancelling."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orders.models import InventoryRecord, Movement, Order, OrderEvent
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console.scene import Scene

LIST = "sites/NorthShop/orders"


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


def rows() -> list[list[dict[str, Any]]]:
    return [list(m.objects.order_by("pk").values()) for m in (Order, OrderEvent, Movement)]


def taken(api: Api, path: str) -> dict[str, Any]:
    """Return the change by which order management takes the order as it is now."""
    return {"exportStatus": "exported", "version": json.loads(api.get(path).content)["version"]}


class TestExport:
    def test_taken_by_order_management(self, api: Api, outage: Scene) -> None:
        path = f"{LIST}/{outage.complete.order_no}"

        answer = api.patch(path, taken(api, path))

        assert answer.status_code == 200
        assert json.loads(answer.content)["exportStatus"] == "exported"
        assert answer.content == api.get(path).content
        event = OrderEvent.objects.latest("pk")
        assert (event.kind, event.actor, event.actor_kind) == ("export", "storefront", "api")

        before = rows()
        assert api.patch(path, taken(api, path)).content == answer.content
        assert rows() == before

    def test_nobody_takes_a_version_that_they_do_not_name(self, api: Api, outage: Scene) -> None:
        path, before = f"{LIST}/{outage.complete.order_no}", rows()
        for nothing in ({}, {"version": None}):
            answer = api.patch(path, {"exportStatus": "exported"} | nothing)
            problem(answer, 400, "invalid-request")
            assert [one["field"] for one in json.loads(answer.content)["problems"]] == ["version"]
        assert rows() == before
        assert api.patch(path, taken(api, path)).status_code == 200

    def test_a_short_one_can_be_taken_too(self, api: Api, outage: Scene) -> None:
        answer = api.patch(f"{LIST}/{outage.partial.order_no}", {"exportStatus": "failed"})
        assert json.loads(answer.content)["exportStatus"] == "failed"
        answer = api.patch(f"{LIST}/{outage.partial.order_no}", {"exportStatus": "ready"})
        assert json.loads(answer.content)["exportStatus"] == "ready"

    @pytest.mark.parametrize("which", ["waiting", "review", "cancelled"])
    def test_not_while_the_reservation_is_missing(
        self, api: Api, outage: Scene, which: str
    ) -> None:
        path, before = f"{LIST}/{getattr(outage, which).order_no}", rows()
        answer = api.patch(path, taken(api, path))
        problem(answer, 409, "export-refused")
        assert rows() == before

    def test_no_way_back(self, api: Api, outage: Scene) -> None:
        path = f"{LIST}/{outage.complete.order_no}"
        api.patch(path, taken(api, path))
        before = rows()
        for status in ("ready", "failed", "not_exported"):
            problem(api.patch(path, {"exportStatus": status}), 409, "export-refused")
        assert rows() == before

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "exportStatus"),
            ({"exportStatus": "EXPORTED"}, "exportStatus"),
            ({"exportStatus": None}, "exportStatus"),
            ({"exportStatus": ["exported"]}, "exportStatus"),
            ({"exportStatus": "failed", "status": "cancelled"}, "status"),
            ([], ""),
            ("exported", ""),
            (b"", ""),
            (b"{", ""),
            (b"\xff", ""),
            (b"[" * 60_000, ""),
            (b'{"exportStatus":"exported","exportStatus":"ready"}', ""),
            (b'{"exportStatus":NaN}', ""),
        ],
    )
    def test_a_body_that_makes_no_sense(
        self, api: Api, outage: Scene, body: Any, field: str
    ) -> None:
        before = rows()
        found = problem(
            api.patch(f"{LIST}/{outage.complete.order_no}", body), 400, "invalid-request"
        )
        assert [one["field"] for one in found["problems"]] == [field]
        assert rows() == before

    def test_bodies_are_bounded_and_json(self, api: Api, outage: Scene) -> None:
        path = f"{LIST}/{outage.complete.order_no}"
        before = rows()
        for size in (70_000, 9 * 1024 * 1024):
            problem(api.patch(path, b'"' + b"x" * size), 413, "body-too-large")
        answer = api("PATCH", path, b"exportStatus=exported", **{"Content-Type": "text/plain"})
        problem(answer, 415, "unsupported-media-type")
        assert rows() == before


class TestCancel:
    def test_a_waiting_order_is_cancelled_at_once(self, api: Api, outage: Scene) -> None:
        path = f"{LIST}/{outage.waiting.order_no}"
        ato = InventoryRecord.objects.get(sku="MUG-01", inventory_list="NorthShop-stock").ato

        answer = api.post(f"{path}/cancel", {"reason": "The shopper called."})

        assert answer.status_code == 200
        assert json.loads(answer.content)["status"] == "cancelled"
        assert answer.content == api.get(path).content
        record = InventoryRecord.objects.get(sku="MUG-01", inventory_list="NorthShop-stock")
        assert record.ato == ato + 2
        asked = OrderEvent.objects.get(order=outage.waiting, kind="cancel_requested")
        assert (asked.actor, asked.reason) == ("storefront", "The shopper called.")

        before = rows()
        again = api.post(f"{path}/cancel", {"reason": "Once more."})
        assert (again.status_code, again.content) == (200, answer.content)
        assert rows() == before

    def test_one_that_oci_knows_of_is_cancelled_soon(self, api: Api, outage: Scene) -> None:
        answer = api.post(f"{LIST}/{outage.complete.order_no}/cancel", {"reason": "x"})
        assert json.loads(answer.content)["status"] == "cancelling"

    def test_an_exported_one_is_not(self, api: Api, outage: Scene) -> None:
        path = f"{LIST}/{outage.complete.order_no}"
        api.patch(path, taken(api, path))
        before = rows()
        problem(api.post(f"{path}/cancel", {"reason": "x"}), 409, "cannot-cancel")
        assert rows() == before

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "reason"),
            ({"reason": ""}, "reason"),
            ({"reason": "   "}, "reason"),
            ({"reason": "x" * 501}, "reason"),
            ({"reason": 5}, "reason"),
            ({"reason": "a\x00b"}, "reason"),
            (b'{"reason":"\\ud800"}', "reason"),
            ({"reason": "x", "refund": True}, "refund"),
            (b"", ""),
        ],
    )
    def test_a_reason_is_needed(self, api: Api, outage: Scene, body: Any, field: str) -> None:
        before = rows()
        found = problem(
            api.post(f"{LIST}/{outage.waiting.order_no}/cancel", body), 400, "invalid-request"
        )
        assert [one["field"] for one in found["problems"]] == [field]
        assert rows() == before

"""Odd requests of real clients: taken where they mean one thing, or refused with the next step."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from orders.models import Order, OrderPayload, Site
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console.scene import Scene, build_scene
from tests.orders.payloads import order_document, raw_order

ORDERS = "sites/NorthShop/orders"
MARK = b"\xef\xbb\xbf"


@pytest.fixture
def shop(offline: None, site: Site) -> Site:
    return site


@pytest.fixture
def outage(db: None) -> Scene:
    return build_scene()


# Placing an order


def test_a_byte_order_mark_before_the_order_is_no_part_of_it(api: Api, shop: Site) -> None:
    assert api.post(ORDERS, MARK + raw_order("A-1")).status_code == 201
    assert json.loads(OrderPayload.objects.get().body) == order_document("A-1")
    assert api.post(ORDERS, raw_order("A-1")).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_named_as_such(api: Api, shop: Site, coding: str) -> None:
    packed = gzip.compress(raw_order("A-1"))
    answer = api.post(ORDERS, packed, **{"Content-Encoding": coding})
    told = problem(answer, 415, "unsupported-media-type")
    assert "Content-Encoding" in told["detail"]
    assert answer["Accept-Encoding"] == "identity"
    change = api.patch(f"{ORDERS}/A-1", {}, **{"Content-Encoding": coding})
    problem(change, 415, "unsupported-media-type")
    assert not Order.objects.exists()


def test_a_body_that_is_declared_as_it_is_can_be_sent(api: Api, shop: Site) -> None:
    answer = api.post(ORDERS, raw_order("A-1"), **{"Content-Encoding": "identity"})
    assert answer.status_code == 201


NULLS: tuple[dict[str, Any], ...] = (
    {"customerLocale": None, "status": None},
    {"c_gift": None},
    {"customerInfo": {**order_document()["customerInfo"], "customerId": None}},
    {"productItems": [order_document()["productItems"][0] | {"inventoryId": None}]},
)


@pytest.mark.parametrize("more", NULLS)
def test_null_is_absence_in_a_retry_too(api: Api, shop: Site, more: dict[str, Any]) -> None:
    with_nulls = order_document("A-1") | more
    assert api.post(ORDERS, order_document("A-1")).status_code == 201
    assert api.post(ORDERS, with_nulls).status_code == 200
    assert api.post(ORDERS, order_document("A-2") | more).status_code == 201
    assert api.post(ORDERS, order_document("A-2")).status_code == 200
    assert Order.objects.count() == 2


def test_other_content_is_still_another_order(api: Api, shop: Site) -> None:
    assert api.post(ORDERS, order_document("A-1", c_gift="no")).status_code == 201
    for other in ({"c_gift": None}, {"c_gift": "yes"}, {"c_gift": ["no", None]}):
        problem(api.post(ORDERS, order_document("A-1") | other), 409, "order-number-taken")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"orderNo": None}, "orderNo", "is required"),
        ({"orderTotal": None}, "orderTotal", "is required"),
        ({"productItems": None}, "productItems", "is required"),
        ({"productItems": {}}, "productItems", "use a list"),
        ({"productItems": []}, "productItems", "must not be empty"),
        ({"productItems": [5]}, "productItems[0]", "use an object"),
        ({"orderNo": ""}, "orderNo", "must not be empty"),
    ],
)
def test_messages_say_what_to_send(
    api: Api, shop: Site, change: dict[str, Any], field: str, message: str
) -> None:
    told = problem(api.post(ORDERS, order_document("A-1") | change), 400, "order-invalid")
    assert told["problems"] == [{"field": field, "message": message}]
    assert not Order.objects.exists()


# Order management


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=1&limit=2", "limit", "is given twice"),
        ("exportStatus=ready&exportStatus=failed", "exportStatus", "is given twice"),
        (
            "capturedFrom=2026-02-02T00:00:00+02:00",
            "capturedFrom",
            "write the + of a UTC offset as %2B in an address",
        ),
        (
            "capturedFrom=2026-02-02T00:00:00",
            "capturedFrom",
            "name the UTC offset, as in 2026-02-02T12:00:00Z",
        ),
    ],
)
def test_a_filter_means_one_thing(api: Api, query: str, field: str, message: str) -> None:
    told = problem(api.get(f"{ORDERS}?{query}"), 400, "invalid-request")
    assert told["problems"] == [{"field": field, "message": message}]


def test_a_plus_that_is_encoded_is_one(api: Api) -> None:
    answer = api.get(f"{ORDERS}?capturedFrom=2026-02-02T00:00:00%2B02:00")
    assert answer.status_code == 200


def test_true_is_no_version(outage: Scene) -> None:
    api = api_for(outage.site)
    path = f"{ORDERS}/{outage.partial.order_no}"
    change = {"exportStatus": "exported", "version": True}
    told = problem(api.patch(path, change), 400, "invalid-request")
    assert told["problems"] == [{"field": "version", "message": "use a number"}]


@pytest.mark.parametrize(
    ("reason", "message"),
    [("", "must not be empty"), ("  ", "must not be blank"), ("x" * 501, "at most 500 characters")],
)
def test_a_reason_is_a_text(outage: Scene, reason: str, message: str) -> None:
    path = f"{ORDERS}/{outage.partial.order_no}/cancel"
    told = problem(api_for(outage.site).post(path, {"reason": reason}), 400, "invalid-request")
    assert told["problems"] == [{"field": "reason", "message": message}]

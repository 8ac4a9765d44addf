"""What is captured is stored as it came: rows travel to the database as JSON and are read there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orders.actors import api_client
from orders.capture import Ask, Captured, capture_orders
from orders.models import Hold, InventoryRecord, Order, OrderEvent, OrderItem, OrderPayload
from orders.payload import parse_order
from tests.factories import make_site
from tests.orders.payloads import order_document

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 2, 2, 12, 0, 0, 123456, tzinfo=UTC)
ODD = "Mug \"blue\" 'n' \\ \\u0041 😀 ẞ é [1] {2} %s $[0] null true 007 1e3 \u2028 end"


@pytest.mark.parametrize("text", [ODD, "null", "true", "12", "1.50", "", "{}", "[]", '"x"'])
def test_texts(text: str) -> None:
    site = make_site(stock={"007": 9, "1e3": 9})
    document = order_document("0012", [("007", 1), ("1e3", 2.125)])
    document["customerInfo"] = {"customerName": text, "email": "a@example.test"}
    for item in document["productItems"]:
        item["productName"] = text
    raw = json.dumps(document, ensure_ascii=False).encode()
    placed = parse_order(raw, site=site)
    ask = Ask(placed, site, None, "away", None, api_client(text[:20] or "x"), T0)

    answers = capture_orders([ask])

    assert isinstance(answers[0], Captured)
    order = Order.objects.get()
    built = answers[0].order
    names = [field.attname for field in Order._meta.concrete_fields]
    assert {n: getattr(order, n) for n in names} == {n: getattr(built, n) for n in names}
    assert (order.order_no, order.captured_at, order.captured_offline) == ("0012", T0, True)
    assert order.customer == placed.customer
    assert OrderPayload.objects.get().body == raw.decode()
    event = OrderEvent.objects.get()
    assert (event.at, event.actor, event.data, event.projected) == (
        T0,
        api_client(text[:20] or "x").name,
        {},
        False,
    )
    stored = list(OrderItem.objects.order_by("position"))
    columns = [field.attname for field in OrderItem._meta.concrete_fields]
    assert answers[0].items is not None
    for item, one in zip(stored, answers[0].items, strict=True):
        assert {n: getattr(item, n) for n in columns} == {n: getattr(one, n) for n in columns}
    assert [item.sku for item in stored] == ["007", "1e3"]
    assert {item.product_name for item in stored} == {placed.items[0].product_name}
    assert sorted(Hold.objects.values_list("quantity", flat=True)) == [1, Decimal("2.125")]
    assert InventoryRecord.objects.get(sku="1e3").ato == Decimal("6.875")

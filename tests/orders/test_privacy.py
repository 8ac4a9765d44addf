"""Erasing what orders say of their customers, and nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.forms.models import model_to_dict

from orders import outcomes, privacy
from orders.actors import job, person
from orders.capture import find_same
from orders.models import (
    CustomerMessage,
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import parse_order
from tests import factories
from tests.factories import START, capture, make_site
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db

IRIS = {"customerId": "cust-1", "customerName": "Iris Reed", "email": "Iris@Example.test"}
LATER = START + timedelta(days=40)
PERSONAL = {
    "customerInfo": IRIS,
    "billingAddress": {"lastName": "Reed", "city": "Ipswich"},
    "c_giftMessage": "Dear Iris",
}


@pytest.fixture
def site() -> Site:
    return make_site(stock={"MUG": 100})


def of_iris(site: Site, order_no: str = "A-1", **members: Any) -> Order:
    return capture(site, order_no, [("MUG", 2)], **(PERSONAL | members))


def tell(order: Order) -> CustomerMessage:
    return CustomerMessage.objects.create(
        order=order,
        kind="cancelled",
        recipient="iris@example.test",
        subject="Dear Iris",
        body="Dear Iris Reed, …",
        actor="mia",
        at=START,
        email="failed",
        email_error="iris@example.test refused it",
    )


def erase(*orders: Order) -> int:
    return privacy.erase(
        order_ids=[order.pk for order in orders], actor=person("otto"), reason="Asked.", now=LATER
    )


def finish(order: Order) -> None:
    outcomes.take_claim(order_id=order.pk, holder="w", until=LATER, now=START)
    assert factories.settle(
        order, {item.pk: item.quantity for item in order.items.all()}, actor=job("run"), now=START
    )


def everything() -> str:
    """Return all that the tables of orders hold, as text."""
    models = (Order, OrderItem, OrderPayload, OrderEvent, CustomerMessage)
    return json.dumps([list(m.objects.values()) for m in models], default=str).lower()


def stock() -> list[list[dict[str, Any]]]:
    return [list(m.objects.values()) for m in (InventoryRecord, Hold, Movement, OrderItem)]


def test_nothing_of_the_customer_is_left_and_the_rest_is_as_it_was(site: Site) -> None:
    order = of_iris(site)
    tell(order)
    assert "reed" in everything()
    before = model_to_dict(order)
    ledger = stock()

    assert erase(order) == 1

    for trace in ("iris", "reed", "example.test", "cust-1", "ipswich"):
        assert trace not in everything(), trace
    order.refresh_from_db()
    assert order.customer_erased_at == LATER
    changed = {"customer": {}, "customer_erased_at": LATER}
    assert model_to_dict(order) == before | changed
    assert stock() == ledger
    told = OrderEvent.objects.filter(order=order).last()
    assert told is not None
    assert (told.kind, told.actor, told.reason, told.projected) == (
        "erased",
        "otto",
        "Asked.",
        False,
    )


def test_what_is_kept_of_the_payload_is_goods_and_amounts(site: Site) -> None:
    order = of_iris(site)
    sent = json.loads(order.payload.body)
    erase(order)
    payload = OrderPayload.objects.get(order=order)
    kept = json.loads(payload.body)
    assert payload.reduced_at == LATER
    for name in PERSONAL:
        del sent[name]
    assert kept == sent


def test_unknown_members_of_items_go_too() -> None:
    body = json.dumps(
        {
            "orderNo": "A-1",
            "productItems": [{"productId": "MUG", "quantity": 0.125, "c_engraving": "for Iris"}],
            "orderTotal": 19.9999,
        }
    )
    assert json.loads(privacy.impersonal(body)) == {
        "orderNo": "A-1",
        "productItems": [{"productId": "MUG", "quantity": 0.125}],
        "orderTotal": 19.9999,
    }


def test_the_same_order_is_recognised_afterwards(site: Site) -> None:
    order = of_iris(site)
    erase(order)
    placed = parse_order(raw_order("A-1", [("MUG", 2)], **PERSONAL), site=site)
    assert find_same(placed=placed, site=site) == order


def test_twice_changes_nothing(site: Site) -> None:
    order = of_iris(site)
    assert erase(order) == 1
    before = everything()
    assert erase(order) == 0
    assert everything() == before


def test_a_message_sent_after_the_erasure_is_erased_by_the_next_one(site: Site) -> None:
    order = of_iris(site)
    erase(order)
    tell(order)
    assert erase(order) == 1
    assert "iris" not in everything()


class TestFinding:
    def test_by_email_in_any_case_and_whole(self, site: Site) -> None:
        first = of_iris(site)
        second = of_iris(site, "A-2", customerInfo={"email": "IRIS@example.TEST"})
        of_iris(site, "A-3", customerInfo={"email": "iris@example.test.org"})
        of_iris(site, "A-4", customerInfo={})
        assert list(privacy.orders_of_email("iris@EXAMPLE.test")) == [first, second]

    def test_long_addresses_that_begin_alike(self, site: Site) -> None:
        start = "a" * 120
        of_iris(site, customerInfo={"email": f"{start}1@x"})
        second = of_iris(site, "A-2", customerInfo={"email": f"{start}2@x"})
        assert list(privacy.orders_of_email(f"{start}2@x")) == [second]

    def test_by_customer_id(self, site: Site) -> None:
        first = of_iris(site)
        of_iris(site, "A-2", customerInfo={"customerId": "cust-11"})
        assert list(privacy.orders_of_customer("cust-1")) == [first]

    def test_not_once_erased(self, site: Site) -> None:
        erase(of_iris(site))
        assert not privacy.orders_of_email(IRIS["email"]).exists()
        assert not privacy.orders_of_customer(IRIS["customerId"]).exists()


class TestOldOrders:
    def test_only_old_and_finished_ones(self, site: Site) -> None:
        old, waiting = of_iris(site), of_iris(site, "A-2")
        young = of_iris(site, "A-3", at=LATER)
        finish(old)
        finish(young)
        number = privacy.erase_old(
            captured_before=LATER, actor=job("retention"), reason="Old.", now=LATER
        )
        assert number == 1
        for order in (old, waiting, young):
            order.refresh_from_db()
        assert (old.customer, waiting.customer, young.customer) == ({}, IRIS, IRIS)

    def test_payloads_go_first_and_without_a_line_of_history(self, site: Site) -> None:
        order = of_iris(site)
        finish(order)
        events = OrderEvent.objects.count()
        assert privacy.reduce_payloads(captured_before=LATER, now=LATER) == 1
        assert privacy.reduce_payloads(captured_before=LATER, now=LATER) == 0
        order.refresh_from_db()
        assert order.customer == IRIS
        assert "reed" not in order.payload.body.lower()
        assert OrderEvent.objects.count() == events

    def test_more_than_a_chunk_captured_at_once(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(privacy, "CHUNK", 2)
        for number in range(5):
            finish(of_iris(site, f"A-{number}"))
        assert privacy.reduce_payloads(captured_before=LATER, now=LATER) == 5
        assert (
            privacy.erase_old(captured_before=LATER, actor=job("r"), reason="Old.", now=LATER) == 5
        )
        assert "reed" not in everything()

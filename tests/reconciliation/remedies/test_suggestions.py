"""What could replace a short item, and what a remedy of many orders would do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from orders.models import InventoryRecord, Order, OrderItem
from reconciliation import remedies
from tests.engine import D, Engine
from tests.reconciliation.remedies.test_replace import short as short

pytestmark = pytest.mark.django_db


def named(names: dict[str, tuple[str, float]]) -> None:
    for sku, (name, units) in names.items():
        InventoryRecord.objects.update_or_create(
            sku=sku,
            inventory_list_id="web",
            defaults={"product_name": name, "snapshot_ato": D(units), "ato": D(units)},
        )


def test_suggestions_are_in_stock_and_like_it_in_name_and_price(
    engine: Engine, short: Order, django_assert_num_queries: Any
) -> None:
    engine.keeps_promises = False
    named(
        {
            "M-1": ("Blue stoneware mug", 9),
            "M-2": ("Red stoneware mug", 5),
            "M-3": ("Blue stoneware mug, large", 1),
            "M-4": ("Blue stoneware mug, sold", 9),
            "P-1": ("Pan", 99),
        }
    )
    engine.capture(short.site, "B1", [("M-4", 1)])  # waits: those are served first
    OrderItem.objects.filter(order=short).update(
        product_name="Stoneware mug, small", unit_price=D(8)
    )
    item = OrderItem.objects.select_related("order").get(order=short)
    with django_assert_num_queries(2):
        found = remedies.suggest(item=item)
    assert [(one.sku, one.ato, one.shared_words) for one in found] == [
        ("M-1", D(9), ("stoneware", "mug")),
        ("M-2", D(5), ("stoneware", "mug")),
    ]
    OrderItem.objects.filter(sku="M-4").update(sku="M-2", unit_price=D("7.5"))
    again = remedies.suggest(item=item)
    assert [(one.sku, one.unit_price) for one in again] == [("M-2", D("7.5")), ("M-1", None)]


def test_prices_are_those_of_the_orders_own_site(engine: Engine, short: Order) -> None:
    engine.keeps_promises = False
    named({"M-1": ("Blue mug", 9)})
    other = engine.site({"MUG": 5}, "outlet-shop")
    for site, price in ((short.site, D(9)), (other, D(4))):
        order = engine.capture(site, f"{site.pk}-1", [("MUG", 1)])
        OrderItem.objects.filter(order=order).update(sku="M-1", unit_price=price)
    item = OrderItem.objects.select_related("order").get(order=short)
    assert remedies.usual_price(item=item, sku="M-1") == D(9)
    assert [one.unit_price for one in remedies.suggest(item=item) if one.sku == "M-1"] == [D(9)]
    OrderItem.objects.filter(order__site=short.site, sku="M-1").delete()
    assert remedies.usual_price(item=item, sku="M-1") is None


def test_any_sku_is_found_by_its_beginning_or_a_word(engine: Engine, short: Order) -> None:
    engine.keeps_promises = False
    named({"P-1": ("Frying pan", 99), "PA": ("Lid", 9), "P-2": ("Pot", 1)})
    item = OrderItem.objects.select_related("order").get(order=short)
    assert [one.sku for one in remedies.search(item=item, text="P-1")] == ["P-1"]
    assert [one.sku for one in remedies.search(item=item, text="P")] == ["P-1", "PA"]
    assert [one.sku for one in remedies.search(item=item, text="frying")] == ["P-1"]


def test_previews_of_many_orders_share_the_stock(
    engine: Engine, django_assert_num_queries: Any
) -> None:
    site = engine.site({"MUG": 9, "CUP": 3})
    orders = [engine.capture(site, f"A{n}", [("MUG", 2)]) for n in range(3)]
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    items = list(OrderItem.objects.select_related("order").order_by("order_id"))
    # One asks what older short orders are promised.
    with django_assert_num_queries(4):
        found = remedies.preview_replace(
            items, sku="CUP", unit_price=Decimal(3), now=engine.clock()
        )
    assert [(one.units, one.ato, one.refusal) for one in found] == [
        (D(1), D(3), ""),
        (D(2), D(2), ""),
        (D(2), D(0), "0 of CUP are available to order, and 2 are needed."),
    ]
    with django_assert_num_queries(1):
        cancels = remedies.preview_cancel_short([item.order for item in items])
    assert [(one.short, one.reserved, one.refusal) for one in cancels] == [
        (D(1), D(1), ""),
        (D(2), D(0), "No item of the order is reserved. Cancel the whole order."),
        (D(2), D(0), "No item of the order is reserved. Cancel the whole order."),
    ]
    assert [one.order for one in cancels] == orders

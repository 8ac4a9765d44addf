"""Bundles and options of an order that is sent: what is read of them, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.errors import OfflineCapExceeded
from orders.models import InventoryList, OrderItem, Site
from orders.payload import parse_order
from orders.payload_items import MAX_DEPTH, PlacedItem, Takes
from tests import factories
from tests.orders.payloads import order_document
from tests.orders.test_payload import problems

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return factories.make_site(stock={"A": 9, "B": 9})


def line(sku: str = "KIT", *parts: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a line with these parts; without any it is no bundle."""
    below = {"bundledProductItems": list(parts)} if parts else {}
    return {"productId": sku, "quantity": 1} | below | members


def raw(*lines: dict[str, Any]) -> bytes:
    return json.dumps(order_document("B1", productItems=list(lines))).encode()


def read(site: Site, *lines: dict[str, Any]) -> tuple[PlacedItem, ...]:
    return parse_order(raw(*lines), site=site).items


def deep(levels: int) -> dict[str, Any]:
    """Return a line with so many levels of bundles below it."""
    inner = line("A")
    for _ in range(levels):
        inner = line("KIT", inner)
    return inner


def test_every_fault_of_a_part_names_its_field(site: Site) -> None:
    option = {"productId": "A B", "quantity": 0, "basePrice": -1}
    parts = [line(quantity=0), {"productId": "A"}, line("A", line("", quantity="1"))]
    sent = line("KIT", *parts, optionItems=[option])
    path = "productItems[0].bundledProductItems"
    found = problems(raw(sent), site)
    assert [field for field, _ in found] == [
        f"{path}[0].quantity",
        f"{path}[1].quantity",
        f"{path}[2].bundledProductItems[0].productId",
        f"{path}[2].bundledProductItems[0].quantity",
        "productItems[0].optionItems[0].productId",
        "productItems[0].optionItems[0].quantity",
    ]
    assert dict(found)[f"{path}[1].quantity"] == "is required"


def test_a_list_that_is_unknown_and_an_id_that_is_there_already_are_refused(site: Site) -> None:
    part = line("A", itemId="1", inventoryId="nowhere")
    assert problems(raw(line("KIT", part)), site) == [
        ("productItems[0].bundledProductItems[0].itemId", "is given twice"),
        (
            "productItems[0].bundledProductItems[0].inventoryId",
            "is not an inventory list that the site may sell from",
        ),
    ]


def test_ids_of_parts_are_made_where_they_lack_and_never_twice(site: Site) -> None:
    long = "x" * 100
    sent = [
        line("KIT", line("A"), line("B", itemId="mine"), itemId="1.1"),
        line("KIT", line("A"), line("B"), itemId="1"),
        line("KIT", line("A"), itemId=long),
    ]
    ids = [item.item_id for item in read(site, *sent)]
    assert ids[:6] == ["1.1", "1.1.1", "mine", "1", "1.1~2", "1.2"]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) == 100


def test_a_part_is_taken_from_the_list_of_its_bundle_unless_it_names_one(site: Site) -> None:
    InventoryList.objects.create(pk="east")
    InventoryList.objects.create(pk="west", use_bundle_inventory_only=True)
    factories.permit_lists(site, "east", "west")
    sent = [
        line("KIT", line("A"), line("B", inventoryId="west"), inventoryId="east"),
        line("KIT", line("A", inventoryId="east"), inventoryId="west"),
    ]
    told = [(i.sku, i.inventory_list_id, i.takes) for i in read(site, *sent)]
    assert told == [
        ("KIT", "east", Takes.IF_COUNTED),
        ("A", "east", Takes.ALWAYS),
        ("B", "west", Takes.ALWAYS),
        ("KIT", "west", Takes.ALWAYS),
        ("A", "east", Takes.NEVER),
    ]


def test_an_empty_bundle_is_a_product(site: Site) -> None:
    for empty in ([], None):
        (item,) = read(site, line("A", bundledProductItems=empty, optionItems=empty))
        assert item.takes == Takes.ALWAYS


def test_the_limit_counts_parts_and_options(site: Site) -> None:
    sent = line("KIT", *[line("A")] * 1_000, optionItems=[{"productId": "W"}] * 999)
    assert len(read(site, sent)) == 2_000
    words = "at most 2,000 items, with the parts of bundles and the options"
    assert problems(raw(sent, line("A")), site) == [("productItems", words)]


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 200, 300, 100_000])
def test_bundles_are_nested_only_so_deep(site: Site, levels: int) -> None:
    assert len(read(site, deep(MAX_DEPTH))) == MAX_DEPTH + 1
    inner = '{"productId":"A","quantity":1}'
    start, end = '{"productId":"KIT","quantity":1,"bundledProductItems":[', "]}"
    text = f"{start * min(levels, 30_000)}{inner}{end * min(levels, 30_000)}"
    body = raw(line("A")).decode().replace('{"productId": "A", "quantity": 1}', text)
    assert problems(body.encode(), site)


def test_units_per_bundle_are_checked_as_they_come_out(site: Site) -> None:
    InventoryList.objects.update(part_quantity_per_bundle=True)
    sent = line(
        "KIT", line("A", quantity=0.5), line("B", line("A", quantity=3), quantity=2), quantity=4
    )
    assert [int(i.quantity) for i in read(site, sent)] == [4, 2, 8, 24]
    sent = line("KIT", line("A", quantity=0.001), line("B", quantity=900_000), quantity=1.5)
    path = "productItems[0].bundledProductItems"
    assert problems(raw(sent), site) == [
        (f"{path}[0].quantity", "with 1.5 bundles: at most 3 decimals"),
        (f"{path}[1].quantity", "with 1.5 bundles: at most 1,000,000"),
    ]


def test_an_order_with_parts_costs_no_more_statements_than_their_rules(site: Site) -> None:
    def statements(number: str, *lines: dict[str, Any]) -> tuple[int, int]:
        text = json.dumps(order_document(number, productItems=list(lines))).encode()
        with CaptureQueriesContext(connection) as asked:
            factories.capture_raw(site, text)
        inserts = [q for q in asked.captured_queries if "INTO orders_orderitem" in q["sql"]]
        return len(asked), len(inserts)

    plain = statements("P1", line("A"), line("B"))
    bundled = statements("P2", line("KIT", line("A"), line("KIT", line("B"))))
    assert plain[1] == 1
    # The rules of the list; parts and their parents are inserted at once.
    assert bundled == (plain[0] + 1, 1)
    assert OrderItem.objects.count() == 6


def test_a_bundle_counts_for_the_cap_as_the_units_that_it_takes(site: Site) -> None:
    Site.objects.update(cap_units_per_order=3)
    site.refresh_from_db()
    factories.capture_raw(site, raw(line("KIT", line("A"), line("B"), quantity=2)))
    more = raw(line("KIT", line("A", quantity=3), line("B"))).replace(b"B1", b"B2")
    with pytest.raises(OfflineCapExceeded):
        factories.capture_raw(site, more)

"""Orders with bundles and options, over a real OCI: the parts are taken and reserved."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from orders.errors import ShortAtOci, ShortOnAto, UnknownSku
from orders.models import (
    CaptureTrace,
    InventoryList,
    InventoryRecord,
    Order,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import meaning_hash
from reconciliation.reservation.placement import place_order
from tests.bundles import bundle, everything, place
from tests.engine import D, Engine, ato, quantities, set_connection
from tests.factories import SHOP
from tests.orders.payloads import order_document
from tests.sources import CASES

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("has_record", [False, True])
@pytest.mark.parametrize("state", ["ONLINE", "OFFLINE"])
def test_a_bundle_takes_its_parts_and_its_own_record_only_where_there_is_one(
    engine: Engine, state: str, has_record: bool
) -> None:
    site = engine.site({"PART1": 5, "PART2": 5} | ({"BUNDLE": 5} if has_record else {}))
    set_connection(state)
    placed = place(engine, site, "BU-2", bundle())
    assert placed.created
    assert ato("PART1") == (D(3), D(2))
    assert ato("PART2") == (D(4), D(1))
    if has_record:
        assert ato("BUNDLE") == (D(4), D(1))
    else:
        assert not InventoryRecord.objects.filter(sku="BUNDLE").exists()
    if state == "OFFLINE":
        set_connection("ONLINE")
        engine.reconcile()
    placed.order.refresh_from_db()
    assert placed.order.reservation_state == "COMPLETELY_RESERVED"
    own = {"BUNDLE": D(1)} if has_record else {}
    assert engine.documents("BU-2") == [("OPEN", {"PART1": D(2), "PART2": D(1)} | own)]


# The case from outside


@pytest.mark.parametrize("source", ["orders.xml", "order.json"])
@pytest.mark.parametrize("has_record", [False, True])
def test_the_case_by_file_and_by_call(engine: Engine, source: str, has_record: bool) -> None:
    site = engine.site({"PART1": 5, "PART2": 5} | ({"BUNDLE": 5} if has_record else {}))
    path = CASES / "bundle-components" / source
    if source == "orders.xml":
        call_command("import_orders", str(path), "--site=shop")
    else:
        place_order(raw=path.read_bytes(), site=site, actor=SHOP, clock=engine.clock)
    order = Order.objects.get()
    own = D(1) if has_record else D(0)
    assert order.reservation_state == "COMPLETELY_RESERVED"
    assert quantities(order) == [
        ("BUNDLE", own, own),
        ("PART1", D(2), D(2)),
        ("PART2", D(1), D(1)),
    ]
    assert (ato("PART1")[0], ato("PART2")[0]) == (D(3), D(4))
    held = {"PART1": D(2), "PART2": D(1)} | ({"BUNDLE": D(1)} if has_record else {})
    assert engine.held() == held


@pytest.mark.parametrize("state", ["ONLINE", "OFFLINE"])
def test_a_part_that_is_short_is_refused_and_nothing_is_kept(engine: Engine, state: str) -> None:
    site = engine.site({"PART1": 1, "PART2": 5})
    set_connection(state)
    before = everything()
    raw = (CASES / "bundle-components" / "order.json").read_bytes()
    with pytest.raises(ShortOnAto) as refused:
        place_order(raw=raw, site=site, actor=SHOP, clock=engine.clock)
    (short,) = refused.value.shortfalls
    assert (short.sku, short.requested, short.available) == ("PART1", D(2), D(1))
    assert everything() == before


def test_a_part_that_oci_is_short_of_is_refused_to_a_live_shopper(engine: Engine) -> None:
    site = engine.site({"PART1": 5, "PART2": 5})
    engine.at_oci({"PART1": 1})
    with pytest.raises(ShortAtOci) as refused:
        place(engine, site, "BU-2", bundle())
    assert [one.sku for one in refused.value.shortfalls] == ["PART1"]
    assert engine.held() == {}


# What is taken


def test_an_unknown_part_is_treated_as_the_site_says(engine: Engine) -> None:
    site = engine.site({"PART1": 5})
    before = everything()
    with pytest.raises(UnknownSku) as refused:
        place(engine, site, "B1", bundle())
    assert refused.value.skus == ["PART2"]
    assert everything() == before

    set_connection("OFFLINE")
    Site.objects.update(unknown_sku_policy="accept_untracked")
    placed = place(engine, Site.objects.get(), "B2", bundle())
    assert quantities(placed.order)[0] == ("BUNDLE", D(0), D(0))
    known = dict(InventoryRecord.objects.values_list("sku", "snapshot_ato"))
    assert known == {"PART1": D(5)}


def test_with_bundle_inventory_only_the_bundle_alone_is_taken(engine: Engine) -> None:
    site = engine.site({"BUNDLE": 5, "PART1": 5})
    InventoryList.objects.filter(pk="web").update(use_bundle_inventory_only=True)
    placed = place(engine, site, "B1", bundle(quantity=2))
    assert quantities(placed.order) == [
        ("BUNDLE", D(2), D(2)),
        ("PART1", D(0), D(0)),
        ("PART2", D(0), D(0)),
    ]
    assert engine.held() == {"BUNDLE": D(2)}
    assert ato("PART1") == (D(5), D(0))
    with pytest.raises(UnknownSku) as refused:
        place(engine, site, "B2", bundle("CRATE"))
    assert refused.value.skus == ["CRATE"]


@pytest.mark.parametrize(("per_bundle", "taken"), [(False, 2), (True, 6)])
def test_the_quantity_of_a_part_is_read_as_its_list_says(
    engine: Engine, per_bundle: bool, taken: int
) -> None:
    site = engine.site({"PART1": 9, "PART2": 9})
    InventoryList.objects.filter(pk="web").update(part_quantity_per_bundle=per_bundle)
    placed = place(engine, site, "B1", bundle(quantity=3))
    assert quantities(placed.order)[1] == ("PART1", D(taken), D(taken))


def test_bundles_in_bundles_and_options_are_taken_where_they_are_stocked(engine: Engine) -> None:
    site = engine.site({"PART1": 9, "PART2": 9, "STRAP": 9, "WATCH": 9})
    inner = bundle("INNER", {"PART1": 4})
    watch = {
        "productId": "WATCH",
        "quantity": 2,
        "optionItems": [
            {"productId": "STRAP", "optionId": "strap", "basePrice": 3},
            {"productId": "ENGRAVING", "optionId": "text"},
            {"optionId": "warranty", "optionValueId": "none"},
        ],
    }
    outer = bundle("OUTER") | {
        "bundledProductItems": [inner, {"productId": "PART2", "quantity": 1}]
    }
    placed = place(engine, site, "B1", outer, watch)
    items = list(OrderItem.objects.filter(order=placed.order).order_by("position"))
    assert [
        (i.item_id, i.sku, i.kind, i.parent and i.parent.item_id, i.quantity, i.stockless_quantity)
        for i in items
    ] == [
        ("1", "OUTER", "product", None, D(0), D(1)),
        ("1.1", "INNER", "bundled", "1", D(0), D(1)),
        ("1.1.1", "PART1", "bundled", "1.1", D(4), D(0)),
        ("1.2", "PART2", "bundled", "1", D(1), D(0)),
        ("2", "WATCH", "product", None, D(2), D(0)),
        ("2.1", "STRAP", "option", "2", D(2), D(0)),
        ("2.2", "ENGRAVING", "option", "2", D(0), D(2)),
    ]
    assert [i.unit_price for i in items] == [D(30), None, None, None, None, D(3), None]
    assert engine.held() == {"PART1": D(4), "PART2": D(1), "WATCH": D(2), "STRAP": D(2)}


def test_the_same_order_again_is_recognised(engine: Engine) -> None:
    site = engine.site({"PART1": 5, "PART2": 5})
    place(engine, site, "B1", bundle())
    before = everything()
    # What the list says by now decides nothing about an order that is there.
    InventoryList.objects.filter(pk="web").update(use_bundle_inventory_only=True)
    assert not place(engine, site, "B1", bundle()).created
    assert everything() == before


def test_an_order_of_before_keeps_what_it_took(engine: Engine) -> None:
    """Its document has a bundle, and nobody takes the parts later, unasked."""
    site = engine.site({"BUNDLE": 5, "PART1": 5, "PART2": 5})
    line = {k: v for k, v in bundle().items() if k != "bundledProductItems"}
    set_connection("OFFLINE")
    old = place(engine, site, "B1", line).order
    full = json.dumps(order_document("B1", productItems=[bundle()], orderTotal=30))
    OrderPayload.objects.filter(order=old).update(body=full)
    for noted in (Order.objects, CaptureTrace.objects):
        noted.filter(pk=old.pk).update(payload_hash=meaning_hash(full.encode()))
    set_connection("ONLINE")
    engine.reconcile()
    assert quantities(old) == [("BUNDLE", D(1), D(1))]
    assert engine.held() == {"BUNDLE": D(1)}
    assert ato("PART1") == (D(5), D(0))


def test_many_parts_make_several_documents(engine: Engine) -> None:
    parts = {f"P{n:03}": 1.0 for n in range(130)}
    site = engine.site(parts)
    placed = place(engine, site, "B1", bundle(parts=parts))
    placed.order.refresh_from_db()
    assert placed.order.reservation_state == "COMPLETELY_RESERVED"
    assert [len(lines) for _, lines in engine.documents("B1")] == [100, 30]


# SKUs that are always in stock (Default In-Stock)


@pytest.mark.parametrize("state", ["ONLINE", "OFFLINE"])
@pytest.mark.parametrize("known", [("MUG", 2), None])
def test_a_sku_that_no_list_knows_is_never_reserved_and_never_short(
    engine: Engine, state: str, known: tuple[str, float] | None
) -> None:
    site = engine.site({"MUG": 5}, unknown_sku_policy="accept_untracked")
    set_connection(state)
    items: list[tuple[str, float]] = [("ALWAYS", 3), *([known] if known else [])]
    placed = engine.place(site, "D1", items)
    if state == "OFFLINE":
        set_connection("ONLINE")
        engine.reconcile()
    placed.order.refresh_from_db()
    assert placed.order.reservation_state == "COMPLETELY_RESERVED"
    assert engine.documents("D1") == ([("OPEN", {"MUG": D(2)})] if known else [])
    line = OrderItem.objects.get(sku="ALWAYS")
    assert (line.ordered_quantity, line.takes_stock, line.open_quantity) == (D(3), False, D(0))
    assert not InventoryRecord.objects.filter(sku="ALWAYS").exists()

"""Bundles of which a part is short: what is told, what remedies do, what checks find."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from orders import cancellation, privacy
from orders.adjustment_lines import Keep
from orders.errors import CannotRemedy, CannotReplace
from orders.message_values import values_of
from orders.models import Hold, Order, OrderItem, OrderPayload
from orders.serializers import order_answer
from reconciliation import remedies
from reconciliation.maintenance import integrity_check, repair
from reconciliation.models import ReportType, Scope
from reconciliation.reports import serializers
from tests.bundles import bundle, everything, place
from tests.engine import MIA, D, Engine, ato, quantities, set_connection
from tests.factories import know_stock
from tests.reconciliation.reports.test_publish import check_schema

pytestmark = pytest.mark.django_db


@pytest.fixture
def short(engine: Engine) -> Order:
    """An order of a bundle with 249 of a part, and of 10 more of it; OCI has 154."""
    site = engine.site({"PART1": 300, "PART2": 5, "SPARE": 500})
    set_connection("OFFLINE")
    own = {"productId": "PART1", "quantity": 10}
    order = place(engine, site, "B1", own, bundle(parts={"PART1": 249, "PART2": 1})).order
    set_connection("ONLINE")
    engine.at_oci({"PART1": 154})
    engine.reconcile()
    order.refresh_from_db()
    return order


def test_a_bundle_is_whole_only_if_its_parts_are(short: Order) -> None:
    assert short.reservation_state == "PARTIALLY_RESERVED"
    assert quantities(short) == [
        ("PART1", D(10), D(10)),
        ("BUNDLE", D(0), D(0)),
        ("PART1", D(249), D(144)),
        ("PART2", D(1), D(1)),
    ]
    (members,) = serializers.members_of([short])
    check_schema(json.loads(serializers.work_file(ReportType.OVERSOLD, members)), "work-file")
    told = (
        "itemId",
        "parentItemId",
        "kind",
        "takesStock",
        "quantity",
        "reservedQuantity",
        "shortQuantity",
    )
    expected = [
        ("1", None, "product", True, 10, 10, 0),
        ("2", None, "product", False, 1, 0, 0),
        ("2.1", "2", "bundled", True, 249, 144, 105),
        ("2.2", "2", "bundled", True, 1, 1, 0),
    ]
    for items in (members["items"], order_answer(short)["items"]):
        assert [tuple(item[name] for name in told) for item in items] == expected


def test_what_replaces_a_part_stays_in_its_bundle(engine: Engine, short: Order) -> None:
    part = short.items.get(item_id="2.1")
    done = remedies.replace_short(
        item_id=part.pk, sku="SPARE", units=D(105), unit_price=None, actor=MIA, reason="Sold out."
    )
    new = done.new_item
    assert new is not None
    assert new.parent is not None
    assert (new.sku, new.kind, new.parent.item_id, new.replaces) == ("SPARE", "bundled", "2", part)
    short.refresh_from_db()
    assert short.resolution == "replaced"
    assert engine.held() == {"PART1": D(154), "PART2": D(1), "SPARE": D(105)}


def test_a_part_is_reserved_again_once_there_is_stock(engine: Engine, short: Order) -> None:
    engine.at_oci({"PART1": 300})
    engine.clock.go(60)
    engine.reconcile(Scope.ORDERS, orders=[short.pk])
    short.refresh_from_db()
    assert short.reservation_state == "COMPLETELY_RESERVED"
    assert engine.held() == {"PART1": D(259), "PART2": D(1)}


def cancel(order: Order, **units: float) -> None:
    keys = {order.items.get(sku=sku).pk: D(n) for sku, n in units.items()}
    remedies.cancel_short(
        order_id=order.pk, units=keys, actor=MIA, reason="Sold out.", now=timezone.now()
    )


def test_a_part_that_is_short_can_be_cancelled_alone(short: Order) -> None:
    part = short.items.get(item_id="2.1")
    keys = {part.pk: D(105)}
    remedies.cancel_short(
        order_id=short.pk, units=keys, actor=MIA, reason="Sold out.", now=timezone.now()
    )
    part.refresh_from_db()
    short.refresh_from_db()
    assert (part.cancelled_quantity, short.resolution) == (D(105), "short_cancelled")


@pytest.fixture
def both_short(engine: Engine) -> Order:
    """An order of 2 bundles with a record of their own and 2 of a part each; OCI has 1 and 3."""
    site = engine.site({"BUNDLE": 5, "PART1": 5})
    set_connection("OFFLINE")
    order = place(engine, site, "B1", bundle(parts={"PART1": 4}, quantity=2)).order
    set_connection("ONLINE")
    engine.at_oci({"BUNDLE": 1, "PART1": 3})
    engine.reconcile()
    order.refresh_from_db()
    assert quantities(order) == [("BUNDLE", D(2), D(1)), ("PART1", D(4), D(3))]
    return order


def test_a_bundle_is_cancelled_only_with_its_parts(engine: Engine, both_short: Order) -> None:
    before = everything()
    for units, words in (
        ({"BUNDLE": 1.0}, "PART1 belongs to BUNDLE, and OCI holds 3 of it. Give them back first"),
        ({"BUNDLE": 1.0, "PART1": 1.0}, "PART1 belongs to BUNDLE, and OCI holds 3 of it."),
    ):
        with pytest.raises(CannotRemedy, match=words):
            cancel(both_short, **units)
        (preview,) = remedies.preview_cancel_short([both_short])
        assert preview.refusal.startswith("PART1 belongs to BUNDLE")
    assert everything() == before
    # With one of the three given back there is a part for each bundle that stays: 1 and 2.
    document = both_short.documents.get()
    keeps = [
        Keep("web", "BUNDLE", D(1), D(1), "web"),
        Keep("web", "PART1", D(3), D(2), "web"),
    ]
    engine.at_oci({"BUNDLE": 9, "PART1": 9})
    engine.clock.go(60)
    know_stock({"BUNDLE": 8, "PART1": 6}, at=engine.clock())
    remedies.adjust_reservation(
        document_id=document.pk, keeps=keeps, actor=MIA, reason="One bundle less."
    )
    cancel(both_short, BUNDLE=1.0, PART1=2.0)
    both_short.refresh_from_db()
    assert both_short.resolution == "short_cancelled"
    assert engine.held() == {"BUNDLE": D(1), "PART1": D(2)}


def test_a_bundle_as_such_is_not_replaced(both_short: Order) -> None:
    know_stock({"SPARE": 5})
    item = both_short.items.select_related("order").get(sku="BUNDLE")
    before = everything()
    words = "BUNDLE is a bundle, and its parts are reserved one by one"
    with pytest.raises(CannotReplace, match=words):
        remedies.replace_short(
            item_id=item.pk, sku="SPARE", units=D(1), unit_price=None, actor=MIA, reason="No."
        )
    (preview,) = remedies.preview_replace([item], sku="SPARE", unit_price=None, now=timezone.now())
    assert preview.refusal.startswith(words)
    assert everything() == before


# What checks and repairs make of it


def test_a_part_below_another_order_is_found(engine: Engine, short: Order) -> None:
    other = engine.capture(short.site, "B2", [("PART2", 1)])
    engine.keeps_promises = False
    OrderItem.objects.filter(order=short, item_id="2.2").update(parent=other.items.get())
    (found,) = integrity_check.check()
    assert (found.promise, found.fault) == (1, integrity_check.Fault.PARENT)
    assert found.detail == "PART2 is below an item of another order"
    (proposal,) = repair.proposals(now=engine.clock())
    assert proposal.id == ""
    assert "Restore its rows" in proposal.advice


def test_lost_holds_of_a_bundle_are_put_right(engine: Engine) -> None:
    site = engine.site({"PART1": 5, "PART2": 5})
    set_connection("OFFLINE")
    order = place(engine, site, "B1", bundle()).order
    Hold.objects.filter(order=order, record__sku="PART1").update(state="released")
    proposal = next(one for one in repair.proposals(now=engine.clock()) if one.fault == "holds")
    assert repair.apply(proposal_id=proposal.id, actor=MIA, reason="Lost.", now=engine.clock())
    assert list(integrity_check.check()) == []
    assert (ato("PART1"), ato("PART2")) == ((D(3), D(2)), (D(4), D(1)))


# What people and shoppers are told


def test_shoppers_read_of_bundles_and_of_their_parts(short: Order) -> None:
    part = short.items.get(item_id="2.1")
    keys = {part.pk: D(105)}
    remedies.cancel_short(
        order_id=short.pk, units=keys, actor=MIA, reason="Sold out.", now=timezone.now()
    )
    values = values_of(Order.objects.select_related("site").get(pk=short.pk))
    assert values["items"].splitlines() == ["10 × PART1", "144 × PART1 (Kit)", "1 × PART2 (Kit)"]
    assert values["cancelledItems"] == "105 × PART1 (Kit)"


def test_a_cancelled_bundle_is_one_line_to_its_shopper(engine: Engine) -> None:
    site = engine.site({"PART1": 5, "PART2": 5})
    order = place(engine, site, "B1", bundle()).order
    cancellation.request_cancellation(
        order_id=order.pk, actor=MIA, reason="Asked for.", now=engine.clock()
    )
    values = values_of(Order.objects.select_related("site").get(pk=order.pk))
    assert values["cancelledItems"] == "1 × Kit"


def test_erasing_the_customer_keeps_the_parts(engine: Engine) -> None:
    site = engine.site({"PART1": 5, "PART2": 5})
    part = {"productId": "PART1", "quantity": 1, "giftMessage": "For Ada"}
    line = bundle() | {"bundledProductItems": [part], "optionItems": [{"optionId": "text"}]}
    order = place(engine, site, "B1", line).order
    privacy.erase(order_ids=[order.pk], actor=MIA, reason="Asked for.", now=engine.clock())
    (kept,) = json.loads(OrderPayload.objects.get(order=order).body)["productItems"]
    assert kept["bundledProductItems"] == [{"productId": "PART1", "quantity": 1}]
    assert kept["optionItems"] == [{"optionId": "text"}]

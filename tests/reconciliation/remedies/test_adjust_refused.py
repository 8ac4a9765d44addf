"""Adjustments that are refused, with nothing changed, and what a preview says of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders import outcomes
from orders.adjustment_lines import Keep
from orders.errors import (
    CannotAdjust,
)
from orders.models import (
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
)
from reconciliation import remedies
from reconciliation.models import ReservationDocument, Scope
from tests import factories
from tests.engine import D, Engine, quantities, set_connection
from tests.reconciliation.remedies.adjustments import (
    MOVED,
    ONE_LESS,
    adjust_reservation,
    everything,
    keep,
    settle,
)
from tests.reconciliation.remedies.adjustments import order as order

pytestmark = pytest.mark.django_db


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("keeps", "message"),
    [
        ([keep("MUG", 3, 3), keep("CUP", 2, 2)], "Nothing would change"),
        ([keep("MUG", 3, 0), keep("CUP", 2, 0)], "Nothing would be kept"),
        ([keep("MUG", 3, 4), keep("CUP", 2, 2)], "Keep 0 to 3 units of MUG"),
        ([keep("MUG", 3, -1), keep("CUP", 2, 2)], "Keep 0 to 3 units of MUG"),
        ([keep("MUG", 3, 2)], "has changed since it was shown"),
        ([keep("MUG", 4, 2), keep("CUP", 2, 2)], "has changed since it was shown"),
        ([keep("MUG", 3, 3), keep("CUP", 2, 2, "outlet")], "outlet does not know CUP"),
        (
            [keep("MUG", 3, 3), keep("CUP", 2, 2, "moon")],
            "may not sell from the inventory list",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    engine: Engine, order: Order, keeps: list[Keep], message: str
) -> None:
    before = everything()
    with pytest.raises(CannotAdjust, match=message):
        adjust_reservation(order, engine, *keeps)
    document = ReservationDocument.objects.select_related("order").get()
    assert message in remedies.preview_adjustment(document, keeps).refusal
    assert everything() == before


def test_an_item_is_not_moved_in_part(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 3)])
    InventoryList.objects.create(pk="outlet")
    factories.know_stock({"MUG": 9}, list_id="outlet", at=engine.clock())
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    engine.at_oci({"MUG": 5})
    engine.reconcile(Scope.OVERSOLD)
    assert quantities(order) == [("MUG", D(3), D(3))]
    before = everything()
    with pytest.raises(CannotAdjust, match="holds 1 more of MUG in web"):
        adjust_reservation(order, engine, keep("MUG", 2, 2, "outlet"), number=1)
    assert everything() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"export_status": "exported"}, "may be shipping"),
        ({"status": "cancelled"}, "The order is cancelled"),
        ({"resolution": "settled_outside"}, "settled outside"),
        ({"needs_review_since": "now"}, "needs review"),
        (
            {"reservation_state": "RESERVATION_MISSING", "export_status": "not_exported"},
            "is waiting for",
        ),
    ],
)
def test_what_must_stay_stays(
    engine: Engine, order: Order, change: dict[str, Any], message: str
) -> None:
    engine.keeps_promises = False
    if "needs_review_since" in change:
        change = {"needs_review_since": engine.clock()}
    Order.objects.update(**change)
    before = everything()
    with pytest.raises(CannotAdjust, match=message):
        adjust_reservation(order, engine, *ONE_LESS)
    assert everything() == before
    assert engine.held() == {"MUG": D(3), "CUP": D(2)}


def test_a_claimed_order_is_refused(engine: Engine, order: Order) -> None:
    now = engine.clock()
    outcomes.take_claim(order_id=order.pk, holder="run", until=now + timedelta(1), now=now)
    before = everything()
    with pytest.raises(CannotAdjust, match="is being reserved"):
        adjust_reservation(order, engine, *ONE_LESS)
    assert everything() == before


def test_orders_that_wait_for_it_are_served_first(engine: Engine, order: Order) -> None:
    engine.capture(order.site, "B1", [("CUP", 1)])
    before = everything()
    with pytest.raises(CannotAdjust, match="Orders wait for CUP in web"):
        adjust_reservation(order, engine, *ONE_LESS)
    assert everything() == before


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_nothing_is_adjusted(engine: Engine, order: Order, state: str) -> None:
    set_connection(state)
    before = everything()
    with pytest.raises(CannotAdjust, match="cannot be called at the moment"):
        adjust_reservation(order, engine, *ONE_LESS)
    assert everything() == before


def test_units_that_the_figure_does_not_count_yet_are_waited_for(
    engine: Engine, order: Order
) -> None:
    other = engine.place(order.site, "A2", [("MUG", 2)]).order
    before = everything()
    with pytest.raises(CannotAdjust, match="does not count this order's earlier units yet"):
        adjust_reservation(other, engine, keep("MUG", 2, 1))
    assert everything() == before


def test_a_rerun_that_is_not_counted_ends_first(engine: Engine, order: Order) -> None:
    adjust_reservation(order, engine, *ONE_LESS)
    settle(engine)
    engine.oci.fault("drop", operations=["put"])
    engine.reconcile(Scope.ORDERS, orders=[order.pk])
    engine.oci.fault("none")
    set_connection("ONLINE")
    before = everything()
    with pytest.raises(CannotAdjust, match="the answer is not counted yet"):
        adjust_reservation(order, engine, keep("MUG", 2, 1), keep("CUP", 2, 2), number=1)
    assert everything() == before


def test_the_preview_says_what_is_free_and_what_is_not(engine: Engine, order: Order) -> None:
    document = ReservationDocument.objects.select_related("order").get()
    found = remedies.preview_adjustment(document, MOVED)
    assert (found.refusal, found.released) == ("", D(0))
    assert found.available == {("outlet", "MUG"): D(9), ("web", "CUP"): D(3)}
    InventoryRecord.objects.filter(inventory_list="outlet").update(ato=D(1), snapshot_ato=D(1))
    Movement.objects.filter(record__inventory_list="outlet").update(ato_change=D(1))
    scarce = remedies.preview_adjustment(document, MOVED)
    assert "1 of MUG (outlet) are available to order, and 3 are needed." in scarce.refusal

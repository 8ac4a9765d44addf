"""Deliveries that OCI expects, and the date that they suggest for a short order."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from orders import deliveries, promises
from orders.ledger import Figure
from orders.models import Delivery, Hold, HoldState, Order, ReservationState
from tests.factories import START, capture, make_site

pytestmark = pytest.mark.django_db

D = Decimal
FRIDAY, MONDAY = START + timedelta(days=2), START + timedelta(days=5)


def told(sku: str, *due: tuple[datetime, int]) -> Figure:
    return Figure("web", sku, D(0), deliveries=tuple((at, D(units)) for at, units in due))


def known() -> list[tuple[str, datetime, Decimal]]:
    rows = Delivery.objects.order_by("record__sku", "expected_at")
    return list(rows.values_list("record__sku", "expected_at", "quantity"))


@pytest.fixture
def queue() -> tuple[Order, Order]:
    """Two orders that are short of two mugs and a cup each; both keep their places."""
    site = make_site(stock={"MUG": 9, "CUP": 9, "PEN": 9}, keeps_promises=True)
    made = [capture(site, number, [("MUG", 2), ("CUP", 1)]) for number in ("1", "2")]
    ids = [order.pk for order in made]
    Order.objects.filter(pk__in=ids).update(
        reservation_state=ReservationState.NOTHING, export_status="ready"
    )
    Hold.objects.update(state=HoldState.RELEASED)
    with transaction.atomic():
        promises.note_short(ids, now=START)
    first, second = Order.objects.order_by("pk")
    return first, second


def test_a_feed_replaces_what_was_known_of_its_skus_alone(queue: tuple[Order, Order]) -> None:
    assert deliveries.note([told("MUG", (FRIDAY, 3), (MONDAY, 1)), told("CUP", (FRIDAY, 4))]) == 2
    assert deliveries.note([told("MUG", (FRIDAY, 3), (MONDAY, 1)), told("PEN")]) == 0
    assert deliveries.note([told("MUG", (MONDAY, 5)), told("NOWHERE", (MONDAY, 5))]) == 2
    assert known() == [("CUP", FRIDAY, D(4)), ("MUG", MONDAY, D(5))]
    assert deliveries.note([told("CUP"), told("MUG")]) == 2
    assert known() == []


def test_the_first_day_is_suggested_by_which_enough_is_delivered(
    queue: tuple[Order, Order],
) -> None:
    deliveries.note([told("MUG", (FRIDAY, 3), (MONDAY, 1)), told("CUP", (FRIDAY, 4))])
    first, second = (deliveries.suggest(order, now=START) for order in queue)
    assert (first.at, second.at) == (FRIDAY, MONDAY)
    assert [(one.sku, one.units, one.ahead, one.covered_at) for one in second.expected] == [
        ("CUP", D(1), D(1), FRIDAY),
        ("MUG", D(2), D(2), MONDAY),
    ]
    assert (second.expected[1].next_at, second.expected[1].next_units) == (FRIDAY, D(3))


def test_no_day_is_suggested_unless_all_of_the_order_is_expected(
    queue: tuple[Order, Order],
) -> None:
    order = queue[1]
    assert deliveries.suggest(order, now=START) == deliveries.Suggestion([], None)
    deliveries.note([told("MUG", (FRIDAY, 9))])
    found = deliveries.suggest(order, now=START)
    assert ([one.sku for one in found.expected], found.at) == (["MUG"], None)
    # Enough for the older order alone, and what should have come already counts no more.
    deliveries.note([told("MUG", (FRIDAY, 2)), told("CUP", (MONDAY, 2))])
    assert deliveries.suggest(queue[0], now=START).at == MONDAY
    assert deliveries.suggest(order, now=START).at is None
    assert [one.sku for one in deliveries.suggest(queue[0], now=FRIDAY).expected] == ["CUP"]


def test_what_an_order_has_or_gave_up_is_not_waited_for(queue: tuple[Order, Order]) -> None:
    deliveries.note([told("MUG", (FRIDAY, 9)), told("CUP", (FRIDAY, 9))])
    order = queue[0]
    order.items.filter(sku="CUP").update(cancelled_quantity=1)
    order.items.filter(sku="MUG").update(reserved_quantity=1)
    found = deliveries.suggest(order, now=START)
    assert [(one.sku, one.units) for one in found.expected] == [("MUG", D(1))]

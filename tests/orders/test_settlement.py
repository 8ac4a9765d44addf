"""Settling a short order outside, and opening it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders import cancellation, outcomes
from orders.actors import person
from orders.errors import CannotSettle
from orders.models import (
    Order,
    OrderEvent,
    OrderItem,
)
from orders.settlement import reopen, settle_outside
from tests import factories
from tests.factories import START, capture, everything, make_site

pytestmark = pytest.mark.django_db

MIA, OTTO = person("mia"), person("otto")
NOW = START + timedelta(minutes=5)


def short_order(reserved: str = "1") -> Order:
    """Capture an order of three units of which OCI has reserved `reserved`."""
    order = capture(make_site(stock={"MUG": 10}), "A1", [("MUG", 3)])
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW, now=START)
    item = OrderItem.objects.get(order=order)
    settled = factories.settle(
        order, {item.pk: Decimal(reserved)}, now=START + timedelta(seconds=9)
    )
    assert settled is not None
    return settled


def settle(order: Order, reference: str = "PO-77", now: datetime = NOW) -> Order:
    return settle_outside(
        order_id=order.pk, reference=reference, actor=MIA, reason="Bought from a friend.", now=now
    )


def test_it_leaves_the_work_list_and_is_never_shown_as_reserved() -> None:
    order = short_order()
    assert list(Order.objects.oversold()) == [order]

    settled = settle(order)

    assert (settled.resolution, settled.resolution_by) == ("settled_outside", "mia")
    assert settled.resolution_at == NOW
    assert settled.resolution_note == "PO-77: Bought from a friend."
    assert settled.reservation_state == "PARTIALLY_RESERVED"
    assert OrderItem.objects.get().reserved_quantity == 1
    assert not Order.objects.oversold().exists()
    event = OrderEvent.objects.latest("pk")
    assert (event.kind, event.actor, event.reason, event.projected) == (
        "resolved",
        "mia",
        "PO-77: Bought from a friend.",
        False,
    )


def test_a_second_click_changes_nothing_and_another_reference_is_refused() -> None:
    order = short_order()
    settle(order)
    before = everything()
    settle(order, now=NOW + timedelta(minutes=1))
    assert everything() == before
    with pytest.raises(CannotSettle, match="settled as “Settled outside” by mia"):
        settle(order, reference="PO-78")
    assert everything() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "cancelling"}, "The order is being cancelled."),
        ({"reservation_state": "RESERVATION_MISSING"}, "is waiting for its reservation"),
        ({"resolution": "reserved_again"}, "settled as “Reserved again”"),
        ({"claim": "run", "claimed_until": NOW + timedelta(seconds=1)}, "is being reserved"),
    ],
)
def test_what_is_not_short_or_not_at_rest_is_refused(changes: dict[str, Any], message: str) -> None:
    order = short_order()
    if "reservation_state" in changes:
        changes = changes | {"export_status": "not_exported"}
    Order.objects.filter(pk=order.pk).update(**changes)
    before = everything()
    with pytest.raises(CannotSettle, match=message):
        settle(order)
    assert everything() == before


def test_opened_again_it_is_oversold_once_more() -> None:
    order = short_order("0")
    settle(order)

    for _ in range(2):
        opened = reopen(order_id=order.pk, actor=OTTO, reason="They did not deliver.", now=NOW)
        assert (opened.resolution, opened.resolution_at, opened.resolution_note) == ("", None, "")

    assert list(Order.objects.oversold()) == [order]
    told = [(e.kind, e.actor) for e in OrderEvent.objects.order_by("pk")][-2:]
    assert told == [("resolved", "mia"), ("reopened", "otto")]


def test_a_cancelled_order_is_not_opened_again() -> None:
    order = short_order()
    cancellation.request_cancellation(order_id=order.pk, actor=MIA, reason="sold out", now=NOW)
    before = everything()
    with pytest.raises(CannotSettle, match="cannot be undone"):
        reopen(order_id=order.pk, actor=OTTO, reason="oh", now=NOW)
    assert everything() == before


def test_an_order_settled_outside_is_not_cancelled() -> None:
    order = short_order()
    settle(order)
    before = everything()
    with pytest.raises(cancellation.CannotCancel, match=r"settled outside\. Open it again"):
        cancellation.request_cancellation(order_id=order.pk, actor=MIA, reason="x", now=NOW)
    assert everything() == before

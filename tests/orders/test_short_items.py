"""Cancelling the short items of an order, and taking that back."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from orders import cancellation, outcomes
from orders.actors import job, person
from orders.errors import CannotRemedy, CannotSettle
from orders.models import (
    Order,
    OrderEvent,
    OrderItem,
    Replacement,
)
from orders.settlement import reopen, settle_outside
from orders.short_items import cancel_short
from orders.units import unreserved_of
from tests import factories
from tests.factories import START, capture, everything, make_site

pytestmark = pytest.mark.django_db

MIA, OTTO = person("mia"), person("otto")
NOW = START + timedelta(minutes=5)
D = Decimal


def short_order(mugs: str = "1", cups: str = "0") -> Order:
    """Capture an order of 3 MUG and 2 CUP, of which OCI has reserved so many."""
    order = capture(make_site(stock={"MUG": 10, "CUP": 10}), "A1", [("MUG", 3), ("CUP", 2)])
    return answer(order, {"MUG": D(mugs), "CUP": D(cups)})


def answer(order: Order, units: Mapping[str, Decimal]) -> Order:
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW, now=START)
    settled = factories.settle(
        order,
        {item.pk: units[item.sku] for item in OrderItem.objects.filter(order=order)},
        now=START + timedelta(seconds=9),
    )
    assert settled is not None
    return settled


def open_units(order: Order, *skus: str) -> dict[int, Decimal]:
    items = OrderItem.objects.filter(order=order, sku__in=skus or ["MUG", "CUP"])
    return {item.pk: item.open_quantity for item in items}


def cancel(order: Order, units: Mapping[int, Decimal], reason: str = "Sold out.") -> Order:
    return cancel_short(order_id=order.pk, units=units, actor=MIA, reason=reason, now=NOW)


def quantities(order: Order) -> list[tuple[Any, ...]]:
    """SKU, ordered, reserved, cancelled, open."""
    items = OrderItem.objects.filter(order=order).order_by("position")
    return [
        (i.sku, i.quantity, i.reserved_quantity, i.cancelled_quantity, i.open_quantity)
        for i in items
    ]


def test_the_short_items_are_cancelled_and_the_rest_is_kept() -> None:
    order = short_order()
    units = open_units(order)

    cancelled = cancel(order, units)

    assert (cancelled.status, cancelled.export_status) == ("new", "ready")
    assert (cancelled.reservation_state, cancelled.resolution) == (
        "PARTIALLY_RESERVED",
        "short_cancelled",
    )
    assert (cancelled.resolution_by, cancelled.resolution_note) == ("mia", "Sold out.")
    assert quantities(order) == [("MUG", 3, 1, 2, 0), ("CUP", 2, 0, 2, 0)]
    assert [unreserved_of(item) for item in order.items.order_by("position")] == [2, 2]
    assert not Order.objects.oversold().exists()
    event = OrderEvent.objects.latest("pk")
    assert (event.kind, event.actor, event.reason, event.projected) == (
        "items_cancelled",
        "mia",
        "Sold out.",
        False,
    )
    assert event.data == {"cancelled": {str(pk): 2 for pk in units}}


def test_the_same_again_changes_nothing() -> None:
    order = short_order()
    units = open_units(order)
    cancel(order, units)
    before = everything()
    assert cancel(order, units).resolution == "short_cancelled"
    assert everything() == before


def test_with_something_still_open_the_order_stays_oversold() -> None:
    order = short_order()
    assert cancel(order, open_units(order, "CUP")).resolution == ""
    assert quantities(order) == [("MUG", 3, 1, 0, 2), ("CUP", 2, 0, 2, 0)]
    assert list(Order.objects.oversold()) == [order]
    assert cancel(order, open_units(order, "MUG"), "So are these.").resolution == "short_cancelled"


def test_what_is_reserved_later_settles_an_order_with_cancelled_items_as_that() -> None:
    order = short_order()
    cancel(order, open_units(order, "CUP"))
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW + timedelta(1), now=NOW)
    added = outcomes.add_reserved(
        order_id=order.pk,
        holder="w",
        added=open_units(order, "MUG"),
        actor=job("w"),
        reason="OCI answered.",
        now=NOW,
    )
    assert added is not None
    assert (added.reservation_state, added.resolution) == ("PARTIALLY_RESERVED", "short_cancelled")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "cancelling"}, "being cancelled"),
        ({"export_status": "exported"}, "Order management has taken the order"),
        ({"needs_review_since": NOW}, "End the review first"),
        ({"resolution": "settled_outside", "resolution_by": "otto"}, "“Settled outside” by otto"),
        ({"reservation_state": "COMPLETELY_RESERVED"}, "No item of the order is short"),
        ({"reservation_state": "NOTHING_RESERVED"}, "Cancel the whole order"),
        ({"claim": "run", "claimed_until": NOW + timedelta(seconds=1)}, "is being reserved"),
    ],
)
def test_an_order_that_has_moved_on_is_refused(changes: dict[str, Any], message: str) -> None:
    order = short_order()
    Order.objects.filter(pk=order.pk).update(**changes)
    before = everything()
    with pytest.raises(CannotRemedy, match=message):
        cancel(order, open_units(order))
    assert everything() == before


def test_other_units_than_were_shown_are_refused() -> None:
    order = short_order()
    shown = open_units(order)
    OrderItem.objects.filter(sku="MUG").update(reserved_quantity=D(2))
    other = OrderItem.objects.create(
        order=capture(order.site, "B1", [("MUG", 1)]),
        position=9,
        sku="MUG",
        inventory_list_id="web",
        quantity=D(1),
    )
    before = everything()
    for units, message in (
        (shown, "1 of MUG are short now, not 2"),
        ({}, "Choose at least one short item"),
        ({other.pk: D(1)}, "does not belong to the order"),
        ({pk: D(0) for pk in shown}, "not 0"),
    ):
        with pytest.raises(CannotRemedy, match=message):
            cancel(order, units)
    assert everything() == before


def test_a_worker_whose_claim_has_ended_does_not_count_behind_it() -> None:
    order = short_order()
    outcomes.take_claim(order_id=order.pk, holder="slow", until=NOW, now=START)
    cancel(order, open_units(order))
    late = outcomes.add_reserved(
        order_id=order.pk, holder="slow", added={}, actor=job("w"), reason="Late.", now=NOW
    )
    assert late is None
    assert quantities(order) == [("MUG", 3, 1, 2, 0), ("CUP", 2, 0, 2, 0)]


def test_opened_again_the_items_are_short_once_more() -> None:
    order = short_order()
    cancel(order, open_units(order, "CUP"))
    cancel(order, open_units(order, "MUG"), "Sold out too.")
    for _ in range(2):
        opened = reopen(order_id=order.pk, actor=OTTO, reason="Found some.", now=NOW)
        assert (opened.resolution, opened.resolution_note) == ("", "")
    assert quantities(order) == [("MUG", 3, 1, 0, 2), ("CUP", 2, 0, 0, 2)]
    told = [(e.kind, e.actor) for e in OrderEvent.objects.order_by("pk")][-2:]
    assert told == [("items_cancelled", "mia"), ("reopened", "otto")]


def test_opening_what_was_settled_outside_keeps_the_cancelled_items() -> None:
    order = short_order()
    cancel(order, open_units(order, "CUP"))
    settle_outside(order_id=order.pk, reference="P", actor=MIA, reason="Bought.", now=NOW)
    assert reopen(order_id=order.pk, actor=OTTO, reason="Not so.", now=NOW).resolution == ""
    assert quantities(order) == [("MUG", 3, 1, 0, 2), ("CUP", 2, 0, 2, 0)]


def test_cancelled_items_that_order_management_knows_are_not_opened() -> None:
    order = short_order()
    cancel(order, open_units(order))
    Order.objects.update(export_status="exported")
    before = everything()
    with pytest.raises(CannotSettle, match="without the cancelled items"):
        reopen(order_id=order.pk, actor=OTTO, reason="Found some.", now=NOW)
    assert everything() == before


@pytest.mark.parametrize("cancelled_before", [False, True])
def test_an_order_put_right_can_still_be_cancelled(cancelled_before: bool) -> None:
    order = short_order()
    if cancelled_before:
        cancel(order, open_units(order))
    else:
        outcomes.take_claim(order_id=order.pk, holder="w", until=NOW + timedelta(1), now=NOW)
        outcomes.add_reserved(
            order_id=order.pk,
            holder="w",
            added=open_units(order),
            actor=job("w"),
            reason="OCI answered.",
            now=NOW,
        )
    asked = cancellation.request_cancellation(
        order_id=order.pk, actor=OTTO, reason="The shopper asked.", now=NOW
    )
    assert (asked.status, asked.resolution, asked.resolution_by) == (
        "cancelling",
        "cancelled",
        "otto",
    )
    assert asked.short_at == START + timedelta(seconds=9)
    with pytest.raises(CannotSettle, match="cannot be undone"):
        reopen(order_id=order.pk, actor=OTTO, reason="oh", now=NOW)


def test_an_order_without_shortage_is_never_marked_as_short() -> None:
    assert short_order("3", "2").short_at is None
    assert not Replacement.objects.exists()


def test_orders_that_were_short_before_the_mark_was_kept_are_marked() -> None:
    short = short_order()
    again = answer(capture(short.site, "A2", [("MUG", 1)]), {"MUG": D(1)})
    whole = answer(capture(short.site, "A3", [("MUG", 1)]), {"MUG": D(1)})
    Order.objects.filter(pk=again.pk).update(resolution="reserved_again")
    Order.objects.update(short_at=None)
    migration = importlib.import_module("orders.migrations.0007_orders_that_were_short")
    migration.mark(apps, SimpleNamespace(connection=connection))
    marked = dict(Order.objects.values_list("order_no", "short_at"))
    assert marked == {"A1": short.reconciled_at, "A2": again.reconciled_at, "A3": None}
    assert whole.reconciled_at is not None

"""Cancelling an order, as far as this side of OCI goes."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from orders import cancellation, outcomes
from orders.actors import job, person
from orders.capture import Claim
from orders.errors import CannotCancel
from orders.models import (
    ExportStatus,
    Hold,
    InventoryRecord,
    Order,
    OrderEvent,
    OrderItem,
)
from tests import factories
from tests.factories import START, capture, everything, make_site

pytestmark = pytest.mark.django_db

D = Decimal
MIA = person("mia")
NOW = START + timedelta(minutes=5)


@pytest.fixture
def order() -> Order:
    return capture(make_site(stock={"MUG": 10}), "A1", [("MUG", 3)])


def request(order: Order, now: datetime = NOW) -> Order:
    return cancellation.request_cancellation(
        order_id=order.pk, actor=MIA, reason="Changed her mind.", now=now
    )


def take(order: Order, holder: str = "r", now: datetime = NOW) -> bool:
    return cancellation.take_release_claim(
        order_id=order.pk, holder=holder, until=now + timedelta(seconds=60), now=now
    )


def finish(order: Order, holder: str = "r") -> bool:
    return cancellation.finish_cancellation(
        order_id=order.pk, holder=holder, actor=job("releases"), reason="Undone.", now=NOW
    )


def settle(order: Order, units: str) -> None:
    now = START + timedelta(minutes=1)
    outcomes.take_claim(order_id=order.pk, holder="w", until=now + timedelta(seconds=60), now=now)
    assert factories.settle(order, {OrderItem.objects.get(order=order).pk: D(units)}, now=now)


def test_a_request_takes_the_order_out_of_the_queue_and_keeps_its_hold(order: Order) -> None:
    asked = request(order)
    assert (asked.status, asked.resolution, asked.resolution_by) == (
        "cancelling",
        "cancelled",
        "mia",
    )
    assert (asked.resolution_at, asked.resolution_note) == (NOW, "Changed her mind.")
    assert list(Order.objects.waiting()) == []
    assert InventoryRecord.objects.get().held == D(3)
    event = OrderEvent.objects.get(kind="cancel_requested")
    assert (event.actor_kind, event.actor, event.reason) == ("person", "mia", "Changed her mind.")


def test_asking_again_changes_nothing(order: Order) -> None:
    request(order)
    before = everything()
    assert request(order, NOW + timedelta(hours=1)).status == "cancelling"
    assert everything() == before
    take(order)
    finish(order)
    before = everything()
    assert request(order, NOW + timedelta(hours=1)).status == "cancelled"
    assert everything() == before


def test_finishing_gives_the_stock_back_once(order: Order) -> None:
    settle(order, "2")
    request(order)
    assert take(order) is True
    assert finish(order) is True
    order.refresh_from_db()
    assert (order.status, order.claim, order.claimed_until) == ("cancelled", "", None)
    assert OrderItem.objects.get().reserved_quantity == 0
    record = InventoryRecord.objects.get()
    assert (record.ato, record.held, Hold.objects.get().state) == (D(10), D(0), "released")
    before = everything()
    assert (finish(order), take(order)) == (False, False)
    assert everything() == before


def test_who_has_the_claim_on_the_order_is_waited_for(order: Order) -> None:
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW + timedelta(seconds=30), now=NOW)
    request(order)
    before = everything()
    assert (take(order), finish(order)) == (False, False)
    assert everything() == before
    assert take(order, now=NOW + timedelta(seconds=30)) is True


@pytest.mark.parametrize("holder", ["other", ""])
def test_only_who_has_the_release_claim_finishes(order: Order, holder: str) -> None:
    request(order)
    take(order)
    before = everything()
    assert finish(order, holder) is False
    assert everything() == before


@pytest.mark.parametrize("status", ["new", "created", "failed"])
def test_only_what_is_being_cancelled_is_finished(order: Order, status: str) -> None:
    Order.objects.update(status=status, claim="r")
    before = everything()
    assert (take(order), finish(order)) == (False, False)
    assert everything() == before


@pytest.mark.parametrize("export", ["ready", "failed"])
def test_order_management_is_not_offered_a_cancelled_order(order: Order, export: str) -> None:
    settle(order, "3")
    Order.objects.update(export_status=export)
    assert request(order).export_status == ExportStatus.NOT_EXPORTED


def test_a_cancelled_order_needs_no_review(order: Order) -> None:
    outcomes.put_to_review(order_id=order.pk, holder=None, actor=job("w"), reason="Odd.", now=START)
    asked = request(order)
    assert (asked.needs_review_since, asked.needs_review_reason) == (None, "")


def test_a_live_order_can_be_cancelled_while_it_is_being_reserved() -> None:
    site = make_site(stock={"MUG": 10})
    live = capture(site, "L1", [("MUG", 1)], claim=Claim("live", NOW))
    assert request(live).status == "cancelling"
    for act in (outcomes.fail_live, outcomes.accept_offline):
        assert not act(order_id=live.pk, holder="live", actor=MIA, reason="late", now=NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "failed"}, "has failed"),
        (
            {"reservation_state": "COMPLETELY_RESERVED", "export_status": "exported"},
            "Cancel it there",
        ),
        ({"resolution": "settled_outside"}, r"settled outside\. Open it again"),
    ],
)
def test_what_cannot_be_cancelled_stays_as_it_is(
    order: Order, change: dict[str, str], words: str
) -> None:
    Order.objects.update(**change)
    before = everything()
    with pytest.raises(CannotCancel, match=words) as refused:
        request(order)
    assert (refused.value.status, refused.value.type) == (409, "cannot-cancel")
    assert everything() == before

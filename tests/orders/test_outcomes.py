"""Clearing reservation states: one wins, and who has lost changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from orders import ledger, outcomes
from orders.actors import job
from orders.capture import Claim
from orders.models import (
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    Site,
)
from tests import factories
from tests.factories import START, capture, everything, know_stock, make_site

pytestmark = pytest.mark.django_db

D = Decimal
JOB = job("worker")
NOW = START + timedelta(minutes=5)
COMPLETE, PARTIAL = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"
NOTHING, MISSING = "NOTHING_RESERVED", "RESERVATION_MISSING"


@pytest.fixture
def site() -> Site:
    return make_site(stock={"MUG": 10, "CUP": 10})


@pytest.fixture
def order(site: Site) -> Order:
    """An order that waits for 3 mugs and 2.5 cups."""
    return capture(site, "A1", [("MUG", 3), ("CUP", 2.5)])


def claim(order: Order, holder: str = "w", *, now: datetime = NOW, seconds: float = 60) -> bool:
    return outcomes.take_claim(
        order_id=order.pk, holder=holder, until=now + timedelta(seconds=seconds), now=now
    )


def units(order: Order, *quantities: str) -> dict[int, Decimal]:
    items = OrderItem.objects.filter(order=order).order_by("position")
    return {item.pk: D(value) for item, value in zip(items, quantities, strict=True)}


def settle(order: Order, *quantities: str, holder: str = "w") -> Order | None:
    return factories.settle(order, units(order, *quantities), holder=holder, actor=JOB, now=NOW)


def add(order: Order, *quantities: str, now: datetime = NOW) -> Order | None:
    return outcomes.add_reserved(
        order_id=order.pk,
        holder="w",
        added=units(order, *quantities),
        actor=JOB,
        reason="OCI answered again.",
        now=now,
    )


# Claims


def test_a_claim_is_one_persons_until_it_ends(order: Order) -> None:
    assert claim(order, "one", seconds=60) is True
    assert claim(order, "two") is False
    assert claim(order, "one", seconds=90) is True
    later = NOW + timedelta(seconds=90)
    assert claim(order, "two", now=later - timedelta(seconds=1)) is False
    assert claim(order, "two", now=later) is True
    outcomes.drop_claim(order_id=order.pk, holder="one")
    order.refresh_from_db()
    assert order.claim == "two"
    outcomes.drop_claim(order_id=order.pk, holder="two")
    order.refresh_from_db()
    assert (order.claim, order.claimed_until) == ("", None)


@pytest.mark.parametrize("status", ["created", "cancelling", "cancelled", "failed"])
def test_only_accepted_orders_are_claimed(order: Order, status: str) -> None:
    Order.objects.update(status=status)
    before = everything()
    assert claim(order) is False
    assert everything() == before


# Settling


@pytest.mark.parametrize(
    ("quantities", "state"),
    [
        (("3", "2.5"), COMPLETE),
        (("3", "2.499"), PARTIAL),
        (("0", "0.001"), PARTIAL),
        (("0", "0"), NOTHING),
    ],
)
def test_an_order_is_settled_by_comparing_quantities(
    order: Order, quantities: tuple[str, str], state: str
) -> None:
    claim(order)
    settled = settle(order, *quantities)
    assert settled is not None
    order.refresh_from_db()
    assert (order.reservation_state, order.status, order.export_status) == (state, "new", "ready")
    assert (order.reconciled_at, order.claim, order.claimed_until) == (NOW, "", None)
    reserved = OrderItem.objects.order_by("position").values_list("reserved_quantity", flat=True)
    assert list(reserved) == [D(value) for value in quantities]
    # What was short keeps its hold as well, until a snapshot tells.
    holds = Hold.objects.values_list("state", "answered_at", "quantity")
    assert sorted(holds) == [("answered", NOW, D("2.5")), ("answered", NOW, D(3))]
    event = OrderEvent.objects.get(kind="settled")
    assert (event.actor_kind, event.actor, event.reason) == ("job", "worker", "OCI answered.")
    assert (event.data["state"], event.projected) == (state, False)
    assert event.data["reserved"] == {
        str(pk): float(value) for pk, value in units(order, *quantities).items()
    }


def lose_claim(order: Order) -> None:
    Order.objects.update(claim="other")


def cancel(order: Order) -> None:
    Order.objects.update(status="cancelling")


def settle_first(order: Order) -> None:
    assert settle(order, "1", "0") is not None
    claim(order)


@pytest.mark.parametrize("meanwhile", [lose_claim, cancel, settle_first])
def test_who_has_lost_the_order_settles_nothing(
    order: Order, meanwhile: Callable[[Order], None]
) -> None:
    claim(order)
    meanwhile(order)
    before = everything()
    assert settle(order, "3", "2.5") is None
    assert everything() == before


def test_settling_ends_a_review(order: Order) -> None:
    claim(order)
    Order.objects.update(needs_review_since=NOW, needs_review_reason="odd")
    settled = settle(order, "3", "2.5")
    assert settled is not None
    assert (settled.needs_review_since, settled.needs_review_reason) == (None, "")


# Adding to a short order


def test_what_is_reserved_later_is_added_and_the_order_resolved(order: Order) -> None:
    claim(order)
    settle(order, "1", "2.5")
    claim(order)
    later = NOW + timedelta(hours=1)
    added = add(order, "1.5", "0", now=later)
    assert added is not None
    assert (added.reservation_state, added.resolution, added.reconciled_at) == (PARTIAL, "", later)
    claim(order)
    added = add(order, "0.5", "0", now=later)
    assert added is not None
    assert (added.reservation_state, added.resolution) == (COMPLETE, "reserved_again")
    assert (added.resolution_at, added.resolution_by) == (later, "worker")
    assert [event.kind for event in OrderEvent.objects.order_by("id")][1:] == [
        "settled",
        "settled",
        "resolved",
    ]
    # The hold of the capture covers it, and starts anew.
    hold = Hold.objects.get(record__sku="MUG")
    assert (hold.quantity, hold.state, hold.answered_at) == (D(3), "answered", later)


def test_what_is_added_has_its_hold_since_it_was_asked_for(order: Order) -> None:
    claim(order)
    settle(order, "1", "2.5")
    know_stock({"MUG": 9, "CUP": 9}, at=NOW + timedelta(seconds=3))
    assert set(Hold.objects.values_list("state", flat=True)) == {"dropped"}
    claim(order)
    with transaction.atomic():
        ledger.hold_shortfall(
            order=order,
            asked={("web", "MUG"): D(2)},
            again=False,
            until=NOW + timedelta(seconds=60),
            now=NOW,
        )
    movement = Movement.objects.order_by("id").last()
    assert movement is not None
    assert (movement.reason, movement.ato_change, movement.held_change) == (
        "asked_again",
        D(-2),
        D(2),
    )
    later = NOW + timedelta(seconds=1)
    assert add(order, "2", "0", now=later) is not None
    record = InventoryRecord.objects.get(sku="MUG")
    assert (record.held, record.ato) == (D(2), D(7))
    hold = Hold.objects.get(state="answered")
    assert (hold.quantity, hold.answered_at) == (D(2), later)
    assert Movement.objects.order_by("id").last() == movement


def test_nothing_added_changes_no_quantity(order: Order) -> None:
    claim(order)
    settle(order, "1", "0")
    claim(order)
    added = add(order, "0", "0")
    assert added is not None
    assert (added.reservation_state, added.claim) == (PARTIAL, "")
    assert list(OrderItem.objects.values_list("reserved_quantity", flat=True)) == [D(1), D(0)]


@pytest.mark.parametrize("state", [MISSING, COMPLETE])
def test_nothing_is_added_to_an_order_that_is_not_short(order: Order, state: str) -> None:
    claim(order)
    if state == COMPLETE:
        settle(order, "3", "2.5")
        claim(order)
    before = everything()
    assert add(order, "1", "0") is None
    assert everything() == before


@pytest.mark.parametrize("meanwhile", [lose_claim, cancel])
def test_who_has_lost_a_short_order_adds_nothing(
    order: Order, meanwhile: Callable[[Order], None]
) -> None:
    claim(order)
    settle(order, "1", "0")
    claim(order)
    meanwhile(order)
    before = everything()
    assert add(order, "1", "0") is None
    assert everything() == before


# Live orders


@pytest.fixture
def live(site: Site) -> Order:
    """A live order whose call is under way."""
    until = START + timedelta(seconds=20)
    return capture(site, "L1", [("MUG", 4)], claim=Claim("live", until))


def accept(order: Order, holder: str = "live") -> bool:
    return outcomes.accept_offline(
        order_id=order.pk, holder=holder, actor=JOB, reason="No answer.", now=NOW
    )


def fail(order: Order, holder: str = "live") -> bool:
    return outcomes.fail_live(
        order_id=order.pk, holder=holder, actor=JOB, reason="OCI is short.", now=NOW
    )


def test_a_live_order_is_accepted_offline_once(live: Order) -> None:
    assert accept(live) is True
    live.refresh_from_db()
    assert (live.status, live.captured_offline, live.claim) == ("new", True, "")
    event = OrderEvent.objects.get(kind="captured_offline")
    assert (event.reason, event.projected) == ("No answer.", False)
    before = everything()
    assert (accept(live), fail(live)) == (False, False)
    assert everything() == before


def test_a_live_order_fails_once_and_its_stock_is_given_back_once_it_is_undone(
    live: Order,
) -> None:
    assert outcomes.give_back_failed(order_id=live.pk, now=NOW) is False
    assert fail(live) is True
    live.refresh_from_db()
    assert (live.status, live.claim, live.export_status) == ("failed", "", "not_exported")
    record = InventoryRecord.objects.get(sku="MUG")
    assert (record.ato, record.held) == (D(6), D(4))
    before = everything()
    assert (fail(live), accept(live)) == (False, False)
    assert everything() == before
    assert outcomes.give_back_failed(order_id=live.pk, now=NOW) is True
    record.refresh_from_db()
    assert (record.ato, record.held) == (D(10), D(0))
    assert Hold.objects.get().state == "released"
    before = everything()
    assert outcomes.give_back_failed(order_id=live.pk, now=NOW) is True
    assert everything() == before


@pytest.mark.parametrize("act", [accept, fail])
def test_only_who_has_the_claim_decides_about_a_live_order(
    live: Order, act: Callable[..., bool]
) -> None:
    before = everything()
    assert act(live, holder="other") is False
    assert everything() == before


def test_abandoned_live_orders_are_adopted_when_their_claim_has_ended(
    site: Site, live: Order
) -> None:
    capture(site, "L2", [("MUG", 1)], claim=Claim("younger", START + timedelta(seconds=21)))
    adopt = outcomes.resume_abandoned
    assert adopt(actor=JOB, now=START + timedelta(seconds=19)) == 0
    assert adopt(actor=JOB, now=START + timedelta(seconds=20)) == 1
    assert adopt(actor=JOB, now=START + timedelta(seconds=20)) == 0
    rows = Order.objects.order_by("id").values_list("status", "captured_offline", "claim")
    assert list(rows) == [("new", True, ""), ("created", False, "younger")]
    assert InventoryRecord.objects.get(sku="MUG").held == D(5)


# Review


def put_to_review(order: Order, holder: str | None = None) -> bool:
    return outcomes.put_to_review(
        order_id=order.pk, holder=holder, actor=JOB, reason="Odd.", now=NOW
    )


def test_review_takes_an_order_out_of_the_retries_and_back(order: Order) -> None:
    assert put_to_review(order) is True
    order.refresh_from_db()
    assert (order.needs_review_since, order.needs_review_reason) == (NOW, "Odd.")
    assert (list(Order.objects.waiting()), Order.objects.needing_review().get()) == ([], order)
    before = everything()
    assert put_to_review(order) is False
    assert everything() == before
    end = {"order_id": order.pk, "actor": JOB, "reason": "Looked.", "now": NOW}
    assert outcomes.end_review(**end) is True
    assert Order.objects.waiting().get() == order
    assert outcomes.end_review(**end) is False
    kinds = list(OrderEvent.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["captured_offline", "needs_review", "reviewed"]


def test_only_who_has_the_claim_puts_to_review(order: Order) -> None:
    claim(order)
    before = everything()
    assert put_to_review(order, "other") is False
    assert everything() == before
    assert put_to_review(order, "w") is True


def test_a_live_order_that_needs_review_is_accepted_offline(live: Order) -> None:
    assert put_to_review(live, "live") is True
    live.refresh_from_db()
    assert (live.status, live.captured_offline, live.claim) == ("new", True, "")
    events = OrderEvent.objects.order_by("id").values_list("kind", "projected")
    assert list(events) == [
        ("captured", True),
        ("captured_offline", False),
        ("needs_review", False),
    ]

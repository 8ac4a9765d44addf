"""When order management may take a short order: at once, after some minutes, or when decided."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from orders import exports, handover, outcomes, settlement
from orders.actors import api_client, job, person
from orders.cancellation import request_cancellation
from orders.errors import ExportRefused, OrderChanged
from orders.exports import change_export_status
from orders.models import ExportStatus, Order, OrderEvent, OrderItem, Resolution
from orders.short_items import cancel_short
from reconciliation.maintenance import integrity_check
from tests import factories
from tests.factories import START, capture, make_site

pytestmark = pytest.mark.django_db

D = Decimal
MIA, OMS, SWEEP = person("mia"), api_client("oms"), job("sweep")
NOW = START + timedelta(minutes=5)
DUE = NOW + timedelta(minutes=30)
BY = {"actor": MIA, "reason": "agreed", "now": NOW}


def answered(policy: str, *, reserved: int = 1, minutes: int = 30) -> Order:
    """Return an order of two mugs of which OCI has reserved so many, at a site of that policy."""
    site = make_site(stock={"MUG": 9}, short_handover=policy, handover_minutes=minutes)
    return settle(capture(site, "A1", [("MUG", 2)]), reserved)


def settle(order: Order, reserved: int) -> Order:
    outcomes.take_claim(order_id=order.pk, holder="w", until=DUE, now=NOW)
    item = OrderItem.objects.get(order=order)
    settled = factories.settle(order, {item.pk: D(reserved)}, actor=SWEEP, now=NOW)
    assert settled is not None
    return settled


def where(order: Order) -> tuple[str, object]:
    order.refresh_from_db()
    return order.export_status, order.export_due_at


@pytest.mark.parametrize("reserved", [0, 1])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("at_once", ("ready", None)),
        ("after_minutes", ("not_exported", DUE)),
        ("when_decided", ("not_exported", None)),
    ],
)
def test_a_short_order_waits_as_its_site_says(
    policy: str, expected: tuple[str, object], reserved: int
) -> None:
    assert where(answered(policy, reserved=reserved)) == expected


@pytest.mark.parametrize("policy", ["at_once", "after_minutes", "when_decided"])
def test_a_completely_reserved_order_is_ready_at_once(policy: str) -> None:
    assert where(answered(policy, reserved=2)) == ("ready", None)


def test_it_is_handed_over_when_its_time_comes_and_once() -> None:
    order = answered("after_minutes")
    early = DUE - timedelta(seconds=1)
    assert handover.hand_over_due(actor=SWEEP, now=early) == 0
    assert where(order) == ("not_exported", DUE)
    assert handover.hand_over_due(actor=SWEEP, now=DUE) == 1
    assert where(order) == ("ready", None)
    told = OrderEvent.objects.get(kind="export")
    assert (told.actor, told.at, told.data) == ("sweep", DUE, {"handover": "handed_over"})
    assert handover.hand_over_due(actor=SWEEP, now=DUE) == 0
    assert OrderEvent.objects.filter(kind="export").count() == 1


@pytest.mark.parametrize("policy", ["after_minutes", "when_decided"])
@pytest.mark.parametrize("how", ["settle", "cancel short items", "reserve again"])
def test_deciding_hands_it_over(policy: str, how: str) -> None:
    order = answered(policy)
    item = OrderItem.objects.get(order=order)
    if how == "settle":
        settlement.settle_outside(order_id=order.pk, reference="PO-7", **BY)
    elif how == "cancel short items":
        cancel_short(order_id=order.pk, units={item.pk: D(1)}, **BY)
    else:
        outcomes.take_claim(order_id=order.pk, holder="w", until=DUE, now=NOW)
        outcomes.add_reserved(order_id=order.pk, holder="w", added={item.pk: D(1)}, **BY)
    assert where(order) == ("ready", None)


@pytest.mark.parametrize("policy", ["at_once", "after_minutes", "when_decided"])
def test_opened_again_it_waits_again_as_its_site_says(policy: str) -> None:
    order = answered(policy)
    before = where(order)
    settlement.settle_outside(order_id=order.pk, reference="PO-7", **BY)
    order.refresh_from_db()
    assert order.resolution_reference == "PO-7"
    settlement.reopen(order_id=order.pk, **BY)
    assert where(order) == before
    assert order.resolution_reference == ""


def test_hand_over_now_and_hold_with_actor_and_reason() -> None:
    order = answered("after_minutes")
    handover.hold(order_id=order.pk, **BY)
    assert where(order) == ("not_exported", None)
    assert handover.hand_over_due(actor=SWEEP, now=DUE) == 0
    handover.hold(order_id=order.pk, **BY)  # changes nothing
    handover.hand_over_now(order_id=order.pk, **BY)
    handover.hand_over_now(order_id=order.pk, **BY)  # changes nothing
    assert where(order) == ("ready", None)
    told = list(OrderEvent.objects.filter(kind="export").order_by("id"))
    assert [(one.actor, one.reason, one.data["handover"]) for one in told] == [
        ("mia", "agreed", "held"),
        ("mia", "agreed", "handed_over"),
    ]
    # Ready and not taken yet: it can still be held.
    handover.hold(order_id=order.pk, **BY)
    assert where(order) == ("not_exported", None)


def test_order_management_was_faster_than_hold() -> None:
    order = answered("at_once")
    change_export_status(order_id=order.pk, to=ExportStatus.EXPORTED, actor=OMS, now=NOW)
    with pytest.raises(ExportRefused, match="has taken the order"):
        handover.hold(order_id=order.pk, **BY)
    with pytest.raises(ExportRefused, match="has taken the order"):
        handover.hand_over_now(order_id=order.pk, **BY)
    assert where(order) == ("exported", None)


def test_what_waits_for_its_reservation_is_neither_held_nor_handed_over() -> None:
    order = capture(make_site(stock={"MUG": 9}), "A1", [("MUG", 2)])
    for refused in (handover.hold, handover.hand_over_now):
        with pytest.raises(ExportRefused, match="waiting for its reservation"):
            refused(order_id=order.pk, **BY)
    assert where(order) == ("not_exported", None)


def test_a_cancelled_order_is_never_handed_over() -> None:
    order = answered("after_minutes")
    request_cancellation(order_id=order.pk, **BY)
    assert handover.hand_over_due(actor=SWEEP, now=DUE) == 0
    assert where(order) == ("not_exported", None)


@pytest.mark.parametrize("policy", ["after_minutes", "when_decided"])
def test_waiting_for_a_decision_is_no_broken_promise(policy: str) -> None:
    order = answered(policy)
    Order.objects.exclude(export_due_at=None).update(export_due_at="2200-01-01T00:00:00Z")
    assert list(integrity_check._exports_withheld()) == []
    # Long over, and nobody has handed it over.
    Order.objects.filter(pk=order.pk).update(export_due_at=DUE)
    assert len(list(integrity_check._exports_withheld())) == 1


def test_the_version_that_is_acknowledged_must_be_the_current_one() -> None:
    order = answered("at_once")
    item = OrderItem.objects.get(order=order)
    cancel_short(order_id=order.pk, units={item.pk: D(1)}, **BY)
    for version in (2, 4):
        with pytest.raises(OrderChanged, match=f"has version 3, not {version}") as refused:
            change_export_status(
                order_id=order.pk, to=ExportStatus.EXPORTED, version=version, actor=OMS, now=NOW
            )
        assert (refused.value.status, refused.value.members()) == (409, {"version": 3})
    assert where(order) == ("ready", None)
    for _ in range(2):
        change_export_status(
            order_id=order.pk, to=ExportStatus.EXPORTED, version=3, actor=OMS, now=NOW
        )
    order.refresh_from_db()
    assert (order.export_status, order.exported_version) == ("exported", 3)


def test_resubmitting_offers_what_failed_once() -> None:
    order = answered("at_once")
    change_export_status(order_id=order.pk, to=ExportStatus.FAILED, actor=OMS, now=NOW)
    assert exports.resubmit(order_ids=[order.pk], **BY) == 1
    assert exports.resubmit(order_ids=[order.pk], **BY) == 0
    assert where(order) == ("ready", None)
    last = OrderEvent.objects.latest("pk")
    assert (last.kind, last.data, last.actor) == ("export", {"handover": "resubmitted"}, "mia")
    assert order.resolution == Resolution.NONE

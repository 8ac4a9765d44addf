"""Cancelling orders: whatever OCI may hold for them is undone first (design 3, 6)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import requests
from django_q.models import OrmQ

from orders import outcomes
from orders.errors import CannotCancel, OfflineCaptureRefused, ShortAtOci
from orders.models import Hold, InventoryRecord, Order, OrderEvent, OrderItem, OrderStatus
from reconciliation import connection
from reconciliation.models import Attempt, ReservationDocument, Scope
from reconciliation.reservation import release
from reconciliation.runs.lifecycle import RunRefused
from tests import factories
from tests.engine import MIA, D, Engine, reserved_by_items, set_connection
from tests.processes.product import wait_for
from tests.reconciliation.reservation.calls import MISSING

pytestmark = pytest.mark.django_db


def cancel(order: Order, engine: Engine, reason: str = "The shopper asked for it.") -> Order:
    return release.cancel_order(order_id=order.pk, actor=MIA, reason=reason, now=engine.clock())


def finish(engine: Engine) -> int:
    return release.finish_cancellations(clock=engine.clock)


def kinds(order: Order) -> list[str]:
    return list(OrderEvent.objects.filter(order=order).values_list("kind", flat=True))


def documents(order: Order) -> list[str]:
    rows = ReservationDocument.objects.filter(order=order).order_by("generation", "part")
    return list(rows.values_list("state", flat=True))


def unanswered(engine: Engine, fault: str = "drop", **more: Any) -> Order:
    """A live order whose call got no answer; with `drop`, OCI holds it."""
    site = engine.site({"MUG": 5})
    engine.oci.fault(fault, operations=["put"], **more)
    order = engine.place(site, "A1", [("MUG", 2)]).order
    engine.oci.fault("none")
    set_connection("ONLINE")
    return order


def test_a_waiting_order_that_oci_never_heard_of_is_cancelled_at_once(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    cancelled = cancel(order, engine)
    assert (cancelled.status, cancelled.reservation_state) == ("cancelled", MISSING)
    assert (cancelled.resolution, cancelled.resolution_by) == ("cancelled", "mia")
    assert cancelled.resolution_note == "The shopper asked for it."
    assert InventoryRecord.objects.get().ato == D(5)
    assert Hold.objects.get().state == "released"
    assert list(Order.objects.waiting()) == []
    assert engine.oci.requests() == []
    assert OrmQ.objects.count() == 0
    events = OrderEvent.objects.filter(order=order).values_list("kind", "actor", "reason")
    assert list(events)[1:] == [
        ("cancel_requested", "mia", "The shopper asked for it."),
        ("cancelled", "releases", "OCI holds nothing for it, and its stock was given back."),
    ]
    with pytest.raises(RunRefused):
        engine.start()


def test_cancelling_twice_changes_nothing(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    cancel(order, engine)
    before = Order.objects.values().get(), OrderEvent.objects.count()
    engine.clock.go(60)
    assert cancel(order, engine, "again").status == "cancelled"
    assert before == (Order.objects.values().get(), OrderEvent.objects.count())
    assert InventoryRecord.objects.get().ato == D(5)


def test_a_reserved_order_is_released_at_oci_before_it_is_cancelled(engine: Engine) -> None:
    order = engine.place(engine.site({"MUG": 5}), "A1", [("MUG", 2)]).order
    cancelled = cancel(order, engine)
    assert (cancelled.status, cancelled.export_status) == ("cancelling", "not_exported")
    assert documents(order) == ["cancelling"]
    assert (engine.held(), InventoryRecord.objects.get().ato) == ({"MUG": D(2)}, D(3))
    assert OrmQ.objects.get().task["func"] == "reconciliation.tasks.finish_cancellations"
    # Asked again while it is under way: the same, once.
    assert cancel(order, engine).status == "cancelling"
    assert finish(engine) == 1
    order.refresh_from_db()
    assert (order.status, order.claim) == ("cancelled", "")
    assert (engine.held(), InventoryRecord.objects.get().ato) == ({}, D(5))
    assert engine.documents("A1") == [("CANCELLED", {})]
    assert OrderItem.objects.get().reserved_quantity == 0
    assert kinds(order) == ["captured", "settled", "cancel_requested", "cancelled"]
    assert finish(engine) == 0


def test_every_document_of_an_order_is_released(engine: Engine) -> None:
    many = [(f"S{number:03}", 2.0) for number in range(101)]
    site = engine.site({sku: 1000 for sku, _ in many})
    engine.at_oci({sku: 2 for sku, _ in many[:-1]} | {"S100": 0})
    order = engine.capture(site, "A1", many)
    engine.reconcile()
    engine.at_oci({"S100": 1})
    engine.reconcile(Scope.OVERSOLD)
    assert documents(order) == ["counted", "counted", "counted"]
    assert len(engine.held()) == 101
    cancel(order, engine)
    assert finish(engine) == 1
    assert (engine.held(), documents(order)) == ({}, ["cancelled"] * 3)


@pytest.mark.parametrize("style", ["204", "202"])
def test_an_unknown_order_that_oci_holds_is_found_and_released(engine: Engine, style: str) -> None:
    engine.oci.settings(cancelStyle=style, cancelDelayMs=0)
    order = unanswered(engine)
    assert engine.held() == {"MUG": D(2)}
    assert cancel(order, engine).status == "cancelling"
    with pytest.raises(RunRefused):
        engine.start()
    assert finish(engine) == 1
    order.refresh_from_db()
    assert (order.status, engine.held()) == ("cancelled", {})
    assert InventoryRecord.objects.get().ato == D(5)


@pytest.mark.parametrize("unknown", ["404", "400"])
def test_an_unknown_order_that_oci_does_not_hold_waits_until_no_call_can_arrive(
    engine: Engine, unknown: str
) -> None:
    order = unanswered(engine, "down")
    engine.oci.settings(unknownCancel=unknown)
    cancel(order, engine)
    # A call may still be on its way.
    assert finish(engine) == 0
    engine.clock.go(59)
    assert finish(engine) == 0
    order.refresh_from_db()
    assert (order.status, order.claim) == ("cancelling", "")
    assert InventoryRecord.objects.get().ato == D(3)
    engine.clock.go(2)
    assert finish(engine) == 1
    order.refresh_from_db()
    assert (order.status, documents(order)) == ("cancelled", ["cancelled"])
    assert InventoryRecord.objects.get().ato == D(5)


def test_a_call_that_arrives_after_the_first_look_is_found_by_a_later_one(
    engine: Engine, settings: Any
) -> None:
    """OCI carries a slow call out in the end, whoever has given up by then."""
    site = engine.site({"MUG": 5})
    settings.COC_OCI_LIVE_TIMEOUT = 1.0
    engine.oci.fault("slow", operations=["put"], delayMs=60_000, when="before")
    order = engine.place(site, "A1", [("MUG", 2)]).order
    set_connection("ONLINE")
    cancel(order, engine)
    assert finish(engine) == 0
    assert engine.held() == {}
    engine.oci.fault("none")
    wait_for(engine.held, "OCI to carry the call out")
    assert engine.held() == {"MUG": D(2)}
    engine.clock.go(16)
    assert finish(engine) == 1
    assert engine.held() == {}


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_what_it_may_hold_waits_and_the_rest_does_not(
    engine: Engine, state: str
) -> None:
    site = engine.site({"MUG": 5})
    reserved = engine.place(site, "A1", [("MUG", 2)]).order
    set_connection(state)
    waiting = engine.place(site, "A2", [("MUG", 1)]).order
    calls = len(engine.oci.requests())
    assert cancel(waiting, engine).status == "cancelled"
    assert cancel(reserved, engine).status == "cancelling"
    assert finish(engine) == 0
    assert len(engine.oci.requests()) == calls
    assert InventoryRecord.objects.get().ato == D(3)
    set_connection("RECOVERING")
    assert finish(engine) == 1
    assert InventoryRecord.objects.get().ato == D(5)


def test_when_oci_goes_away_the_rest_is_left_without_asking(engine: Engine) -> None:
    site = engine.site({"MUG": 50})
    orders = [engine.place(site, f"A{number}", [("MUG", 1)]).order for number in range(4)]
    for order in orders:
        cancel(order, engine)
    engine.oci.fault("down", operations=["patch"])
    assert finish(engine) == 0
    assert Attempt.objects.filter(operation="cancel").count() == 1
    assert set(Order.objects.values_list("status", "claim")) == {("cancelling", "")}
    engine.oci.fault("none")
    assert finish(engine) == 4
    assert (engine.held(), InventoryRecord.objects.get().ato) == ({}, D(50))


def test_an_order_whose_call_is_under_way_is_left_alone_until_the_claim_ends(
    engine: Engine,
) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 2)])
    until = engine.clock() + timedelta(seconds=30)
    assert outcomes.take_claim(order_id=order.pk, holder="w", until=until, now=engine.clock())
    assert cancel(order, engine).status == "cancelling"
    assert finish(engine) == 0
    # And whoever reserves it can no longer settle it.
    settled = factories.settle(
        order,
        {OrderItem.objects.get().pk: D(2)},
        reason="OCI answered the reservation.",
        now=engine.clock(),
    )
    assert settled is None
    assert OrderItem.objects.get().reserved_quantity == 0
    engine.clock.go(30)
    assert finish(engine) == 1
    order.refresh_from_db()
    assert order.status == OrderStatus.CANCELLED


def expire_at_oci(engine: Engine, order: Order) -> None:
    """Make OCI refuse the cancel: the reservation has expired, and its state is not valid."""
    number = ReservationDocument.objects.get(order=order).reservation_id
    answer = requests.put(
        f"{engine.oci.base_url}/inventory/reservation/v1/organizations/"
        f"{engine.oci.tenant_group_id}/reservation-documents/{number}",
        headers={"Authorization": f"Bearer {engine.oci.token()}"},
        json={
            "expirationSeconds": 1,
            "groups": [{"id": "web", "reservations": [{"sku": "MUG", "quantity": 1}]}],
        },
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    time.sleep(1.1)


def test_a_cancel_that_oci_refuses_needs_review_and_may_be_tried_again(engine: Engine) -> None:
    order = unanswered(engine, "down")
    expire_at_oci(engine, order)
    cancel(order, engine)
    assert finish(engine) == 0
    order.refresh_from_db()
    assert (order.status, order.needs_review_since) == ("cancelling", engine.clock())
    assert order.needs_review_reason.startswith("OCI refused to cancel a reservation:")
    calls = len(engine.oci.requests())
    assert finish(engine) == 0
    assert len(engine.oci.requests()) == calls
    assert release.something_to_undo() is False
    # A person has looked at it; OCI knows nothing of it any more.
    engine.oci.reset("reservations")
    engine.clock.go(61)
    outcomes.end_review(order_id=order.pk, actor=MIA, reason="looked", now=engine.clock())
    assert finish(engine) == 1
    order.refresh_from_db()
    assert (order.status, order.needs_review_since) == ("cancelled", None)


def test_an_order_that_needs_review_can_be_cancelled(engine: Engine) -> None:
    """It was asked for and refused: what OCI holds is not known until it is cancelled there."""
    site = engine.site({"MUG": 5})
    order = engine.capture(site, "A1", [("MUG", 2)])
    engine.oci.set_graph(locations=["dc"])
    engine.reconcile()
    order.refresh_from_db()
    assert order.needs_review_since is not None
    assert cancel(order, engine).status == "cancelling"
    engine.clock.go(61)
    assert finish(engine) == 1
    order.refresh_from_db()
    assert (order.status, order.needs_review_since) == ("cancelled", None)
    assert InventoryRecord.objects.get().ato == D(5)


def test_what_is_left_over_of_one_order_does_not_stop_the_others(engine: Engine) -> None:
    site = engine.site({"MUG": 50})
    engine.at_oci({"MUG": 1})
    engine.oci.fault("5xx", operations=["patch"])
    for number in ("A1", "A2", "A3"):
        with pytest.raises(ShortAtOci):
            engine.place(site, number, [("MUG", 2)])
        set_connection("ONLINE")
    engine.oci.fault("none")
    orders = list(Order.objects.order_by("id"))
    # OCI refuses to cancel the first, and has forgotten the second.
    engine.oci.reset("books")
    engine.site({"MUG": 50}, "again")
    expire_at_oci(engine, orders[0])
    finish(engine)
    orders[0].refresh_from_db()
    assert (orders[0].status, orders[0].needs_review_since) == ("failed", engine.clock())
    assert [documents(order) for order in orders] == [["cancelling"]] * 3
    assert InventoryRecord.objects.get().held == D(6)
    engine.clock.go(61)
    finish(engine)
    assert [documents(order) for order in orders] == [
        ["cancelling"],
        ["cancelled"],
        ["cancelled"],
    ]
    # The first may still be held at OCI: it keeps what it holds here, for a person to look at.
    assert [hold.state for hold in Hold.objects.order_by("id")] == [
        "waiting",
        "released",
        "released",
    ]
    assert release.something_to_undo() is False


def test_a_failed_order_of_many_documents_holds_until_the_last_is_undone(engine: Engine) -> None:
    many = [(f"S{number:03}", 1.0) for number in range(101)]
    site = engine.site({sku: 9 for sku, _ in many}, offline_capture=False)
    engine.oci.fault("5xx", operations=["put"], commit=True, every=2)
    with pytest.raises(OfflineCaptureRefused):
        engine.place(site, "A1", many)
    order = Order.objects.get()
    assert documents(order) == ["cancelling", "cancelling"]
    # The second cancel gets no answer.
    engine.oci.fault("5xx", operations=["patch"], every=2)
    finish(engine)
    assert documents(order) == ["cancelled", "cancelling"]
    assert set(InventoryRecord.objects.values_list("ato", "held")) == {(D(8), D(1))}
    assert release.something_to_undo() is True
    engine.oci.fault("none")
    finish(engine)
    assert documents(order) == ["cancelled", "cancelled"]
    assert set(InventoryRecord.objects.values_list("ato", "held")) == {(D(9), D(0))}
    assert engine.held() == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "failed"}, "has failed"),
        ({"export_status": "exported"}, "Order management has taken the order"),
        ({"resolution": "settled_outside"}, r"settled outside\. Open it again"),
    ],
)
def test_what_cannot_be_cancelled_stays_as_it_is(
    engine: Engine, change: dict[str, Any], words: str
) -> None:
    order = engine.place(engine.site({"MUG": 5}), "A1", [("MUG", 2)]).order
    Order.objects.update(**change)
    before = Order.objects.values().get(), OrderEvent.objects.count(), OrmQ.objects.count()
    with pytest.raises(CannotCancel, match=words):
        cancel(order, engine)
    assert before == (Order.objects.values().get(), OrderEvent.objects.count(), 0)
    assert engine.held() == {"MUG": D(2)}
    assert connection.current().state == "ONLINE"
    Order.objects.update(status="new", export_status="ready", resolution="")
    assert reserved_by_items() == {"MUG": D(2)}


def test_settling_outside_gives_back_what_a_lost_rerun_may_hold(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    order = engine.capture(site, "A1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    engine.at_oci({"MUG": 5})
    engine.oci.fault("drop", operations=["put"])
    engine.reconcile(Scope.ORDERS, orders=[order.pk])
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert engine.held() == {"MUG": D(3)}

    settled = release.settle_outside(
        order_id=order.pk, reference="PO-7", actor=MIA, reason="From a store.", now=engine.clock()
    )
    release.finish_cancellations(clock=engine.clock)

    assert settled.resolution == "settled_outside"
    assert engine.held() == reserved_by_items() == {"MUG": D(1)}
    assert documents(order) == ["counted", "cancelled"]

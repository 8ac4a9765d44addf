"""Short orders keep their place: stock that arrives goes to them before any live order."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import promises, settlement
from orders.errors import CannotRemedy, CannotReplace, OfflineCaptureRefused, ShortOnAto
from orders.models import Order, OrderEvent, OrderItem, Promise, Replacement, Site
from reconciliation import remedies
from reconciliation.maintenance import sweep
from reconciliation.models import Run, Scope, Trigger
from reconciliation.monitor import stock_arrivals
from reconciliation.reservation import fence, stock_figures, stock_refresh
from reconciliation.reservation.fence import Ahead
from tests import factories
from tests.engine import MIA, D, Engine, ato, kinds, quantities, set_connection, standing
from tests.reconciliation.reservation.calls import COMPLETE, PARTIAL

pytestmark = pytest.mark.django_db

NOTHING = "NOTHING_RESERVED"
MUG = ("web", "MUG")


@pytest.fixture
def shop(engine: Engine) -> Site:
    """A site whose order P1 is short of two mugs, and which knows that there are none left."""
    site = engine.site({"MUG": 3, "CUP": 9}, keeps_promises=True)
    engine.capture(site, "P1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    set_connection("ONLINE")
    show(engine, "MUG")
    assert standing(p1())[1] == PARTIAL
    assert ato("MUG") == (D(0), D(0))
    return site


def p1() -> Order:
    return Order.objects.get(order_no="P1")


def show(engine: Engine, *skus: str) -> None:
    """Let OCI's figures come in, when they count everything that OCI has answered."""
    engine.clock.go(10)
    figures = stock_refresh.fetch_keys([("web", sku) for sku in skus], client=_client())
    stock_figures.apply(figures, taken_at=engine.clock(), clock=engine.clock)


def _client() -> Any:
    from reconciliation.connection.clients import shared_client

    return shared_client()


def deliver(engine: Engine, units: float) -> None:
    """Let `units` mugs arrive at OCI, which holds one for P1, and their figure here."""
    engine.at_oci({"MUG": 1 + units})
    show(engine, "MUG")


def start(engine: Engine) -> Run | None:
    return stock_arrivals.start_if_due(engine.clock())


def test_arriving_stock_goes_to_the_promise(engine: Engine, shop: Site) -> None:
    assert start(engine) is None
    deliver(engine, 2)
    run = start(engine)
    assert run is not None
    assert (run.trigger, run.scope) == (Trigger.STOCK, Scope.PROMISES)
    engine.work(run)
    assert standing(p1())[1] == COMPLETE
    assert quantities(p1()) == [("MUG", D(3), D(3))]
    assert kinds(p1())[-2:] == ["stock_arrived", "resolved"]
    assert start(engine) is None
    assert sweep.sweep(clock=engine.clock) is not None
    assert not Promise.objects.exists()


def test_a_live_order_queues_behind_the_promise_and_comes_next(engine: Engine, shop: Site) -> None:
    deliver(engine, 5)
    live = engine.place(shop, "L1", [("MUG", 2)])
    assert standing(live.order) == ("new", "RESERVATION_MISSING", True)
    event = OrderEvent.objects.filter(order=live.order).latest("id")
    assert event.reason_codes["parts"][0]["code"] == "behind_promise"
    run = start(engine)
    assert run is not None
    engine.work(run)
    assert (standing(p1())[1], standing(live.order)[1]) == (COMPLETE, COMPLETE)
    positions = run.entries.order_by("position").values_list("order__order_no", flat=True)
    assert list(positions) == ["P1", "L1"]
    # Others go live, and so does this SKU when the promise is kept.
    assert standing(engine.place(shop, "L2", [("MUG", 1)]).order) == ("new", COMPLETE, False)
    assert standing(engine.place(shop, "L3", [("CUP", 1)]).order) == ("new", COMPLETE, False)


def test_a_replacement_does_not_take_what_an_older_short_order_is_promised(
    engine: Engine, shop: Site
) -> None:
    engine.capture(shop, "P2", [("CUP", 2)])
    engine.at_oci({"CUP": 1})
    engine.reconcile()
    set_connection("ONLINE")
    deliver(engine, 2)
    item = OrderItem.objects.select_related("order").get(order__order_no="P2")

    def replace() -> Replacement:
        return engine.replace(item, "MUG", units=D(1))

    def preview() -> str:
        now = engine.clock()
        (found,) = remedies.preview_replace([item], sku="MUG", unit_price=None, now=now)
        return found.refusal

    refusal = (
        "2 of MUG are promised to older short orders. Decide on these first, or choose another SKU."
    )
    assert preview() == refusal
    with pytest.raises(CannotReplace) as refused:
        replace()
    assert refused.value.detail == refusal
    assert ato("MUG") == (D(2), D(0))
    # With one more there is enough for both.
    deliver(engine, 3)
    assert preview() == ""
    assert replace().state == "done"


def test_what_is_promised_is_not_sold_once_more(engine: Engine, shop: Site) -> None:
    deliver(engine, 3)
    with pytest.raises(ShortOnAto) as refused:
        engine.place(shop, "L1", [("MUG", 2)])
    (shortfall,) = refused.value.shortfalls
    assert (shortfall.requested, shortfall.available) == (D(2), D(1))
    assert not Order.objects.filter(order_no="L1").exists()
    assert engine.place(shop, "L2", [("MUG", 1)]).created


def test_without_the_switch_the_next_live_order_takes_it(engine: Engine, shop: Site) -> None:
    Site.objects.update(keeps_promises=False)
    deliver(engine, 2)
    assert start(engine) is None
    assert standing(engine.place(shop, "L1", [("MUG", 2)]).order) == ("new", COMPLETE, False)
    assert standing(p1())[1] == PARTIAL


def test_a_site_that_takes_no_orders_offline_says_when_to_come_back(
    engine: Engine, shop: Site
) -> None:
    Site.objects.update(offline_capture=False)
    shop.refresh_from_db()
    with pytest.raises(ShortOnAto):
        engine.place(shop, "L1", [("MUG", 2)])
    deliver(engine, 5)
    with pytest.raises(OfflineCaptureRefused):
        engine.place(shop, "L1", [("MUG", 2)])


@pytest.mark.parametrize("why", ["settled", "exported", "review", "cancelled", "date"])
def test_a_decided_order_has_no_place(engine: Engine, shop: Site, why: str) -> None:
    order = p1()
    now = engine.clock()
    assert fence.ahead_of([MUG], now=now) == Ahead.PROMISED
    if why == "settled":
        settlement.settle_outside(
            order_id=order.pk, reference="X1", actor=MIA, reason="Bought.", now=now
        )
    elif why == "exported":
        Order.objects.update(export_status="exported")
    elif why == "review":
        Order.objects.update(needs_review_since=now)
    elif why == "cancelled":
        Order.objects.update(status="cancelling")
    else:
        promises.set_date(
            order_id=order.pk,
            until=now + timedelta(seconds=5),
            actor=MIA,
            reason="The delivery comes today.",
            now=now,
        )
        assert fence.ahead_of([MUG], now=now) == Ahead.PROMISED
        assert list(promises.overdue(now)) == []
    deliver(engine, 2)
    assert fence.ahead_of([MUG], now=engine.clock()) is None
    assert start(engine) is None
    assert [one.pk for one in promises.overdue(engine.clock())] == (
        [order.pk] if why == "date" else []
    )
    if why == "settled":
        settlement.reopen(order_id=order.pk, actor=MIA, reason="Not bought.", now=engine.clock())
        assert fence.ahead_of([MUG], now=engine.clock()) == Ahead.PROMISED
    if why == "date":
        promises.set_date(
            order_id=order.pk, until=None, actor=MIA, reason="Tomorrow.", now=engine.clock()
        )
        assert start(engine) is not None
    if why in ("exported", "review", "cancelled"):
        with pytest.raises(CannotRemedy):
            promises.set_date(
                order_id=order.pk, until=now, actor=MIA, reason="Too late.", now=engine.clock()
            )
        assert Order.objects.get(pk=order.pk).promised_until is None


def test_oci_is_not_asked_again_for_the_same_figure(engine: Engine, shop: Site) -> None:
    deliver(engine, 2)
    # Another channel is quicker.
    engine.at_oci({"MUG": 1})
    puts = len(engine.puts())
    run = start(engine)
    assert run is not None
    assert start(engine) is None
    engine.work(run)
    assert (standing(p1())[1], len(engine.puts())) == (PARTIAL, puts + 1)
    # OCI was short at this figure: a live order is not held up, and is told so by OCI itself.
    engine.clock.go(1)
    assert fence.ahead_of([MUG], now=engine.clock()) is None
    assert start(engine) is None
    # The figure that comes next is zero, and the one after shows a delivery.
    show(engine, "MUG")
    assert start(engine) is None
    deliver(engine, 2)
    again = start(engine)
    assert again is not None
    engine.work(again)
    assert standing(p1())[1] == COMPLETE


def test_an_unchanged_figure_is_tried_ever_more_seldom(engine: Engine, shop: Site) -> None:
    row = Promise.objects.get()
    tries = []
    for second in range(400):
        engine.clock.go(1)
        now = engine.clock()
        factories.know_stock({"MUG": 2}, at=now)
        if promises.arrived(now):
            promises.note_asked(promises.arrived(now).select_related("record"), actor=MIA, now=now)
            promises.note_short([row.order_id], now=now)
            tries.append(second)
    row.refresh_from_db()
    assert (row.is_refused, row.is_asked) == (True, True)
    gaps = [after - before for before, after in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert 4 <= len(tries) <= 8


def test_promises_are_served_in_the_order_of_capture(engine: Engine, shop: Site) -> None:
    engine.capture(shop, "P2", [("CUP", 1)])
    second = Order.objects.get(order_no="P2")
    second.items.update(sku="MUG")
    Order.objects.filter(pk=second.pk).update(reservation_state=NOTHING, export_status="ready")
    promises.tidy(now=engine.clock())
    assert promises.places_of([p1().pk, second.pk], now=engine.clock()) == {
        p1().pk: {"MUG": 1},
        second.pk: {"MUG": 2},
    }
    engine.keeps_promises = False
    deliver(engine, 2)
    run = start(engine)
    assert run is not None
    engine.work(run)
    assert (standing(p1())[1], standing(second)[1]) == (COMPLETE, NOTHING)


def test_a_rerun_of_a_later_order_takes_the_promise_along(engine: Engine, shop: Site) -> None:
    deliver(engine, 3)
    Promise.objects.update(is_asked=True, retry_at=engine.clock() + timedelta(hours=1))
    later = factories.capture(shop, "W1", [("MUG", 1)], at=engine.clock())
    engine.at_oci({"MUG": 3})  # One is sold elsewhere: two for the promise, none for the order.
    run = engine.reconcile(Scope.ORDERS, orders=[later.pk])
    assert run.entries.count() == 2
    assert (standing(p1())[1], standing(later)[1]) == (COMPLETE, NOTHING)


def test_who_queued_just_when_the_run_ended_gets_a_run(engine: Engine, shop: Site) -> None:
    deliver(engine, 5)
    run = start(engine)
    assert run is not None
    engine.work(run)
    Run.objects.filter(pk=run.pk).update(finished_at=engine.clock())
    late = factories.capture(shop, "W1", [("MUG", 1)], at=engine.clock())
    assert start(engine) is None
    engine.clock.go(6)
    again = start(engine)
    assert again is not None
    engine.work(again)
    assert standing(late)[1] == COMPLETE


def test_the_sweep_makes_the_places_that_an_earlier_version_did_not(
    engine: Engine, shop: Site
) -> None:
    Promise.objects.all().delete()
    assert "places in the queue" in sweep.sweep(clock=engine.clock)
    assert Promise.objects.count() == 1
    assert "places in the queue" not in sweep.sweep(clock=engine.clock)


def test_a_live_order_asks_one_question_while_nothing_is_promised(
    engine: Engine, shop: Site
) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert fence.ahead_of([("web", "CUP")], now=engine.clock()) is None
    assert len(asked) == 1


def test_a_date_is_told_with_who_set_it_and_twice_changes_nothing(
    engine: Engine, shop: Site
) -> None:
    until = engine.clock() + timedelta(days=3)
    for _ in range(2):
        promises.set_date(
            order_id=p1().pk, until=until, actor=MIA, reason="Supplier says so.", now=engine.clock()
        )
    event = OrderEvent.objects.get(order=p1(), kind="promised")
    assert (event.actor, event.reason, event.data) == (
        "mia",
        "Supplier says so.",
        {"until": until.isoformat()},
    )

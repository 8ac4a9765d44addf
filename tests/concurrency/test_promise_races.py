"""A live order and stock that arrives at the same moment, on PostgreSQL, with a control."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from orders import promises
from orders.models import Order, OrderItem, Promise, ReservationState
from reconciliation.models import Run
from reconciliation.monitor import stock_arrivals
from reconciliation.reservation import fence, placement
from reconciliation.reservation.fence import Ahead
from tests.concurrency.together import SECONDS, at_once
from tests.engine import set_connection
from tests.factories import START, capture, know_stock, make_site
from tests.orders.payloads import raw_order

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
KEY = ("web", "MUG")


def short_order() -> Order:
    """Return an order that keeps its place for two mugs, with none in stock."""
    site = make_site(stock={"MUG": 2}, keeps_promises=True)
    order = capture(site, "P1", [("MUG", 2)])
    Order.objects.filter(pk=order.pk).update(reservation_state=ReservationState.NOTHING)
    with transaction.atomic():
        promises.note_short([order.pk], now=START)
    know_stock({"MUG": 0}, at=START + timedelta(minutes=1))
    set_connection("ONLINE")
    return order


def look_before_and_after(look: Any) -> tuple[Any, Any]:
    """Return what a live order sees that looks before the figure comes, and sells after it."""
    seen: list[Any] = []
    looked, arrived = threading.Event(), threading.Event()

    def live() -> None:
        try:
            seen.append(look())
            looked.set()
            assert arrived.wait(SECONDS)
            seen.append(placement.ledger.get_ato(*KEY))
        finally:
            connections.close_all()

    thread = threading.Thread(target=live)
    thread.start()
    assert looked.wait(SECONDS)
    know_stock({"MUG": 5}, at=NOW)
    arrived.set()
    thread.join()
    return seen[0], seen[1].ato


def test_an_order_that_looked_before_the_figure_came_queues_as_well() -> None:
    short_order()
    ahead, ato = look_before_and_after(lambda: fence.ahead_of([KEY], now=NOW))
    assert ato > 0
    assert ahead == Ahead.PROMISED


def test_control_a_fence_that_looks_at_figures_lets_it_overtake() -> None:
    short_order()
    ahead, ato = look_before_and_after(lambda: promises.arrived(NOW).exists())
    assert ato > 0
    assert not ahead


def test_many_monitors_start_one_run_and_tell_it_once() -> None:
    order = short_order()
    know_stock({"MUG": 5}, at=NOW)

    def start(number: int) -> str:
        return "started" if stock_arrivals.start_if_due(NOW) else "not"

    assert at_once(6, start) == ["not"] * 5 + ["started"]
    assert Run.objects.count() == 1
    assert order.events.filter(kind="stock_arrived").count() == 1
    assert Promise.objects.get().is_asked


def test_figures_answers_and_dates_do_not_wait_for_each_other() -> None:
    order = short_order()
    OrderItem.objects.filter(order=order).update(quantity=4)

    def act(number: int) -> str:
        at = NOW + timedelta(seconds=number)
        if number % 3 == 0:
            know_stock({"MUG": number + 1}, at=at)
        elif number % 3 == 1:
            promises.tidy(now=at)
        else:
            rows = list(promises.arrived(at).select_related("order", "record"))
            with transaction.atomic():
                promises.note_asked(rows, actor=stock_arrivals.MONITOR, now=at)
        return "done"

    assert at_once(9, act) == ["done"] * 9


def test_the_raw_order_of_the_race_is_fenced() -> None:
    order = short_order()
    placed = placement.parse_order(raw_order("L1", [("MUG", 1)]), site=order.site)
    assert placement.fenced(placed, now=NOW) == Ahead.PROMISED

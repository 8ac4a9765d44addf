"""Statements that are built once: the same answers as Django's own, with other values each time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import CharField, F
from django.test.utils import CaptureQueriesContext

from orders.models import Order, ReservationState
from orders.standing_queries import Change, Given, Look, Rows
from tests.factories import START, capture, make_site

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_a_look_answers_all_questions_with_the_values_given() -> None:
    look = Look(
        lambda: {
            "any": Order.objects.all(),
            "young": Order.objects.filter(captured_at__gte=Given("now", less=HOUR)),
            "first_no": Order.objects.order_by("captured_at").values_list("order_no"),
            "first_at": Order.objects.order_by("captured_at").values_list("captured_at"),
            "never": Order.objects.none(),
        }
    )
    nothing = {"any": 0, "young": 0, "first_no": None, "first_at": None, "never": 0}
    assert look(now=START) == nothing
    site = make_site(stock={"A": 9})
    capture(site, "1", [("A", 1)], at=START)
    with CaptureQueriesContext(connection) as asked:
        found = look(now=START + HOUR)
    assert len(asked) == 1
    assert found == {"any": 1, "young": 1, "first_no": "1", "first_at": START, "never": 0}
    assert not look(now=START + 2 * HOUR)["young"]


def test_what_is_taken_off_a_moment_may_be_known_only_then() -> None:
    capture(make_site(stock={"A": 9}), "1", [("A", 1)], at=START)
    hours = [1]
    since = Given("now", less=lambda: hours[0] * HOUR)
    look = Look(lambda: {"young": Order.objects.filter(captured_at__gte=since)})
    assert not look(now=START + 2 * HOUR)["young"]
    hours[0] = 3
    assert look(now=START + 2 * HOUR)["young"]


def test_rows_are_those_of_the_queryset_and_values_those_of_models() -> None:
    site = make_site(stock={"A": 9})
    for number in range(3):
        capture(site, str(number), [("A", 1)], at=START + number * HOUR)
    wanted = Order.objects.filter(captured_at__lte=START + HOUR).order_by("captured_at")
    columns = ("order_no", "captured_at", "order_total")
    rows = Rows(
        lambda: (
            Order.objects.filter(captured_at__lte=Given("until"))
            .order_by("captured_at")
            .values_list(*columns)
        )
    )
    assert rows(until=START + HOUR) == list(wanted.values_list(*columns))
    assert len(rows(until=START)) == 1


def test_a_change_updates_rows_and_counts_them() -> None:
    site = make_site(stock={"A": 9})
    capture(site, "1", [("A", 1)], at=START)
    change = Change(
        lambda: (
            Order.objects.filter(order_no=Given("no", CharField())),
            {"reservation_state": Given("state", CharField()), "reconciled_at": Given("now")},
        )
    )
    state = str(ReservationState.COMPLETE)
    assert change(no="2", state=state, now=START) == 0
    assert change(no="1", state=state, now=START) == 1
    order = Order.objects.get()
    assert (order.reservation_state, order.reconciled_at) == (state, START)
    later = Change(lambda: (Order.objects.all(), {"captured_at": F("reconciled_at")}))
    assert later() == 1

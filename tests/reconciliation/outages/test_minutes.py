"""The figures by minute that home draws: what is sampled, and that sampling again is the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders.models import Order, OrderStatus, ReservationState
from reconciliation.models import MinuteFigures
from reconciliation.outages import minutes
from reconciliation.outages.minutes import Minute, minutes_since
from tests.factories import START, capture, make_site

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def test_each_minute_has_what_came_and_what_was_open() -> None:
    site = make_site(stock={"A": 100})
    make_site("other", list_id="else")
    capture(site, "1", [("A", 1)], at=START + timedelta(seconds=2))
    minutes.sample(START + timedelta(seconds=5))
    # This one comes after the last sample of its minute.
    capture(site, "2", [("A", 1)], at=START + timedelta(seconds=58))
    short = capture(site, "3", [("A", 1)], at=START + MINUTE)
    Order.objects.filter(pk=short.pk).update(reservation_state=ReservationState.NOTHING)
    minutes.sample(START + MINUTE + timedelta(seconds=5))
    minutes.sample(START + MINUTE + timedelta(seconds=15))
    assert minutes_since(START) == [Minute(START, 2, 1, 0), Minute(START + MINUTE, 1, 2, 1)]
    assert minutes_since(START, site_ids=["other"]) == [
        Minute(START, 0, 0, 0),
        Minute(START + MINUTE, 0, 0, 0),
    ]
    assert MinuteFigures.objects.count() == 4


def test_refused_orders_are_not_captured_and_old_minutes_go() -> None:
    site = make_site(stock={"A": 100})
    order = capture(site, "1", [("A", 1)], at=START)
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.FAILED)
    minutes.sample(START)
    assert minutes_since(START) == [Minute(START, 0, 0, 0)]
    later = START + minutes.KEEP + 2 * MINUTE
    minutes.sample(later)
    assert [one.at for one in minutes_since(START)] == [later]


def test_sampling_takes_as_many_statements_with_many_sites(
    django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(4):
        site = make_site(f"shop-{number}", stock={"A": 100})
        capture(site, f"{number}", [("A", 1)], at=START)
    minutes.sample(START)
    # Seven, and what saves the last minute in one transaction.
    with django_assert_max_num_queries(11):
        minutes.sample(START + MINUTE)
    with django_assert_num_queries(1):
        minutes_since(START)

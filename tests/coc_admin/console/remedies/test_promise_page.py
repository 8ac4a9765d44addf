"""Promising a date for a short order, and where its place in the queue is shown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from coc_admin.console import formats
from orders import deliveries, promises
from orders.ledger import Figure
from orders.models import Hold, HoldState, Order, OrderEvent, ReservationState
from orders.serializers import order_answer
from tests.factories import capture, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(db: None) -> Order:
    """An order that is short of two mugs, second in the queue."""
    site = make_site(stock={"MUG": 9}, keeps_promises=True, time_zone="Europe/Berlin")
    for number in ("P1", "P2"):
        made = capture(site, number, [("MUG", 2)])
        Order.objects.filter(pk=made.pk).update(
            reservation_state=ReservationState.NOTHING, export_status="ready"
        )
        with transaction.atomic():
            promises.note_short([made.pk], now=timezone.now())
    Hold.objects.update(state=HoldState.RELEASED)
    return Order.objects.get(order_no="P2")


@pytest.fixture
def mia(merchandiser: Client) -> Client:
    """Return the browser of a person who may change orders."""
    return merchandiser


def test_desk_and_order_page_show_the_place(mia: Client, order: Order) -> None:
    assert "Place 2 for MUG" in mia.get(reverse("desk")).content.decode()
    page = mia.get(reverse("order", args=[order.pk])).content.decode()
    assert "Place 2 for MUG" in page
    assert reverse("order_promise", args=[order.pk]) in page


def test_a_date_is_set_until_the_end_of_the_day_and_taken_back(mia: Client, order: Order) -> None:
    address = reverse("order_promise", args=[order.pk])
    day = (timezone.now() + timedelta(days=3)).date()
    answer = mia.post(address, {"until": f"{day}", "reason": "Friday's delivery."})
    assert answer.status_code == 302
    order.refresh_from_db()
    assert order.promised_until is not None
    end = order.promised_until.astimezone(order.site.zone)
    assert (end.date(), end.hour, end.minute) == (day + timedelta(days=1), 0, 0)
    assert order_answer(order)["promisedUntil"] is not None
    assert f'value="{day}"' in mia.get(address).content.decode()
    assert mia.post(address, {"until": "", "reason": "Nobody knows."}).status_code == 302
    order.refresh_from_db()
    assert order.promised_until is None
    assert OrderEvent.objects.filter(order=order, kind="promised").count() == 2


def test_the_day_by_which_enough_is_delivered_is_suggested(mia: Client, order: Order) -> None:
    address = reverse("order_promise", args=[order.pk])
    assert "Deliveries that OCI expects" not in mia.get(address).content.decode()
    friday = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    monday = friday + timedelta(days=3)
    due = ((friday, Decimal(3)), (monday, Decimal(1)))
    deliveries.note([Figure("web", "MUG", Decimal(0), deliveries=due)])
    page = mia.get(address).content.decode()
    first, last = (at.astimezone(order.site.zone).date() for at in (friday, monday))
    assert f'value="{last}"' in page
    assert f"3 of MUG on {formats.format_day(first)}." in page
    assert f"By {formats.format_day(last)} enough is delivered" in page
    # A day that was promised already, or typed, stays; too little suggests none.
    promised = last + timedelta(days=1)
    mia.post(address, {"until": f"{promised}", "reason": "One day for the warehouse."})
    assert f'value="{promised}"' in mia.get(address).content.decode()
    mia.post(address, {"until": "", "reason": "Nobody knows."})
    deliveries.note([Figure("web", "MUG", Decimal(0), deliveries=due[:1])])
    page = mia.get(address).content.decode()
    assert "That is not enough for this order" in page
    assert 'name="until" type="date" value=""' in page


@pytest.mark.parametrize("day", ["yesterday", "2031-02-31", "2199-01-01"])
def test_a_day_that_makes_no_sense_changes_nothing(mia: Client, order: Order, day: str) -> None:
    if day == "yesterday":
        day = f"{timezone.now().date() - timedelta(days=2)}"
    answer = mia.post(reverse("order_promise", args=[order.pk]), {"until": day, "reason": "A try."})
    assert answer.status_code == 200
    assert 'id="until-error"' in answer.content.decode()
    order.refresh_from_db()
    assert order.promised_until is None


def test_the_desk_asks_for_a_decision_when_the_day_has_passed(mia: Client, order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(promised_until=timezone.now() - timedelta(days=1))
    assert "has passed: decide" in mia.get(reverse("desk")).content.decode()
    assert [one.pk for one in promises.overdue(timezone.now())] == [order.pk]


def test_a_settled_order_is_refused(mia: Client, order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(resolution="replaced", resolution_by="ada")
    address = reverse("order_promise", args=[order.pk])
    answer = mia.post(address, {"until": "", "reason": "Late."})
    assert answer.status_code in (302, 409)
    day = (timezone.now() + timedelta(days=3)).date()
    assert mia.post(address, {"until": f"{day}", "reason": "Late."}).status_code == 409
    order.refresh_from_db()
    assert order.promised_until is None

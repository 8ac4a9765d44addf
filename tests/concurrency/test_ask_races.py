"""Two people who ask the same customer at the same moment, and an ask against a remedy."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core import mail

from orders import asks, settlement
from orders.actors import person
from orders.errors import CannotRemedy
from orders.models import Ask, CustomerMessage, Order, OrderEvent, OrderItem
from reconciliation.decisions.decide import Letter
from reconciliation.decisions.outlook import mark_of
from reconciliation.decisions.questions import Wanted, ask
from tests.coc_admin.console import scene
from tests.concurrency.together import at_once, barrier

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

WORKERS = 8
NOW = scene.NOW


def wanted() -> Wanted:
    return Wanted(None, "", None, NOW + timedelta(days=9), NOW + timedelta(days=2))


def letter() -> Letter:
    values = {"recipient": "ada@example.test", "subject": "A question", "body": "Would you?"}
    return Letter(uuid.uuid4(), values, by_email=True, by_webhook=False)


def seen_of(order: Order) -> str:
    order = Order.objects.get(pk=order.pk)
    return mark_of(order, OrderItem.objects.filter(order=order).order_by("position"))


def ask_once(order: Order, seen: str, number: int) -> str:
    try:
        ask(
            order_id=order.pk,
            wanted=wanted(),
            letter=letter(),
            seen=seen,
            actor=person(f"p{number}"),
            clock=lambda: NOW,
        )
    except CannotRemedy:
        return "refused"
    return "asked"


def test_of_many_who_ask_one_message_is_sent() -> None:
    order = scene.build_scene().nothing
    seen = seen_of(order)
    results = at_once(WORKERS, lambda number: ask_once(order, seen, number))
    assert results == ["asked"] + ["refused"] * (WORKERS - 1)
    assert (Ask.objects.count(), CustomerMessage.objects.count(), len(mail.outbox)) == (1, 1, 1)
    assert OrderEvent.objects.filter(order=order, kind="asked").count() == 1


def test_the_constraint_alone_keeps_the_second_ask_out() -> None:
    order = scene.build_scene().nothing
    looked = barrier(WORKERS)

    def act(number: int) -> str:
        # Without the lock and the mark, as a version with a mistake would.
        assert not Ask.objects.filter(order=order).exists()
        looked.wait()
        message = CustomerMessage.objects.create(
            order=order, subject="s", body="b", actor=f"p{number}", at=NOW
        )
        offer = asks.Offer(wait_until=NOW + timedelta(days=9))
        try:
            asks.record(order, offer, message, due_at=NOW, actor=person("mia"), now=NOW)
        except CannotRemedy:
            return "refused"
        return "asked"

    assert at_once(WORKERS, act) == ["asked"] + ["refused"] * (WORKERS - 1)
    assert Ask.objects.count() == 1


def test_control_looking_first_without_lock_and_constraint_asks_everybody() -> None:
    order = scene.build_scene().nothing
    looked = barrier(WORKERS)

    def act(number: int) -> str:
        free = not CustomerMessage.objects.filter(order=order, kind="ask").exists()
        looked.wait()
        CustomerMessage.objects.create(
            order=order, kind="ask", subject="s", body="b", actor=f"p{number}", at=NOW
        )
        return "asked" if free else "refused"

    assert at_once(WORKERS, act) == ["asked"] * WORKERS
    assert CustomerMessage.objects.count() == WORKERS


def test_an_ask_and_a_remedy_at_once_leave_no_open_ask_behind_a_decision() -> None:
    order = scene.build_scene().nothing
    seen = seen_of(order)

    def act(number: int) -> str:
        if number:
            return ask_once(order, seen, number)
        settlement.settle_outside(
            order_id=order.pk, reference="PO", actor=person("mia"), reason="Bought.", now=NOW
        )
        return "settled"

    results = at_once(2, act)
    assert results in (["asked", "settled"], ["refused", "settled"])
    assert not Ask.objects.filter(answer="waiting").exists()
    assert Order.objects.get(pk=order.pk).resolution == "settled_outside"

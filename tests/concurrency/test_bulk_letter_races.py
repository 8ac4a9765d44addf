"""Workers and people that send the same message at the same moment; on both databases."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from orders.actors import person
from orders.models import CustomerMessage, Order
from reconciliation import message_handover
from reconciliation.alerts.channels import send
from reconciliation.decisions import bulk_letters, bulk_sending, single_sending
from reconciliation.models import BulkKind, BulkLine, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import plan
from tests.coc_admin.console import scene
from tests.concurrency.together import Meeting, at_once

pytestmark = pytest.mark.django_db(transaction=True)


def confirmed(kind: BulkKind, orders: list[Order]) -> BulkRemedy:
    """Return a remedy whose customers are to be told, confirmed and not yet begun."""
    mia = scene.make_user("mia", *scene.MERCHANDISER)
    keys = [order.pk for order in orders]
    made = execution.draft(user=mia, kind=kind, order_ids=keys, now=timezone.now())
    planned = plan(made, now=timezone.now())
    letters = bulk_letters.preview(made, planned, now=timezone.now())
    assert letters is not None
    with transaction.atomic():
        execution.confirm(
            bulk_id=made.pk,
            seen={one.order.pk: one.mark for one in planned},
            reason="Sold out.",
            reference="PO-1",
            now=timezone.now(),
        )
        assert bulk_letters.request(made, seen=letters.mark) == len(orders)
    made.refresh_from_db()
    return made


def hold_senders(patch: pytest.MonkeyPatch, count: int) -> Meeting:
    """Let who sends wait until each of `count` sends as well, or has left the meeting."""
    meeting, send_mail = Meeting(count), send.send_mail

    def after_all_have_come(**arguments: Any) -> None:
        meeting.wait()
        send_mail(**arguments)

    patch.setattr(send, "send_mail", after_all_have_come)
    return meeting


def test_two_clicks_and_four_workers_tell_each_customer_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outage = scene.build_scene()
    orders = [outage.partial, outage.nothing, outage.waiting]
    made = confirmed(BulkKind.CANCEL, orders)

    def click(_: int) -> str:
        left = bulk_letters.resume(bulk=made, actor=person("mia"), now=timezone.now())
        return f"{left} left"

    assert at_once(2, click) == ["0 left"] * 2
    assert CustomerMessage.objects.count() == 3

    at_work = hold_senders(monkeypatch, 4)

    def work(_: int) -> str:
        bulk_sending.send_due(clock=timezone.now)
        at_work.leave()
        return "sent"

    assert at_once(4, work) == ["sent"] * 4
    assert Counter(BulkLine.objects.values_list("state", "letter")) == {("done", "ended"): 3}
    told = CustomerMessage.objects.values_list("order", "email", "tries")
    assert sorted(told) == sorted((order.pk, "sent", 1) for order in orders)
    assert len(mail.outbox) == 3


def send_at_once(patch: pytest.MonkeyPatch) -> list[str]:
    """Let three workers and a person who clicks again come to a message that was left."""
    order = scene.build_scene().partial
    message, _is_new = message_handover.write(
        order=order,
        token=uuid.uuid4(),
        values={"recipient": "ada@example.test", "subject": "Your order", "body": "Dear Ada"},
        by_email=True,
        by_webhook=False,
        actor=person("mia"),
        now=timezone.now() - timedelta(minutes=2),
    )
    at_work = hold_senders(patch, 4)

    def act(number: int) -> str:
        if number:
            single_sending.send_left(clock=timezone.now)
        else:
            message_handover.hand_over(message, clock=timezone.now)
        at_work.leave()
        return "done"

    return at_once(4, act)


def test_workers_and_a_person_send_a_message_that_was_left_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert send_at_once(monkeypatch) == ["done"] * 4
    assert list(CustomerMessage.objects.values_list("email", "tries")) == [("sent", 1)]
    assert len(mail.outbox) == 1


@pytest.mark.postgres
def test_control_without_the_claim_it_is_sent_more_than_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_handover, "_claim", lambda *_, **__: True)
    assert send_at_once(monkeypatch) == ["done"] * 4
    assert len(mail.outbox) == 4

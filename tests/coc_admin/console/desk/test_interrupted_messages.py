"""A message whose process died: a worker hands it over once, or it waits for a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from orders.models import CustomerMessage, Order, OrderStatus, Resolution
from reconciliation import message_handover, tasks
from reconciliation.decisions import single_sending
from reconciliation.maintenance.sweep import sweep
from tests.coc_admin.console.desk.test_decisions import decide, form_of
from tests.coc_admin.console.messages.test_customer_messages import draft_of, send
from tests.coc_admin.console.scene import Scene

FOUND = "messages to customers"


class Died(BaseException):
    """A process that is gone; nothing catches it."""


def dies(*_: Any, **__: Any) -> Any:
    raise Died


def later(minutes: float) -> datetime:
    return timezone.now() + timedelta(minutes=minutes)


def sends(now: datetime) -> int:
    return single_sending.send_left(clock=lambda: now)


def interrupted(client: Client, order: Order, kind: str, patch: pytest.MonkeyPatch) -> Any:
    """Decide about an order in a process that dies before it hands the message over."""
    form = form_of(client, order, kind)
    with patch.context() as patched:
        patched.setattr(message_handover, "hand_over", dies)
        with pytest.raises(Died):
            decide(client, order, form)
    return form


def test_a_worker_sends_what_a_dead_process_left_exactly_once(
    merchandiser: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = outage.partial
    form = interrupted(merchandiser, order, "cancel_items", monkeypatch)
    order.refresh_from_db()
    message = CustomerMessage.objects.get()
    assert (order.resolution, message.email) == (Resolution.SHORT_CANCELLED, "pending")
    assert mail.outbox == []
    # The process that wrote it may still be at it.
    assert FOUND not in sweep(clock=timezone.now)
    assert FOUND in sweep(clock=lambda: later(2))

    CustomerMessage.objects.update(at=later(-2))
    tasks.send_bulk_letters()
    message.refresh_from_db()
    assert (message.email, message.tries, message.claimed_until) == ("sent", 1, None)
    assert FOUND not in sweep(clock=lambda: later(2))
    tasks.send_bulk_letters()
    assert decide(merchandiser, order, form).status_code == 302
    assert [one.to for one in mail.outbox] == [["ada@example.test"]]


def test_a_message_typed_on_the_page_of_an_order_is_found_as_well(
    merchandiser: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draft_of(merchandiser, outage.partial)
    data |= {"kind": "", "subject": "Your order", "body": "Dear Ada, we call you."}
    with monkeypatch.context() as patched:
        patched.setattr(message_handover, "hand_over", dies)
        with pytest.raises(Died):
            send(merchandiser, outage.partial, data)
    assert [sends(later(2)), sends(later(2))] == [1, 0]
    assert [one.body for one in mail.outbox] == ["Dear Ada, we call you."]


def test_what_may_have_been_sent_waits_for_a_person(
    merchandiser: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = outage.partial
    form = form_of(merchandiser, order, "cancel_items")
    with monkeypatch.context() as patched:
        patched.setattr(message_handover, "send_claimed", dies)
        with pytest.raises(Died):
            decide(merchandiser, order, form)
    assert sends(timezone.now()) == 0
    assert sends(later(2)) == 1
    message = CustomerMessage.objects.get()
    why = "The sending was interrupted. The message may have arrived."
    assert (message.email, message.email_error) == ("failed", why)
    assert mail.outbox == []
    for _ in range(2):
        merchandiser.post(f"/orders/{order.pk}/message/{message.pk}/again/")
    assert len(mail.outbox) == 1


def test_what_is_not_true_any_more_or_came_too_late_is_not_sent(
    merchandiser: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(merchandiser, outage.partial, "cancel_items", monkeypatch)
    decide(merchandiser, outage.partial, {"decided": outage.partial.pk, "kind": "undo"})
    interrupted(merchandiser, outage.nothing, "cancel_order", monkeypatch)
    outage.nothing.refresh_from_db()
    assert outage.nothing.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED)
    assert sends(later(25 * 60)) == 2
    assert list(CustomerMessage.objects.values_list("email", "email_error")) == [
        ("failed", "The remedy was undone before the message was sent."),
        ("failed", "The message could not be sent for a day."),
    ]
    assert mail.outbox == []

"""Workers that send the messages of a bulk remedy at the same moment; on both databases."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from orders.actors import person
from orders.models import CustomerMessage, Order
from reconciliation.alerts.channels import send
from reconciliation.decisions import bulk_letters, bulk_sending
from reconciliation.models import BulkKind, BulkLine, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import plan
from tests.coc_admin.console import scene
from tests.concurrency.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def confirmed(kind: BulkKind, orders: list[Order]) -> BulkRemedy:
    """Return a remedy whose customers are to be told, confirmed and not yet begun."""
    mia = scene.make_user("mia", *scene.MERCHANDISER)
    keys = [order.pk for order in orders]
    made = execution.draft(user=mia, kind=kind, order_ids=keys, now=timezone.now())
    planned = plan(made, now=timezone.now())
    letters = bulk_letters.preview(made, planned)
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

    def slowly(**arguments: Any) -> None:
        # Long enough for the other workers to come to the same message.
        time.sleep(0.1)
        send_mail(**arguments)

    send_mail = send.send_mail
    monkeypatch.setattr(send, "send_mail", slowly)

    def work(_: int) -> str:
        bulk_sending.send_due(clock=timezone.now)
        return "sent"

    assert at_once(4, work) == ["sent"] * 4
    assert Counter(BulkLine.objects.values_list("state", "letter")) == {("done", "ended"): 3}
    told = CustomerMessage.objects.values_list("order", "email", "tries")
    assert sorted(told) == sorted((order.pk, "sent", 1) for order in orders)
    assert len(mail.outbox) == 3

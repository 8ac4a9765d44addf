"""Handing due orders over against holding them, on PostgreSQL; with a control without the guard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q

from orders import handover
from orders.actors import job, person
from orders.models import Order, OrderEvent
from tests.concurrency.together import while_uncommitted
from tests.factories import START, capture, make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
SWEEP, MIA = job("sweep"), person("mia")


def due_order() -> Order:
    order = capture(make_site(stock={"MUG": 9}), "A1", [("MUG", 2)])
    Order.objects.filter(pk=order.pk).update(
        reservation_state="NOTHING_RESERVED", export_status="not_exported", export_due_at=NOW
    )
    return order


def hold(order: Order) -> None:
    handover.hold(order_id=order.pk, actor=MIA, reason="wait", now=NOW)


def sweep() -> int:
    return handover.hand_over_due(actor=SWEEP, now=NOW)


def test_what_is_held_at_that_moment_is_not_handed_over() -> None:
    order = due_order()
    assert while_uncommitted(lambda: hold(order), sweep) == [0]
    order.refresh_from_db()
    assert (order.export_status, order.export_due_at) == ("not_exported", None)
    assert [one.data["handover"] for one in OrderEvent.objects.filter(kind="export")] == ["held"]


def test_without_the_condition_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    order = due_order()
    guarded = handover._make_ready

    def unguarded(pk: int, more: Q, **by: Any) -> bool:
        return guarded(pk, Q(), **by)

    monkeypatch.setattr(handover, "_make_ready", unguarded)
    assert while_uncommitted(lambda: hold(order), sweep) == [1]
    order.refresh_from_db()
    assert order.export_status == "ready"

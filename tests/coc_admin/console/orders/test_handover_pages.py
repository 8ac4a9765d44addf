"""Handing an order over to order management, holding it, resubmitting it; without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import Order, OrderEvent
from tests.coc_admin.console.scene import Scene


@pytest.fixture
def waiting(outage: Scene) -> Order:
    """A short order that is handed over in twelve minutes."""
    due = timezone.now() + timedelta(minutes=12)
    Order.objects.filter(pk=outage.partial.pk).update(
        export_status="not_exported", export_due_at=due
    )
    return Order.objects.get(pk=outage.partial.pk)


def test_the_page_counts_down_and_offers_both(merchandiser: Client, waiting: Order) -> None:
    page = merchandiser.get(f"/orders/{waiting.pk}/").content.decode()
    assert "Order management gets this order at" in page
    assert 'data-until="' in page
    assert re.search(r">1[12] min \d+ s</span>\)", page)
    for path in ("hand-over", "hold"):
        assert f'href="/orders/{waiting.pk}/{path}/"' in page


def test_a_viewer_is_offered_neither(viewer: Client, waiting: Order) -> None:
    page = viewer.get(f"/orders/{waiting.pk}/").content.decode()
    assert "Order management gets this order at" in page
    assert "/hand-over/" not in page
    assert viewer.post(f"/orders/{waiting.pk}/hold/", {"reason": "x"}).status_code == 403


def test_hold_then_hand_over_with_reasons(merchandiser: Client, waiting: Order) -> None:
    path = f"/orders/{waiting.pk}/"
    assert merchandiser.post(f"{path}hold/", {"reason": ""}).status_code == 200
    for _ in range(2):
        answer = merchandiser.post(f"{path}hold/", {"reason": "asking the supplier"}, follow=True)
        assert "is held back from order management." in answer.content.decode()
    page = merchandiser.get(path).content.decode()
    assert "held back from order management until a person decides" in page
    assert "asking the supplier" in page
    assert "Held back from order management" in page

    assert "Hand order" in merchandiser.get(f"{path}hand-over/").content.decode()
    merchandiser.post(f"{path}hand-over/", {"reason": "agreed"})
    waiting.refresh_from_db()
    assert (waiting.export_status, waiting.export_due_at) == ("ready", None)
    assert OrderEvent.objects.filter(order=waiting, kind="export").count() == 2
    again = merchandiser.get(f"{path}hand-over/").content.decode()
    assert "is not waiting for its handover" in again


def test_hold_is_refused_once_it_is_taken(merchandiser: Client, waiting: Order) -> None:
    Order.objects.filter(pk=waiting.pk).update(export_status="exported", export_due_at=None)
    answer = merchandiser.post(f"/orders/{waiting.pk}/hold/", {"reason": "wait"})
    assert answer.status_code == 409
    assert "Order management has taken the order" in answer.content.decode()
    assert not OrderEvent.objects.filter(order=waiting, kind="export").exists()


def test_resubmitting_one_and_all(merchandiser: Client, outage: Scene) -> None:
    Order.objects.filter(reservation_state__endswith="RESERVED").update(export_status="failed")
    one = outage.complete
    assert "Resubmit failed orders" in merchandiser.get("/orders/").content.decode()
    assert f"/orders/{one.pk}/resubmit/" in merchandiser.get(f"/orders/{one.pk}/").content.decode()
    merchandiser.post(f"/orders/{one.pk}/resubmit/", {"reason": "mended"})
    one.refresh_from_db()
    assert one.export_status == "ready"
    page = merchandiser.post("/orders/resubmit/", {"reason": "mended"}, follow=True)
    assert "Order management may take 2 orders again." in page.content.decode()
    assert not Order.objects.filter(export_status="failed").exists()
    assert "There is no order" in merchandiser.get("/orders/resubmit/").content.decode()
    assert "Resubmit failed orders" not in merchandiser.get("/orders/").content.decode()

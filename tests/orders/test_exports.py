"""Export status: what order management may take, and what an order answers (design 4, 8)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from orders.actors import api_client
from orders.errors import ExportRefused
from orders.exports import change_export_status
from orders.models import ExportStatus, Order, OrderEvent, OrderItem
from orders.serializers import iso, order_answer
from tests.factories import START, capture, make_site
from tests.orders.payloads import PLAIN_LINE

pytestmark = pytest.mark.django_db

OMS = api_client("oms")
NOW = START + timedelta(minutes=5)
NOT_EXPORTED, READY = ExportStatus.NOT_EXPORTED, ExportStatus.READY
EXPORTED, FAILED = ExportStatus.EXPORTED, ExportStatus.FAILED


@pytest.fixture
def order() -> Order:
    return capture(make_site(stock={"MUG": 10, "CUP": 9}), "A1", [("MUG", 3), ("CUP", 1.125)])


def change(order: Order, to: ExportStatus) -> Order:
    return change_export_status(order_id=order.pk, to=to, actor=OMS, now=NOW)


def rows() -> tuple[object, ...]:
    return Order.objects.values().get(), list(OrderEvent.objects.order_by("id").values())


ALLOWED = {(READY, EXPORTED), (READY, FAILED), (FAILED, READY), (FAILED, EXPORTED)}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("state", ["COMPLETELY_RESERVED", "PARTIALLY_RESERVED", "NOTHING_RESERVED"])
@pytest.mark.parametrize("before", [READY, EXPORTED, FAILED])
@pytest.mark.parametrize("to", list(ExportStatus))
def test_every_step_of_a_settled_order(
    order: Order, state: str, before: ExportStatus, to: ExportStatus
) -> None:
    Order.objects.update(reservation_state=state, export_status=before)
    told = rows()
    if before == to:
        assert change(order, to).export_status == to
        assert rows() == told
    elif (before, to) in ALLOWED:
        assert change(order, to).export_status == to
        event = OrderEvent.objects.get(kind="export")
        assert (event.actor_kind, event.actor, event.at) == ("api", "oms", NOW)
        assert event.reason == f"Export status {before} became {to}."
    else:
        with pytest.raises(ExportRefused, match=f"cannot go from {before} to {to}") as refused:
            change(order, to)
        assert (refused.value.status, refused.value.type) == (409, "export-refused")
        assert rows() == told


@pytest.mark.parametrize("to", [READY, EXPORTED, FAILED])
def test_an_order_that_waits_is_not_exported(order: Order, to: ExportStatus) -> None:
    told = rows()
    with pytest.raises(ExportRefused, match="is waiting for its reservation"):
        change(order, to)
    assert rows() == told
    assert change(order, NOT_EXPORTED).export_status == NOT_EXPORTED


@pytest.mark.parametrize("status", ["cancelling", "cancelled", "failed", "created"])
@pytest.mark.parametrize("to", [EXPORTED, FAILED])
def test_an_order_that_is_not_accepted_is_not_exported(
    order: Order, status: str, to: ExportStatus
) -> None:
    Order.objects.update(
        status=status, reservation_state="COMPLETELY_RESERVED", export_status=READY
    )
    told = rows()
    with pytest.raises(ExportRefused, match=r"The order (is|has|was)"):
        change(order, to)
    assert rows() == told


# Answers


def test_an_order_answers_with_its_items_in_their_order(order: Order) -> None:
    OrderItem.objects.filter(sku="CUP").update(reserved_quantity=Decimal("0.5"))
    Order.objects.update(
        reservation_state="PARTIALLY_RESERVED", reconciled_at=NOW, export_status=READY
    )
    order.refresh_from_db()
    assert order_answer(order) == {
        "orderNo": "A1",
        "siteId": "shop",
        "status": "new",
        "reservationState": "PARTIALLY_RESERVED",
        "capturedOffline": True,
        "needsReview": False,
        "exportStatus": "ready",
        "promisedUntil": None,
        "capturedAt": "2026-02-02T12:00:00.000Z",
        "reconciledAt": "2026-02-02T12:05:00.000Z",
        "items": [
            {
                "itemId": "item-0",
                "sku": "MUG",
                "quantity": 3,
                "reservedQuantity": 0,
                "shortQuantity": 3,
                **PLAIN_LINE,
            },
            {
                "itemId": "item-1",
                "sku": "CUP",
                "quantity": 1.125,
                "reservedQuantity": 0.5,
                "shortQuantity": 0.625,
                **PLAIN_LINE,
            },
        ],
    }


def test_a_moment_that_has_not_come_is_null(order: Order) -> None:
    assert order_answer(order)["reconciledAt"] is None
    assert iso(None) is None

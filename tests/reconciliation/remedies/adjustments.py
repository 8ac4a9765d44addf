"""An order whose reservation is adjusted, and what the tests of that ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from orders.adjustment_lines import Keep
from orders.models import (
    Adjustment,
    Hold,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
)
from reconciliation import remedies
from reconciliation.connection import clients
from reconciliation.models import ReservationDocument
from reconciliation.reservation import stock_refresh
from tests import factories
from tests.engine import MIA, D, Engine, kinds, quantities, reserved_by_items
from tests.factories import Units

COMPLETE, PARTIAL, NOTHING = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED", "NOTHING_RESERVED"


class Death(BaseException):
    """The process dies here."""


@pytest.fixture
def order(engine: Engine) -> Order:
    """An order of 3 MUG and 2 CUP of `web`, completely reserved; OCI's figures count it.

    9 MUG are in the list `outlet`.
    """
    site = engine.site({"MUG": 10, "CUP": 5})
    InventoryList.objects.create(pk="outlet")
    factories.permit_lists(site, "outlet")
    engine.at_oci({"MUG": 9}, location="dc2")
    at = engine.clock() - timedelta(hours=1)
    factories.know_stock({"MUG": 9}, list_id="outlet", at=at)
    order = engine.place(site, "A1", [("MUG", 3), ("CUP", 2)]).order
    settle(engine)
    return order


def settle(engine: Engine) -> None:
    """Let OCI's figures count what it has answered."""
    engine.clock.go(10)
    keys = InventoryRecord.objects.values_list("inventory_list", "sku")
    stock_refresh.refresh(keys=keys, client=clients.shared_client(), clock=engine.clock)


def everything() -> list[Any]:
    models = (
        Order,
        OrderItem,
        OrderEvent,
        Hold,
        InventoryRecord,
        Movement,
        Adjustment,
        ReservationDocument,
    )
    return [list(model.objects.order_by("pk").values()) for model in models]


def keep(sku: str, held: Units, units: Units, to: str = "web", list_id: str = "web") -> Keep:
    return Keep(list_id, sku, D(held), D(units), to)


ONE_LESS = (keep("MUG", 3, 2), keep("CUP", 2, 2))
MOVED = (keep("MUG", 3, 3, "outlet"), keep("CUP", 2, 2))


def adjust_reservation(
    order: Order, engine: Engine, *keeps: Keep, number: int = 0, **more: Any
) -> remedies.AdjustmentResult:
    document = ReservationDocument.objects.filter(order=order).order_by("generation")[number]
    return remedies.adjust_reservation(
        **{
            "document_id": document.pk,
            "keeps": keeps,
            "actor": MIA,
            "reason": "One is damaged.",
            "clock": engine.clock,
            **more,
        }
    )


def finish(engine: Engine) -> int:
    return remedies.finish_adjustments(clock=engine.clock)


def documents(order: Order) -> list[tuple[str, str]]:
    rows = ReservationDocument.objects.filter(order=order).order_by("generation")
    return list(rows.values_list("purpose", "state"))


def places(engine: Engine) -> dict[tuple[str, str], Any]:
    """What the books of OCI hold, by group and SKU."""
    rows = engine.oci.books()["reserved"]
    return {(row["group"], row["sku"]): D(row["reserved"]) for row in rows}


def lists(order: Order) -> list[str]:
    items = OrderItem.objects.filter(order=order).order_by("position")
    return list(items.values_list("inventory_list", flat=True))


def assert_one_less(order: Order, engine: Engine) -> None:
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(2))]
    assert lists(order) == ["web", "web"]
    assert engine.held() == reserved_by_items() == {"MUG": D(2), "CUP": D(2)}
    assert documents(order) == [("order", "cancelled"), ("rearrange", "counted")]
    order.refresh_from_db()
    assert (order.status, order.reservation_state, order.claim) == ("new", PARTIAL, "")
    assert kinds(order)[-2:] == ["rearranging", "rearranged"]
    assert list(Order.objects.oversold()) == [order]


def assert_untouched(order: Order, engine: Engine) -> None:
    assert quantities(order) == [("MUG", D(3), D(3)), ("CUP", D(2), D(2))]
    assert lists(order) == ["web", "web"]
    assert engine.held() == {"MUG": D(3), "CUP": D(2)}
    assert documents(order)[0] == ("order", "counted")
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution, order.claim) == (COMPLETE, "", "")


def killed(monkeypatch: pytest.MonkeyPatch, target: str) -> Iterator[None]:
    def die(*_: Any, **__: Any) -> Any:
        raise Death

    with monkeypatch.context() as patched:
        patched.setattr(target, die)
        yield

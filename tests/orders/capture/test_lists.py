"""A list of orders is answered as if they came one by one, whatever they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orders import events, ledger
from orders.actors import api_client
from orders.capture import Ask, Captured, Claim, capture_orders
from orders.errors import OrderRefused
from orders.ledger import Figure
from orders.models import (
    CaptureTrace,
    EventKind,
    Hold,
    InventoryList,
    InventoryRecord,
    ItemKind,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import PlacedItem, PlacedOrder
from orders.payload_items import Takes
from orders.reasons import say

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 2, 2, 12, tzinfo=UTC)
SKUS = ("A", "B", "C", "UNCOUNTED", "NEW-1", "NEW-2")
LISTS = ("web", "store")


@dataclass
class Shop:
    """Two sites that sell from the same two lists."""

    strict: Site
    easy: Site


@pytest.fixture
def shop() -> Shop:
    for list_id, units in zip(LISTS, (0, 1), strict=True):
        InventoryList.objects.create(
            id=list_id, offline_floor_units=units, offline_floor_percent=10
        )
        figures = [Figure(list_id, sku, Decimal(6), Decimal(5)) for sku in SKUS[:3]]
        ledger.apply_snapshot(figures=figures, taken_at=T0, lag=timedelta(0), now=T0)
        ledger.add_untracked([(list_id, "UNCOUNTED")])
    strict = Site.objects.create(
        id="Strict", inventory_list_id="web", cap_units_per_order=Decimal(4)
    )
    easy = Site.objects.create(
        id="Easy",
        inventory_list_id="store",
        unknown_sku_policy="accept_untracked",
        cap_total_value=Decimal(30),
        cap_offline_minutes=10,
    )
    return Shop(strict, easy)


@st.composite
def placed_orders(draw: Any) -> tuple[PlacedOrder, bool, bool, bool]:
    items: list[PlacedItem] = []
    for position in range(draw(st.integers(1, 4))):
        parent = draw(st.one_of(st.none(), st.integers(0, position - 1))) if position else None
        kinds = [ItemKind.BUNDLED, ItemKind.OPTION]
        items.append(
            PlacedItem(
                item_id=f"i{position}",
                sku=draw(st.sampled_from(SKUS)),
                product_name="",
                inventory_list_id=draw(st.sampled_from(LISTS)),
                quantity=draw(st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(3)])),
                unit_price=draw(st.sampled_from([None, Decimal("2.5")])),
                kind=ItemKind.PRODUCT if parent is None else draw(st.sampled_from(kinds)),
                parent=parent,
                takes=draw(st.sampled_from(list(Takes))),
            )
        )
    content = draw(st.sampled_from(["one", "other"]))
    placed = PlacedOrder(
        order_no=draw(st.sampled_from(["1", "2", "3", "4"])),
        creation_date="",
        currency="EUR",
        customer={},
        items=tuple(items),
        order_total=draw(st.sampled_from([Decimal(1), Decimal(20)])),
        body=json.dumps({"content": content, "creationDate": draw(st.integers(1, 2))}),
        payload_hash=draw(st.sampled_from([content, f"{content} again"])),
    )
    return placed, draw(st.booleans()), draw(st.booleans()), draw(st.booleans())


def asks_of(shop: Shop, orders: Sequence[tuple[PlacedOrder, bool, bool, bool]]) -> list[Ask]:
    return [
        Ask(
            placed=placed,
            site=shop.easy if easy else shop.strict,
            offline_since=T0 - timedelta(minutes=11 if late else 1),
            offline_reason="OCI is away.",
            claim=Claim(f"live:{n}", T0 + timedelta(minutes=1)) if live else None,
            actor=api_client("storefront"),
            now=T0 + timedelta(milliseconds=n),
        )
        for n, (placed, easy, live, late) in enumerate(orders)
    ]


def told(answer: Captured | OrderRefused) -> Any:
    """Return an answer without what is numbered by the database."""
    if isinstance(answer, OrderRefused):
        return (answer.type, answer.detail, answer.members())
    return (answer.order.site_id, answer.order.order_no, answer.created)


def written() -> list[Any]:
    """Return every row that a capture may write, by what it says instead of by number."""
    return [
        sorted(Order.objects.values_list(*_without(Order, "id", "reconciled_at")), key=repr),
        sorted(
            OrderItem.objects.values_list(
                *_without(OrderItem, "id", "order_id", "parent_id"),
                *("order__site", "order__order_no", "parent__position"),
            ),
            key=repr,
        ),
        sorted(OrderPayload.objects.values_list("order__site", "order__order_no", "body")),
        sorted(
            OrderEvent.objects.values_list(
                *_without(OrderEvent, "id", "order_id"), "order__site", "order__order_no"
            ),
            key=repr,
        ),
        sorted(
            Hold.objects.values_list(
                *("order__site", "order__order_no", "record__inventory_list", "record__sku"),
                *_without(Hold, "id", "order_id", "record_id"),
            ),
            key=repr,
        ),
        sorted(
            Movement.objects.values_list(
                *_without(Movement, "id", "record_id", "hold_id"),
                *("record__inventory_list", "record__sku", "hold__order__order_no"),
            ),
            key=repr,
        ),
        sorted(
            InventoryRecord.objects.values_list(*_without(InventoryRecord, "id", "updated_at")),
            key=repr,
        ),
        sorted(CaptureTrace.objects.values_list(*_without(CaptureTrace, "id")), key=repr),
    ]


def _without(model: Any, *names: str) -> list[str]:
    return [f.attname for f in model._meta.concrete_fields if f.attname not in names]


class _Undo(Exception):
    pass


def outcome(do: Callable[[], list[Any]]) -> tuple[list[Any], list[Any]]:
    """Return what `do` answers and leaves behind, and undo it."""
    result: tuple[list[Any], list[Any]] = ([], [])
    try:
        with transaction.atomic():
            result = ([told(answer) for answer in do()], written())
            raise _Undo
    except _Undo:
        return result


@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(orders=st.lists(placed_orders(), min_size=1, max_size=7))
def test_a_list_is_answered_like_its_orders_one_by_one(
    shop: Shop, orders: list[tuple[PlacedOrder, bool, bool, bool]]
) -> None:
    asks = asks_of(shop, orders)
    together = outcome(lambda: capture_orders(asks))
    alone = outcome(lambda: [capture_orders([ask])[0] for ask in asks])
    assert together == alone


def test_what_is_answered_is_what_is_stored(shop: Shop) -> None:
    line = PlacedItem("top", "A", "Mug", "web", Decimal(1), Decimal(2))
    below = replace(line, item_id="below", kind=ItemKind.BUNDLED, parent=0)
    deeper = replace(line, item_id="deeper", kind=ItemKind.OPTION, parent=1)
    placed = PlacedOrder(
        *("1", "", "EUR", {"email": "a@b.c"}, (line, below, deeper), Decimal(6), "{}", "hash")
    )
    (ask,) = asks_of(shop, [(placed, False, False, False)])
    ask = replace(ask, offline_reason=say("cap_value"))
    (answer,) = capture_orders([ask])
    assert isinstance(answer, Captured)
    assert answer.items is not None
    stored = Order.objects.get()
    for field in Order._meta.concrete_fields:
        assert getattr(answer.order, field.attname) == getattr(stored, field.attname)
    for given_item, item in zip(answer.items, stored.items.order_by("position"), strict=True):
        for field in OrderItem._meta.concrete_fields:
            assert getattr(given_item, field.attname) == getattr(item, field.attname), field
    event = OrderEvent.objects.get()
    meant = events.build(
        order=stored,
        kind=EventKind.CAPTURED_OFFLINE,
        actor=ask.actor,
        reason=ask.offline_reason,
        now=T0,
    )
    for field in OrderEvent._meta.concrete_fields[1:]:
        assert getattr(event, field.attname) == getattr(meant, field.attname), field


def test_a_long_list_takes_several_transactions(shop: Shop) -> None:
    shop.strict.cap_units_per_order = None
    line = PlacedItem("top", "UNCOUNTED", "", "web", Decimal(1), None)
    placed = PlacedOrder("", "", "EUR", {}, (line,), Decimal(1), "{}", "hash")
    many = [(replace(placed, order_no=str(n)), False, False, False) for n in range(450)]
    answers = capture_orders(asks_of(shop, many))
    assert [told(answer) for answer in answers] == [("Strict", str(n), True) for n in range(450)]
    ids = [answer.order.pk for answer in answers if isinstance(answer, Captured)]
    assert ids == sorted(ids)
    assert InventoryRecord.objects.get(inventory_list="web", sku="UNCOUNTED").held == 450

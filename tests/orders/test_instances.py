"""Instances made by column are as those that Django makes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Model
from django.utils import timezone

from orders.instances import Maker
from orders.models import Order, OrderEvent, OrderItem

NOW = timezone.now()
CASES: list[tuple[type[Model], dict[str, Any]]] = [
    (Order, {"site_id": "aurora", "order_no": "1", "captured_at": NOW, "customer": {"a": 1}}),
    (OrderItem, {"order_id": 7, "position": 1, "sku": "MUG", "quantity": Decimal(2)}),
    (OrderEvent, {"order_id": 7, "at": NOW, "kind": "captured_offline"}),
]


def columns(instance: Model) -> dict[str, Any]:
    return {field.attname: getattr(instance, field.attname) for field in instance._meta.fields}


@pytest.mark.parametrize(("model", "values"), CASES, ids=[model.__name__ for model, _ in CASES])
def test_an_instance_has_the_values_and_the_defaults_of_djangos_own(
    model: type[Model], values: dict[str, Any]
) -> None:
    made, ordinary = Maker(model).make(**values), model(**values)
    assert columns(made) == columns(ordinary)
    assert (made._state.adding, made._state.db) == (ordinary._state.adding, ordinary._state.db)
    assert (made._state.adding, made._state.db) == (True, None)


def test_a_name_that_is_no_column_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^OrderItem has no column order, shade\.$"):
        Maker(OrderItem).make(shade="blue", order=None, sku="MUG")


def test_no_two_instances_share_a_default() -> None:
    events = Maker(OrderEvent)
    one, other = events.make(), events.make()
    one.data["seen"] = True
    assert other.data == {}


def test_instances_share_no_state() -> None:
    items = Maker(OrderItem)
    one, other = items.make(), items.make()
    one._state.adding = False
    one.order = Order(pk=7, order_no="1")
    assert other._state.adding
    assert (one.order_id, other.__dict__["order_id"]) == (7, None)
    assert not OrderItem.order.is_cached(other)

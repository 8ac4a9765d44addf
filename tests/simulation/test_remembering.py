"""Remembered queries answer as Django does; what is not understood is left to Django."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Length

from orders.models import Order, OrderItem
from orders.open_remedy import what_is_under_way
from tests.factories import capture, make_site
from tests.simulation.remembering import asking, remembered

# Made before anything is recorded, as modules of the product do.
_HAS_ITEMS = Exists(OrderItem.objects.filter(order=OuterRef("pk"), quantity__gt=1))
_ALL: QuerySet[Order] = Order.objects.order_by("pk")

_ASKED: dict[str, Callable[[], Any]] = {
    "expression made outside": lambda: _numbers(_orders().filter(_HAS_ITEMS)),
    "expressions made outside, combined": lambda: _numbers(
        _orders().filter(~_HAS_ITEMS | Q(pk=1)).annotate(has=_HAS_ITEMS)
    ),
    "query set made outside": lambda: _numbers(_ALL.filter(order_no="A-1")),
    "query set made outside, as a value": lambda: _numbers(_orders().filter(pk__in=_ALL)),
    "module that keeps expressions": lambda: what_is_under_way(
        _orders().values_list("pk", flat=True)
    ),
    "expression made here": lambda: _numbers(
        _orders().filter(Exists(OrderItem.objects.filter(order=OuterRef("pk"), sku="SKU-1")))
    ),
    "function": lambda: _numbers(_orders().annotate(long=Length("order_no")).filter(long__gt=2)),
    "unknown argument": lambda: _numbers(_orders().filter(order_no__in=iter(["A-1", "A-2"]))),
    "integer too large": lambda: _orders().filter(pk=2**70).exists(),
    "string for a number": lambda: OrderItem.objects.filter(quantity="2").count(),
    "decimals that do not fit": lambda: OrderItem.objects.filter(
        quantity__gt=Decimal("1.00049")
    ).count(),
    "aggregate without a name": lambda: OrderItem.objects.aggregate(Sum("quantity"), Count("pk")),
    "aggregate": lambda: OrderItem.objects.aggregate(units=Sum("quantity")),
    "union": lambda: sorted(
        _numbers(
            _orders()
            .filter(order_no="A-1")
            .order_by()
            .union(_orders().filter(order_no="A-2").order_by())
        )
    ),
    "dates": lambda: list(Order.objects.dates("captured_at", "day")),
    "in bulk": lambda: sorted(Order.objects.in_bulk()),
    "last": lambda: _orders().last(),
    "another database's name": lambda: _numbers(_orders().using("default")),
    "copied": lambda: _numbers(copy.deepcopy(_orders().filter(order_no="A-1"))),
    "pickled": lambda: _numbers(pickle.loads(pickle.dumps(_orders().filter(order_no="A-1")))),
    "both": lambda: _numbers(_orders().filter(order_no="A-1") | _orders().filter(order_no="A-2")),
    "none": lambda: _numbers(_orders().none()),
    "update by an expression": lambda: Order.objects.filter(pk__gt=0).update(claim=F("claim")),
}


def _orders() -> QuerySet[Order]:
    return Order.objects.order_by("pk")


def _numbers(orders: QuerySet[Order]) -> list[str]:
    return [order.order_no for order in orders]


def _outcome(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ValueError as error:
        return type(error)


@pytest.fixture
def orders(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the simulation plays on SQLite")
    site = make_site(stock={"SKU-1": 10, "SKU-2": 10})
    capture(site, "A-1", [("SKU-1", 1)])
    capture(site, "A-2", [("SKU-1", 2), ("SKU-2", 1)])


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize("what", _ASKED)
def test_what_is_not_understood_is_answered_by_django(what: str) -> None:
    ask = _ASKED[what]
    expected = _outcome(ask)

    with remembered():
        # Twice until it is known how; then as it is remembered, if it is.
        answers = [_outcome(ask) for _ in range(4)]

    assert answers == [expected] * 4
    assert _outcome(ask) == expected


@pytest.mark.usefixtures("orders")
def test_a_remembered_query_takes_other_values() -> None:
    planned = asking.counts["planned"]

    with remembered():
        found = [
            _numbers(Order.objects.filter(order_no=number, items__quantity__lte=Decimal(units)))
            for number, units in (("A-1", 1), ("A-2", 1), ("A-1", 0), ("A-2", 2), ("A-3", 2))
        ]

    assert found == [["A-1"], ["A-2"], [], ["A-2", "A-2"], []]
    assert asking.counts["planned"] - planned == 4

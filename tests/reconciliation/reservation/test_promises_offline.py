"""Short orders keep their place while orders are captured offline, one by one or several together.

The units promised to them are counted under the locks of the capture, for every kind of request.
"""

from __future__ import annotations

import pytest

from orders.capture import Ask, Captured, capture_orders
from orders.errors import ShortOnAto
from orders.models import InventoryRecord, Order, Site
from orders.payload import parse_order
from reconciliation.reservation import intake
from tests.engine import MIA, SHOP, D, Engine, ato, set_connection
from tests.orders.payloads import raw_order
from tests.reconciliation.reservation.test_promises import deliver
from tests.reconciliation.reservation.test_promises import shop as shop_with_a_promise

__all__ = ["shop_with_a_promise"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(shop_with_a_promise: Site, engine: Engine) -> Site:
    """A site that has three mugs, two of them promised to the order P1, while OCI is away."""
    deliver(engine, 3)
    set_connection("OFFLINE")
    return shop_with_a_promise


def offline(engine: Engine, shop: Site, number: str, units: float = 1) -> Ask:
    placed = parse_order(raw_order(number, [("MUG", units)]), site=shop)
    return Ask(placed, shop, None, "OCI is away.", None, SHOP, engine.clock())


def told(answers: list[Captured | ShortOnAto]) -> list[str | D]:
    return [
        one.shortfalls[0].available if isinstance(one, ShortOnAto) else one.order.order_no
        for one in answers
    ]


def test_orders_that_share_a_transaction_take_together_what_nobody_is_promised(
    engine: Engine, shop: Site
) -> None:
    asks = [offline(engine, shop, number) for number in ("L1", "L2", "L3")]
    assert told(capture_orders(asks)) == ["L1", D(0), D(0)]
    assert ato("MUG")[0] == D(2)


def test_a_list_of_orders_does_not_overtake_the_promise(engine: Engine, shop: Site) -> None:
    raws = [raw_order(number, [("MUG", 1)]) for number in ("L1", "L2")]
    answers = intake.place_orders(raws=raws, site=shop, actor=MIA, clock=engine.clock)
    assert [type(one).__name__ for one in answers] == ["Placement", "ShortOnAto"]
    assert ato("MUG")[0] == D(2)


def test_floor_and_promise_keep_back_the_larger_of_both(engine: Engine, shop: Site) -> None:
    lists = InventoryRecord.objects.get(sku="MUG").inventory_list
    type(lists).objects.update(offline_floor_units=1)
    assert told(capture_orders([offline(engine, shop, "L1", 2)])) == [D(1)]
    type(lists).objects.update(offline_floor_units=3)
    assert told(capture_orders([offline(engine, shop, "L2")])) == [D(0)]
    type(lists).objects.update(offline_floor_units=0)
    assert told(capture_orders([offline(engine, shop, "L3")])) == ["L3"]


def test_the_same_order_is_found_when_what_is_left_is_promised(engine: Engine, shop: Site) -> None:
    one = offline(engine, shop, "L1")
    (first,), (again,) = capture_orders([one]), capture_orders([one])
    assert isinstance(first, Captured)
    assert isinstance(again, Captured)
    assert (again.order, again.created) == (first.order, False)


def test_without_the_switch_they_take_it(engine: Engine, shop: Site) -> None:
    Site.objects.update(keeps_promises=False)
    asks = [offline(engine, shop, number) for number in ("L1", "L2", "L3")]
    assert told(capture_orders(asks)) == ["L1", "L2", "L3"]
    assert Order.objects.filter(captured_offline=True, order_no__startswith="L").count() == 3

"""Which earlier orders go along (promise 4), compared with a plain reading of the rule.

Backlogs are made up by the machine: many orders for few SKUs, of two lists and three sites, some
captured at the same moment.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from orders.models import InventoryList, Order, OrderItem, Site
from reconciliation.models import Scope
from reconciliation.runs import scopes
from tests.factories import START

pytestmark = pytest.mark.django_db

SITES = ("east", "north", "west")
LISTS = ("depot", "web")


def backlog(rng: random.Random, *, orders: int, skus: int) -> None:
    """Insert waiting, settled and reviewed orders, captured within a few minutes."""
    for list_id in LISTS:
        InventoryList.objects.get_or_create(pk=list_id)
    for site_id in SITES:
        Site.objects.get_or_create(pk=site_id, defaults={"inventory_list_id": "web"})
    moments = sorted(rng.randrange(orders) for _ in range(orders))
    made = Order.objects.bulk_create(
        Order(
            site_id=rng.choice(SITES),
            order_no=f"{number}",
            status="new",
            reservation_state=rng.choice(["RESERVATION_MISSING"] * 4 + ["PARTIALLY_RESERVED"]),
            captured_at=START + timedelta(seconds=moments[number]),
            currency="EUR",
            order_total=1,
            needs_review_since=START if rng.random() < 0.1 else None,
        )
        for number in range(orders)
    )
    OrderItem.objects.bulk_create(
        OrderItem(
            order=order,
            position=position,
            item_id=str(position),
            sku=f"SKU-{rng.randrange(skus)}",
            inventory_list_id=rng.choice(LISTS),
            quantity=2,
            reserved_quantity=rng.choice([0, 0, 0, 2]),
        )
        for order in made
        for position in range(rng.choice([1, 1, 2, 3]))
    )


def plainly(chosen: list[int]) -> list[int]:
    """Add to the chosen orders whatever waits earlier for one of their SKUs, until nothing does."""
    items = list(OrderItem.objects.all())
    rank = {order.pk: (order.captured_at, order.pk) for order in Order.objects.all()}
    waiting = set(Order.objects.waiting().values_list("pk", flat=True))
    wants: dict[int, set[tuple[str, str]]] = {pk: set() for pk in rank}
    has: dict[int, set[tuple[str, str]]] = {pk: set() for pk in rank}
    for item in items:
        has[item.order_id].add((item.inventory_list_id, item.sku))
        if item.open_quantity > 0:
            wants[item.order_id].add((item.inventory_list_id, item.sku))
    taken = set(chosen)
    while True:
        more = {
            pk
            for pk in waiting - taken
            if any(has[pk] & wants[one] and rank[pk] < rank[one] for one in taken)
        }
        if not more:
            return sorted(taken, key=rank.__getitem__)
        taken |= more


@pytest.mark.in_turn(3)
@pytest.mark.fuzz
@pytest.mark.parametrize("chunk", [500, 3])
@pytest.mark.parametrize("seed", range(6))
def test_who_goes_along_is_as_a_plain_reading_says(
    seed: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More SKUs than a few are looked for in another way, some orders at a time.
    for name in ("_CHUNK", "_FEW", "_WALKED"):
        monkeypatch.setattr(scopes, name, chunk)
    rng = random.Random(seed)
    backlog(rng, orders=rng.choice([5, 20, 60]), skus=rng.choice([3, 12, 60]))
    waiting = list(Order.objects.waiting().values_list("pk", flat=True))
    for site_id in SITES:
        chosen = Order.objects.waiting().filter(site=site_id).values_list("pk", flat=True)
        assert scopes.round_of(Scope.MISSING, {"site": site_id}, now=START) == plainly(list(chosen))
        assert scopes.round_of(Scope.MISSING, {"sites": [site_id]}, now=START) == plainly(
            list(chosen)
        )
    some = rng.sample(waiting, min(len(waiting), 3))
    assert scopes.round_of(Scope.ORDERS, {"orders": some}, now=START) == plainly(some)
    assert scopes.round_of(Scope.MISSING, {}, now=START) == waiting

"""Remedies of merchandisers and operators in worlds whose nature `remedies`.

Add a remedy as an action here, with its weight in `REMEDYING`; list irreversible changes that it
may revert in `invariants` (see `_taken_back`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

from orders import settlement
from orders.models import Order, OrderItem, Resolution
from orders.replacement_parts import Besides
from reconciliation import connection, remedies
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.queue import enqueue
from tests.simulation.actions import (
    mostly_fresh,
    no_trouble,
    outage,
    pass_time,
    restock,
    sell_elsewhere,
    tick_until,
    work,
)
from tests.simulation.people import MIA, some_order
from tests.simulation.world import World


def replace(world: World) -> None:
    """A merchandiser replaces an item's short units by another SKU."""
    item = _short_item(world)
    if item is not None:
        _replace(world, item, world.rng.choice(world.nature.skus))


def _replace(world: World, item: OrderItem, sku: str, besides: Sequence[Besides] = ()) -> None:
    also = "".join(f", {one.units.normalize():f} by {one.sku or 'nothing'}" for one in besides)
    world.note(
        f"replace {item.open_quantity.normalize():f} {item.sku} of {item.order} by {sku}{also}"
    )
    world.attempt(
        lambda: remedies.replace_short(
            item_id=item.pk,
            sku=sku,
            units=item.open_quantity,
            unit_price=Decimal(3),
            actor=MIA,
            reason="The customer agreed.",
            clock=world.clock,
            besides=besides,
        ),
    )


def _besides(world: World, item: OrderItem) -> list[Besides]:
    """Return the effect of a split on the order's other short items: replace some, cancel some.

    It uses its own random numbers, so that worlds without splits stay unchanged.
    """
    dice = Random(f"{world.seed} {item.pk} {item.open_quantity}")
    others = OrderItem.objects.filter(order=item.order_id).exclude(pk=item.pk).order_by("pk")
    short = [one for one in others if one.open_quantity > 0]
    if not short or dice.random() < 0.3:
        return []
    skus = dice.sample(world.nature.skus, len(world.nature.skus))
    return [
        Besides(one.pk, one.open_quantity, sku if dice.random() < 0.5 else "", Decimal(3))
        for one, sku in zip(short, skus, strict=False)
    ]


def replace_at_leisure(world: World) -> None:
    """A merchandiser replaces short units, usually while OCI is there and figures are fresh."""
    mostly_fresh(world, trouble=0.3)
    for item in _open_items(world)[:1]:
        sku = _fitting_sku(world, item)
        if world.rng.random() < 0.3:
            _sell_out(world, sku)
        _replace(world, item, sku, _besides(world, item))


def replace_later(world: World) -> None:
    """A merchandiser replaces the short units of many orders; workers reserve them."""
    for item in _open_items(world)[: world.rng.choice((1, 2, 4))]:
        _begin(world, item, _fitting_sku(world, item))


def _begin(world: World, item: OrderItem, sku: str) -> None:
    world.note(f"begin to replace {item.open_quantity.normalize():f} {item.sku} of {item.order}")

    def begin() -> None:
        remedies.begin_replacement(
            item_id=item.pk,
            sku=sku,
            units=item.open_quantity,
            unit_price=None,
            actor=MIA,
            reason="All of them agreed.",
            now=world.clock.now,
        )
        enqueue.soon("finish_replacements")

    world.attempt(begin)


def come_up_short(world: World) -> None:
    """OCI is away, shoppers order, and another channel sells a SKU out; goods of others arrive."""
    outage(world)
    _sell_out(world, world.rng.choice(world.nature.skus))
    for _ in range(3):
        restock(world)
    no_trouble(world)
    tick_until(world, connection.may_call)
    pass_time(world, 0.5)
    for _ in range(3):
        work(world)


def _sell_out(world: World, sku: str) -> None:
    for place in ("dc1", "dc2", "store"):
        world.simulator.books.sell(sku, 1_000_000, place)
    world.note(f"{sku} is sold out elsewhere")


def cancel_short(world: World) -> None:
    """A merchandiser cancels the short units of one item, or of all."""
    item = _short_item(world)
    if item is None:
        return
    items = [item]
    if world.rng.random() < 0.5:
        items = list(OrderItem.objects.filter(order=item.order_id).order_by("position"))
    units = {one.pk: one.open_quantity for one in items if one.open_quantity > 0}
    world.note(f"cancel {len(units)} short items of {item.order}")
    world.attempt(
        lambda: remedies.cancel_short(
            order_id=item.order_id,
            units=units,
            actor=MIA,
            reason="They want the rest.",
            now=world.clock.now,
        ),
    )


def reopen(world: World) -> None:
    """A merchandiser reopens an order with cancelled short items."""
    cancelled = Order.objects.filter(resolution=Resolution.SHORT_CANCELLED).order_by("pk")
    order = some_order(world, *cancelled.values_list("pk", flat=True))
    if order is None:
        return
    world.note(f"take back the cancelled items of {order}")
    world.attempt(
        lambda: settlement.reopen(
            order_id=order.pk, actor=MIA, reason="They want all of it.", now=world.clock.now
        ),
    )


def give_back(world: World) -> None:
    """An operator gives a reservation document back at OCI."""
    # If nobody else sells, nothing may ever be short, but this makes it so.
    if world.nature.alone:
        return
    documents = ReservationDocument.objects.order_by("pk")
    counted = list(documents.filter(state=DocumentState.COUNTED).values_list("pk", flat=True))
    pks = counted if world.rng.random() < 0.9 else list(documents.values_list("pk", flat=True))
    if not pks:
        return
    pk = world.rng.choice(pks)
    world.note(f"give document {pk} back")
    world.attempt(
        lambda: remedies.give_back(
            document_id=pk, actor=MIA, reason="It is damaged.", clock=world.clock
        ),
    )


def _short_item(world: World) -> OrderItem | None:
    order = some_order(world, *Order.objects.oversold().order_by("pk").values_list("pk", flat=True))
    if order is None:
        return None
    items = list(OrderItem.objects.filter(order=order).order_by("position").select_related("order"))
    short = [item for item in items if item.open_quantity > 0]
    return world.rng.choice(short or items)


def _open_items(world: World) -> list[OrderItem]:
    """Return the items of oversold orders with short units, in any order."""
    items = OrderItem.objects.filter(order__in=Order.objects.oversold()).select_related("order")
    short = [item for item in items.order_by("pk") if item.open_quantity > 0]
    world.rng.shuffle(short)
    return short


def _fitting_sku(world: World, item: OrderItem) -> str:
    """Return a SKU, usually one that the order does not have."""
    had = set(OrderItem.objects.filter(order=item.order_id).values_list("sku", flat=True))
    others = [sku for sku in world.nature.skus if sku not in had]
    return world.rng.choice(others if others and world.rng.random() < 0.9 else world.nature.skus)


# There must be a shortage to fix, and stock to fix it with.
REMEDYING: dict[Callable[[World], None], float] = {
    sell_elsewhere: 20.0,
    restock: 10.0,
    replace: 25.0,
    cancel_short: 10.0,
    reopen: 2.0,
    give_back: 8.0,
}

# The most frequent events in worlds whose nature `merchandises`: shortages and replacements.
MERCHANDISING: dict[Callable[[World], None], float] = {
    come_up_short: 20.0,
    replace_at_leisure: 60.0,
    replace_later: 20.0,
}

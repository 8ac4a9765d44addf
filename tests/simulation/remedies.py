"""What merchandisers and operators do about short orders in worlds whose nature `remedies`.

A further remedy is a deed here, with its weight in `REMEDYING`; what it may change that otherwise
never changes back is in `invariants` (see `_taken_back`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from orders import settlement
from orders.errors import OrderRefused
from orders.models import Order, OrderItem, Resolution
from reconciliation import remedies
from reconciliation.models import DocumentState, ReservationDocument
from tests.simulation.deeds import restock, sell_elsewhere
from tests.simulation.people import MIA, some_order
from tests.simulation.world import World


def replace(world: World) -> None:
    """A merchandiser replaces what is short of an item by another SKU."""
    item = _short_item(world)
    if item is None:
        return
    sku = world.rng.choice(world.nature.skus)
    world.note(f"replace {item.open_quantity.normalize():f} {item.sku} of {item.order} by {sku}")
    _try(
        world,
        lambda: remedies.replace_short(
            item_id=item.pk,
            sku=sku,
            units=item.open_quantity,
            unit_price=Decimal(3),
            actor=MIA,
            reason="The customer agreed.",
            clock=world.clock,
        ),
    )


def cancel_short(world: World) -> None:
    """A merchandiser cancels what is short of one item, or of all."""
    item = _short_item(world)
    if item is None:
        return
    items = [item]
    if world.rng.random() < 0.5:
        items = list(OrderItem.objects.filter(order=item.order_id).order_by("position"))
    units = {one.pk: one.open_quantity for one in items if one.open_quantity > 0}
    world.note(f"cancel {len(units)} short items of {item.order}")
    _try(
        world,
        lambda: remedies.cancel_short(
            order_id=item.order_id,
            units=units,
            actor=MIA,
            reason="They want the rest.",
            now=world.clock.now,
        ),
    )


def reopen(world: World) -> None:
    """A merchandiser takes back that short items were cancelled."""
    cancelled = Order.objects.filter(resolution=Resolution.SHORT_CANCELLED).order_by("pk")
    order = some_order(world, *cancelled.values_list("pk", flat=True))
    if order is None:
        return
    world.note(f"take back the cancelled items of {order}")
    _try(
        world,
        lambda: settlement.reopen(
            order_id=order.pk, actor=MIA, reason="They want all of it.", now=world.clock.now
        ),
    )


def give_back(world: World) -> None:
    """An operator gives a reservation document back at OCI."""
    # Where nobody else sells nothing may ever be short, and this makes it so.
    if world.nature.alone:
        return
    documents = ReservationDocument.objects.order_by("pk")
    counted = list(documents.filter(state=DocumentState.COUNTED).values_list("pk", flat=True))
    pks = counted if world.rng.random() < 0.9 else list(documents.values_list("pk", flat=True))
    if not pks:
        return
    pk = world.rng.choice(pks)
    world.note(f"give document {pk} back")
    _try(
        world,
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


def _try(world: World, remedy: Callable[[], Any]) -> None:
    """Do it as a person in a browser does; it may be refused."""

    def work() -> Any:
        try:
            return remedy()
        except OrderRefused as refusal:
            return refusal

    result = world.run("web", work)
    if isinstance(result, OrderRefused):
        world.note(f"  refused: {result.detail}")


# There must be something short to be put right, and something to put it right with.
REMEDYING: dict[Callable[[World], None], float] = {
    sell_elsewhere: 20.0,
    restock: 10.0,
    replace: 25.0,
    cancel_short: 10.0,
    reopen: 2.0,
    give_back: 8.0,
}

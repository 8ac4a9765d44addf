"""What a replacement does to each item of its order: the one it is named by, and its parts.

The rows of its parts are written with it (`orders.replacements`); all are carried out together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Max

from orders import ledger, short_items
from orders.errors import CannotReplace
from orders.fields import json_number, quantity
from orders.ledger import Key
from orders.models import OrderItem, Replacement, ReplacementPart
from orders.refusals import moved_on

_ITEM_ID = 100


@dataclass(frozen=True, slots=True, order=True)
class Besides:
    """Open `units` of another item that a replacement replaces by `sku`; cancels without one."""

    item_id: int
    units: Decimal
    sku: str = ""
    unit_price: Decimal | None = None


def are_those_of(mine: Replacement, besides: Sequence[Besides]) -> bool:
    """Whether a replacement does just what `besides` says to other items; one query."""
    wanted = {(one.item_id, one.sku, one.units) for one in besides}
    return {(part.item_id, part.sku, part.quantity) for part in mine.parts.all()} == wanted


def wanted_of(mine: Replacement) -> dict[Key, Decimal]:
    """Return what a replacement has off ATO, and must have reserved in full."""
    parts = mine.parts.exclude(sku="").select_related("item")
    return {
        (mine.inventory_list_id, mine.sku): mine.quantity,
        **{(part.item.inventory_list_id, part.sku): part.quantity for part in parts},
    }


def members(
    mine: Replacement, item: OrderItem, what: Replacement | ReplacementPart
) -> dict[str, Any]:
    """Return the members of an event that says what replaces an item."""
    difference = what.price_difference
    return {
        "replacement": mine.pk,
        "item": item.pk,
        "replaced": item.sku,
        "sku": what.sku,
        "quantity": json_number(what.quantity),
        "priceDifference": None if difference is None else json_number(difference),
    }


def carry_out(mine: Replacement) -> dict[int, Decimal]:
    """Do what a replacement does to other items; return the cancelled units by item.

    Call in the transaction that makes it *done*. Raises CannotRemedy if the order has moved on, or
    LedgerChanged; roll the transaction back then.
    """
    cancelled: dict[int, Decimal] = {}
    for number, part in enumerate(mine.parts.select_related("item"), start=2):
        if not part.sku:
            cancelled[part.item_id] = part.quantity
            continue
        new_item = replace(mine, part.item, part, suffix=f"-r{mine.pk}.{number}")
        ReplacementPart.objects.filter(pk=part.pk).update(new_item=new_item)
    if cancelled:
        short_items.cancel_besides(mine.order, cancelled)
    return cancelled


def replace(
    mine: Replacement, item: OrderItem, what: Replacement | ReplacementPart, *, suffix: str
) -> OrderItem:
    """Let an item of the order be replaced, and return the one that stands in for it.

    Raises what `carry_out` does.
    """
    if item.open_quantity < what.quantity:
        raise CannotReplace(moved_on())
    new_item = _add_item(mine, item, what, suffix)
    won = OrderItem.objects.filter(
        pk=item.pk,
        reserved_quantity=item.reserved_quantity,
        cancelled_quantity=item.cancelled_quantity,
        replaced_quantity=item.replaced_quantity,
    ).update(replaced_quantity=quantity(item.replaced_quantity + what.quantity))
    if not won:
        raise ledger.LedgerChanged
    return new_item


def _add_item(
    mine: Replacement, item: OrderItem, what: Replacement | ReplacementPart, suffix: str
) -> OrderItem:
    last = OrderItem.objects.filter(order=mine.order).aggregate(n=Max("position"))["n"]
    return OrderItem.objects.create(
        order=mine.order,
        position=last + 1,
        item_id=item.item_id[: _ITEM_ID - len(suffix)] + suffix,
        sku=what.sku,
        product_name=what.product_name,
        inventory_list_id=item.inventory_list_id,
        quantity=what.quantity,
        reserved_quantity=what.quantity,
        unit_price=what.unit_price,
        replaces=item,
        kind=item.kind,
        parent=item.parent,
    )

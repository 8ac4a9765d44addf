"""Replacing what is short of an order item by another SKU of the same list: the order's side.

The replacement is off ATO and written down first; the item changes only when OCI has reserved all
of it (`reconciliation.remedies.replace`). The steps are those of every swap (`orders.swaps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from orders import ledger, lifecycle, swaps, waiting_messages
from orders.actors import Actor
from orders.errors import CannotReplace, Shortfall
from orders.fields import json_number, quantity
from orders.lifecycle import Action
from orders.models import (
    EventKind,
    ItemKind,
    OpenRemedy,
    OrderItem,
    Replacement,
    ReplacementState,
    Resolution,
)
from orders.models.orders import UNSETTLED
from orders.models.replacements import OPEN_REPLACEMENT
from orders.permitted_lists import list_refusal
from orders.refusals import has_parts, short_differs, short_itself
from orders.short_items import replaced_words, settled_as
from orders.swaps import SwapKind, SwapState

_ITEM_ID = 100


def find_same(*, item: OrderItem, sku: str, units: Decimal) -> Replacement | None:
    """Return the replacement that a second click asks for: under way, or just done."""
    found = Replacement.objects.filter(item=item, sku=sku, quantity=units)
    under_way = found.filter(OPEN_REPLACEMENT).first()
    if under_way is not None or item.open_quantity > 0:
        return under_way
    return found.filter(state=ReplacementState.DONE).last()


def begin(
    *,
    item_id: int,
    sku: str,
    units: Decimal,
    unit_price: Decimal | None,
    holder: str,
    until: datetime,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Replacement:
    """Take `units` of `sku` off ATO for the order of an item, and become its claim's `holder`.

    Call inside the transaction that writes the reservation document down. Raises CannotReplace,
    orders.errors.ShortOnAto with the figures, or LedgerChanged to be tried again; the transaction
    must be rolled back then.
    """
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    order = swaps.take_claim(KIND, order_id=item.order_id, holder=holder, until=until, now=now)
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    check_begin(item, sku=sku, units=units)
    key = (item.inventory_list_id, sku)
    record = swaps.known_records(KIND, order, [key])[key]
    ledger.take(order=order, wanted={key: units}, now=now)
    swaps.mark_open(KIND, order, holder=holder, actor=actor, now=now)
    replacement = Replacement.objects.create(
        order=order,
        item=item,
        inventory_list_id=item.inventory_list_id,
        sku=sku,
        product_name=record.product_name,
        quantity=units,
        unit_price=unit_price,
        price_difference=price_difference(item, unit_price, units),
        actor_kind=actor.kind,
        actor=actor.name[:150],
        reason=reason[:1000],
        asked_at=now,
    )
    swaps.record(KIND, replacement, EventKind.REPLACING, reason=reason, now=now)
    return replacement


def item_refusal(item: OrderItem, *, sku: str, units: Decimal) -> str:
    """Return why `units` of an item can't be replaced by `sku`, or None; no query.

    Whether the order is open to a replacement is `lifecycle.check(order, Action.REPLACE)`.
    """
    if units <= 0 or item.open_quantity != units:
        return short_differs(item, units)
    return _("%(sku)s is the SKU that is short.") % {"sku": sku} if sku == item.sku else ""


def check_begin(item: OrderItem, *, sku: str, units: Decimal) -> None:
    """Raise CannotReplace if the order of an item is not open to this replacement."""
    lifecycle.require(item.order, Action.REPLACE, CannotReplace)
    if closed := item_refusal(item, sku=sku, units=units):
        raise CannotReplace(closed)
    if bundles_among([item]):
        raise CannotReplace(has_parts(item.sku))
    if closed := list_refusal(item.order.site, [item.inventory_list_id]):
        raise CannotReplace(closed)
    siblings = OrderItem.objects.filter(
        order=item.order, sku=sku, inventory_list=item.inventory_list_id
    )
    if any(sibling.open_quantity > 0 for sibling in siblings):
        raise CannotReplace(short_itself(sku))


def bundles_among(items: Iterable[OrderItem]) -> set[int]:
    """Return those of `items` (primary keys) that are bundles: they have parts; one query."""
    parts = OrderItem.objects.filter(parent__in=[item.pk for item in items], kind=ItemKind.BUNDLED)
    return {pk for pk in parts.values_list("parent", flat=True) if pk is not None}


def price_difference(item: OrderItem, unit_price: Decimal | None, units: Decimal) -> Decimal | None:
    """Return the price difference of the replacement; negative if it is cheaper."""
    if unit_price is None or item.unit_price is None:
        return None
    difference: Decimal = (unit_price - item.unit_price) * units
    return round(difference, 4)


def complete(*, replacement_id: int, holder: str, now: datetime) -> Replacement | None:
    """Make the replacement part of the order: OCI has reserved all of it.

    None, and nothing has changed, if the order is not `holder`'s any more.
    """
    with transaction.atomic():
        mine = swaps.lock(KIND, replacement_id, holder=holder, state=SwapState.RESERVING)
        if mine is None:
            return None
        order, item = mine.order, mine.item
        new_item = _add_item(mine)
        won = OrderItem.objects.filter(
            pk=item.pk,
            reserved_quantity=item.reserved_quantity,
            cancelled_quantity=item.cancelled_quantity,
            replaced_quantity=item.replaced_quantity,
        ).update(replaced_quantity=quantity(item.replaced_quantity + mine.quantity))
        if not won:
            raise ledger.LedgerChanged
        swaps.end(KIND, mine, SwapState.DONE, now=now, new_item=new_item)
        waiting_messages.arm(mine, now=now)
        ledger.mark_answered(order=order, now=now)
        resolution = _settle(mine, holder, now=now)
        more = {"resolution": resolution} if resolution else {}
        swaps.record(KIND, mine, EventKind.REPLACED, reason=mine.reason, now=now, more=more)
        return mine


def shortfalls_of(mine: Replacement) -> list[Shortfall]:
    """Return what OCI had less of than was to be reserved."""
    if mine.offered_quantity is None:
        return []
    key = (mine.sku, mine.inventory_list_id)
    return [Shortfall(*key, requested=mine.quantity, available=mine.offered_quantity)]


def _add_item(mine: Replacement) -> OrderItem:
    last = OrderItem.objects.filter(order=mine.order).aggregate(n=Max("position"))["n"]
    suffix = f"-r{mine.pk}"
    return OrderItem.objects.create(
        order=mine.order,
        position=last + 1,
        item_id=mine.item.item_id[: _ITEM_ID - len(suffix)] + suffix,
        sku=mine.sku,
        product_name=mine.product_name,
        inventory_list_id=mine.inventory_list_id,
        quantity=mine.quantity,
        reserved_quantity=mine.quantity,
        unit_price=mine.unit_price,
        replaces=mine.item,
        kind=mine.item.kind,
        parent=mine.item.parent,
    )


def _settle(mine: Replacement, holder: str, *, now: datetime) -> Resolution:
    """Bring the order up to date with its items and give the claim back."""
    items = list(OrderItem.objects.filter(order=mine.order))
    resolution, values = Resolution.NONE, {}
    if not any(item.open_quantity > 0 for item in items):
        resolution = Resolution.REPLACED
        note = f"{replaced_words(items)}: {mine.reason}"
        values = settled_as(resolution, swaps.actor_of(mine), note=note, now=now)
    swaps.settle(mine, items, holder=holder, still=UNSETTLED, values=values)
    return resolution


def _lacking(shortfalls: Sequence[Shortfall]) -> dict[str, Any]:
    return {"offered_quantity": shortfalls[0].available if shortfalls else None}


def _event_data(mine: Replacement) -> dict[str, Any]:
    difference = mine.price_difference
    data: dict[str, Any] = {
        "replacement": mine.pk,
        "item": mine.item_id,
        "replaced": mine.item.sku,
        "sku": mine.sku,
        "quantity": json_number(mine.quantity),
        "priceDifference": None if difference is None else json_number(difference),
    }
    if mine.offered_quantity is not None:
        data["offered"] = json_number(mine.offered_quantity)
    return data


KIND = SwapKind(
    model=Replacement,
    remedy=OpenRemedy.REPLACEMENT,
    action=Action.REPLACE,
    error=CannotReplace,
    refused=EventKind.NOT_REPLACED,
    refusal_limit=500,
    wanted=lambda mine: {(mine.inventory_list_id, mine.sku): mine.quantity},
    lacking=_lacking,
    refused_data=lambda mine: {},
    event_data=_event_data,
)

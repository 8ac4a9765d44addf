"""Replacing what is short of an order item by another SKU of the same list: the order's side.

The replacement is off ATO and written down first; the item changes only when OCI has reserved all
of it (`reconciliation.remedies.replace`). The steps are those of every swap (`orders.swaps`). A
replacement may do more in the same act (`Besides`): replace other items, cancel others. Then all of
it is reserved and done together, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from orders import events, ledger, lifecycle, short_items, swaps, waiting_messages
from orders import replacement_parts as parts
from orders.actors import Actor
from orders.errors import CannotRemedy, CannotReplace, Shortfall
from orders.fields import json_number
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import (
    EventKind,
    InventoryRecord,
    ItemKind,
    OpenRemedy,
    OrderItem,
    Replacement,
    ReplacementPart,
    ReplacementState,
    Resolution,
)
from orders.models.orders import UNSETTLED
from orders.models.replacements import OPEN_REPLACEMENT
from orders.permitted_lists import list_refusal
from orders.refusals import has_parts, short_differs, short_itself
from orders.short_items import replaced_words, settled_as
from orders.swaps import SwapKind, SwapState


def find_same(
    *, item: OrderItem, sku: str, units: Decimal, besides: Sequence[parts.Besides] = ()
) -> Replacement | None:
    """Return the replacement that a second click asks for: open, or just done."""
    found = Replacement.objects.filter(item=item, sku=sku, quantity=units)
    same = found.filter(OPEN_REPLACEMENT).first()
    if same is None and item.open_quantity == 0:
        same = found.filter(state=ReplacementState.DONE).last()
    return same if same is not None and parts.are_those_of(same, besides) else None


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
    besides: Sequence[parts.Besides] = (),
) -> Replacement:
    """Take `units` of `sku` off ATO for the order of an item, and become its claim's `holder`.

    So what replaces other items, as `besides` says. Call inside the transaction that writes the
    reservation document down. Raises CannotReplace, orders.errors.ShortOnAto with the figures, or
    LedgerChanged to be tried again; the transaction must be rolled back then.
    """
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    order = swaps.take_claim(KIND, order_id=item.order_id, holder=holder, until=until, now=now)
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    check_begin(item, sku=sku, units=units)
    items = check_besides(item, sku, besides)
    key = (item.inventory_list_id, sku)
    wanted = {key: units}
    for one in besides:
        if one.sku:
            wanted[items[one.item_id].inventory_list_id, one.sku] = one.units
    records = swaps.known_records(KIND, order, wanted)
    ledger.take(order=order, wanted=wanted, now=now)
    swaps.mark_open(KIND, order, holder=holder, actor=actor, now=now)
    replacement = Replacement.objects.create(
        order=order,
        item=item,
        inventory_list_id=item.inventory_list_id,
        sku=sku,
        product_name=records[key].product_name,
        quantity=units,
        unit_price=unit_price,
        price_difference=price_difference(item, unit_price, units),
        actor_kind=actor.kind,
        actor=actor.name[:150],
        reason=reason[:1000],
        asked_at=now,
    )
    _write_parts(replacement, besides, items, records)
    _record(replacement, EventKind.REPLACING, reason=reason, now=now)
    return replacement


def _write_parts(
    replacement: Replacement,
    besides: Sequence[parts.Besides],
    items: Mapping[int, OrderItem],
    records: Mapping[Key, InventoryRecord],
) -> None:
    rows = []
    for one in besides:
        item = items[one.item_id]
        record = records.get((item.inventory_list_id, one.sku))
        rows.append(
            ReplacementPart(
                replacement=replacement,
                item=item,
                sku=one.sku,
                product_name="" if record is None else record.product_name,
                quantity=one.units,
                unit_price=one.unit_price,
                price_difference=price_difference(item, one.unit_price, one.units),
            )
        )
    ReplacementPart.objects.bulk_create(rows)


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


def check_besides(
    item: OrderItem, sku: str, besides: Sequence[parts.Besides]
) -> dict[int, OrderItem]:
    """Return the items of `besides` by key. Raises CannotReplace if it can't go with an item."""
    rows = OrderItem.objects.select_related("order__site").filter(order=item.order_id)
    items = rows.in_bulk([one.item_id for one in besides])
    keys = {(item.inventory_list_id, sku)}
    if len(items) != len(besides) or item.pk in items:
        raise CannotReplace(_("An item that was chosen does not belong to the order."))
    cancelled = {one.item_id: one.units for one in besides if not one.sku}
    for one in besides:
        if not one.sku:
            continue
        other = items[one.item_id]
        check_begin(other, sku=one.sku, units=one.units)
        keys.add((other.inventory_list_id, one.sku))
    if len(keys) != 1 + len(besides) - len(cancelled):
        raise CannotReplace(_("Each item needs a replacement of its own."))
    if cancelled:
        try:
            short_items.cancel_besides(item.order, cancelled, check=True)
        except CannotRemedy as error:
            raise CannotReplace(error.detail) from None
    return items


def bundles_among(items: Iterable[OrderItem]) -> set[int]:
    """Return those of `items` (primary keys) that are bundles: they have parts; one query."""
    bundled = OrderItem.objects.filter(
        parent__in=[item.pk for item in items], kind=ItemKind.BUNDLED
    )
    return {pk for pk in bundled.values_list("parent", flat=True) if pk is not None}


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
        order = mine.order
        new_item = parts.replace(mine, mine.item, mine, suffix=f"-r{mine.pk}")
        cancelled = parts.carry_out(mine)
        swaps.end(KIND, mine, SwapState.DONE, now=now, new_item=new_item)
        waiting_messages.arm(mine, now=now)
        ledger.mark_answered(order=order, now=now)
        resolution = _settle(mine, holder, now=now)
        more = {"resolution": resolution} if resolution else {}
        _record(mine, EventKind.REPLACED, reason=mine.reason, now=now, more=more)
        if cancelled:
            events.record(
                order=order,
                kind=EventKind.ITEMS_CANCELLED,
                actor=swaps.actor_of(mine),
                reason=mine.reason,
                now=now,
                data=short_items.cancelled_data(cancelled),
            )
        return mine


def _record(
    mine: Replacement,
    event: EventKind,
    *,
    reason: str,
    now: datetime,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Append an event of each item that is replaced to the order's history."""
    swaps.record(KIND, mine, event, reason=reason, now=now, more=more)
    for part in mine.parts.exclude(sku="").select_related("item"):
        told = {**parts.members(mine, part.item, part), **more}
        swaps.record(KIND, mine, event, reason=reason, now=now, more=told)


def shortfalls_of(mine: Replacement) -> list[Shortfall]:
    """Return what OCI had less of than was to be reserved; of several, `refusal` says it."""
    if mine.offered_quantity is None or mine.parts.exists():
        return []
    key = (mine.sku, mine.inventory_list_id)
    return [Shortfall(*key, requested=mine.quantity, available=mine.offered_quantity)]


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


def _lacking(mine: Replacement, shortfalls: Sequence[Shortfall]) -> dict[str, Any]:
    own = [
        one
        for one in shortfalls
        if (one.sku, one.inventory_list_id) == (mine.sku, mine.inventory_list_id)
    ]
    return {"offered_quantity": own[0].available if own else None}


def _event_data(mine: Replacement) -> dict[str, Any]:
    data = parts.members(mine, mine.item, mine)
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
    wanted=parts.wanted_of,
    lacking=_lacking,
    refused_data=lambda mine: {},
    event_data=_event_data,
)

"""Keeping a part of what a reservation document holds, here or in another list: the order's side.

The kept units are taken off ATO in their target list and stored first; the order counts on
the old document until OCI has reserved all of that again (`reconciliation.remedies.adjust`).
The steps are those of every swap (`orders.swaps`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from orders import first_shortage, ledger, swaps
from orders.actors import Actor
from orders.adjustment_lines import Keep, given_up, kept_of, lines_refusal
from orders.errors import CannotAdjust, Shortfall
from orders.fields import ZERO, json_number, quantity
from orders.give_back import short_again
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import (
    SETTLED_STATES,
    Adjustment,
    AdjustmentLine,
    AdjustmentState,
    EventKind,
    OpenRemedy,
    Order,
    OrderItem,
    OrderStatus,
)
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.permitted_lists import list_refusal
from orders.swaps import SwapKind, SwapState

_SETTLED = Q(status=OrderStatus.NEW, reservation_state__in=SETTLED_STATES)


def keeps_of(adjustment: Adjustment) -> list[Keep]:
    """Return what an adjustment was asked for, line by line; one query."""
    return sorted(
        Keep(line.inventory_list_id, line.sku, line.held, line.kept, line.to_list_id)
        for line in AdjustmentLine.objects.filter(adjustment=adjustment)
    )


def event_lines(adjustment: Adjustment) -> list[dict[str, Any]]:
    """Return the lines of an adjustment as its events store them; one query."""
    return [
        {
            "inventoryListId": one.list_id,
            "sku": one.sku,
            "held": json_number(one.held),
            "kept": json_number(one.units),
            "toListId": one.to_list,
        }
        for one in keeps_of(adjustment)
    ]


def find_same(*, order_id: int, document_id: int, keeps: Sequence[Keep]) -> Adjustment | None:
    """Return the adjustment that a second click asks for: under way, or done."""
    found = Adjustment.objects.filter(order=order_id, document=document_id)
    for one in found.filter(OPEN_ADJUSTMENT | Q(state=AdjustmentState.DONE)).order_by("-id"):
        if keeps_of(one) == sorted(keeps):
            return one
    return None


def begin(
    *,
    order_id: int,
    document_id: int,
    keeps: Sequence[Keep],
    holder: str,
    until: datetime,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Adjustment:
    """Take the kept units off ATO for an order, and become its claim's `holder`.

    Call inside the transaction that writes the new reservation document down. Raises CannotAdjust,
    orders.errors.ShortOnAto with the figures, or LedgerChanged to be tried again; the transaction
    must be rolled back then.
    """
    order = swaps.take_claim(KIND, order_id=order_id, holder=holder, until=until, now=now)
    items = list(OrderItem.objects.filter(order=order).order_by("position"))
    if closed := lines_refusal(items, keeps):
        raise CannotAdjust(closed)
    if closed := move_refusal(order, keeps):
        raise CannotAdjust(closed)
    given_up(items, keeps)
    kept = kept_of(keeps)
    swaps.known_records(KIND, order, kept)
    ledger.take(order=order, wanted=kept, now=now)
    swaps.mark_open(KIND, order, holder=holder, actor=actor, now=now)
    adjustment = Adjustment.objects.create(
        order=order,
        document_id=document_id,
        actor_kind=actor.kind,
        actor=actor.name[:150],
        reason=reason[:1000],
        asked_at=now,
    )
    AdjustmentLine.objects.bulk_create(
        AdjustmentLine(
            adjustment=adjustment,
            inventory_list_id=one.list_id,
            sku=one.sku,
            held=one.held,
            kept=one.units,
            to_list_id=one.to_list,
        )
        for one in sorted(keeps)
    )
    swaps.record(KIND, adjustment, EventKind.ADJUSTMENT_BEGUN, reason=reason, now=now)
    return adjustment


def move_refusal(order: Order, keeps: Sequence[Keep]) -> str:
    """Return why units may not go to the lists chosen for them, or None.

    Units that stay in their list take no new stock.
    """
    return list_refusal(order.site, {one.to_list for one in keeps if one.moves})


def complete(
    *, adjustment_id: int, holder: str, replacements_first: bool, now: datetime
) -> Adjustment | None:
    """Let the order count on the new document instead of on the old one.

    Call inside the transaction that marks the old document to be cancelled. None, and nothing has
    changed, if the order is not `holder`'s any more. Raises CannotAdjust if the order's items do
    not have any more what the old document held for them; roll back then.
    """
    with transaction.atomic():
        mine = swaps.lock(KIND, adjustment_id, holder=holder, state=SwapState.RESERVING)
        if mine is None:
            return None
        keeps = keeps_of(mine)
        items = list(OrderItem.objects.filter(order=mine.order).order_by("position"))
        if closed := lines_refusal(items, keeps):
            raise CannotAdjust(closed)
        less = given_up(items, keeps, replacements_first=replacements_first)
        _change_items(items, less, {one.key: one.to_list for one in keeps if one.moves})
        values = short_again(now) if less else {}
        swaps.settle(mine, items, holder=holder, still=_SETTLED, values=values)
        if less:
            first_shortage.note([mine.order_id])
        swaps.end(KIND, mine, SwapState.DONE, now=now)
        ledger.mark_answered(order=mine.order, now=now)
        released = {str(pk): json_number(less[pk]) for pk in sorted(less)}
        more = {"released": released}
        swaps.record(KIND, mine, EventKind.ADJUSTMENT_DONE, reason=mine.reason, now=now, more=more)
        return mine


def shortfalls_of(adjustment: Adjustment) -> list[Shortfall]:
    """Return what OCI had less of than was to be kept."""
    return [
        Shortfall(
            sku=one["sku"],
            inventory_list_id=one["inventoryListId"],
            requested=Decimal(str(one["requested"])),
            available=Decimal(str(one["available"])),
        )
        for one in adjustment.shortfalls
    ]


def _change_items(
    items: Sequence[OrderItem], less: Mapping[int, Decimal], moved: Mapping[Key, str]
) -> None:
    """Lower what items have reserved, and move those that keep something to its new list.

    An item that has given everything up stays in its list, and is short there.
    """
    for item in sorted(items, key=lambda one: one.pk):
        reserved = item.reserved_quantity - less.get(item.pk, ZERO)
        list_id = item.inventory_list_id
        if reserved > 0:
            list_id = moved.get((list_id, item.sku), list_id)
        if (reserved, list_id) == (item.reserved_quantity, item.inventory_list_id):
            continue
        won = OrderItem.objects.filter(
            pk=item.pk,
            reserved_quantity=item.reserved_quantity,
            inventory_list=item.inventory_list_id,
        ).update(reserved_quantity=quantity(reserved), inventory_list=list_id)
        if not won:
            raise ledger.LedgerChanged
        item.reserved_quantity, item.inventory_list_id = reserved, list_id


def _lacking(mine: Adjustment, shortfalls: Sequence[Shortfall]) -> dict[str, Any]:
    return {"shortfalls": [one.members() for one in shortfalls]}


def _refused_data(mine: Adjustment) -> dict[str, Any]:
    return {"shortfalls": mine.shortfalls} if mine.shortfalls else {}


def _event_data(mine: Adjustment) -> dict[str, Any]:
    return {"rearrangement": mine.pk, "document": mine.document_id, "lines": event_lines(mine)}


KIND = SwapKind(
    model=Adjustment,
    remedy=OpenRemedy.ADJUSTMENT,
    action=Action.ADJUST,
    error=CannotAdjust,
    refused=EventKind.ADJUSTMENT_REFUSED,
    refusal_limit=1000,
    wanted=lambda mine: kept_of(keeps_of(mine)),
    lacking=_lacking,
    refused_data=_refused_data,
    event_data=_event_data,
)

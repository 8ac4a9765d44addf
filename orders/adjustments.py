"""Keeping a part of what a reservation document holds, here or in another list: the order's side.

What is kept is off ATO, in the list where it is to be, and written down first; the order counts on
the old document until OCI has reserved all of that anew (`reconciliation.remedies.adjust`).
Every step is a conditional update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from orders import events, ledger, lifecycle, outcomes, reasons
from orders.actors import Actor
from orders.adjustment_lines import Keep, given_up, kept_of, lines_refusal
from orders.errors import CannotAdjust, Shortfall
from orders.fields import ZERO, json_number, quantity
from orders.give_back import short_again
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import (
    SETTLED_STATES,
    ActorKind,
    Adjustment,
    AdjustmentLine,
    AdjustmentState,
    EventKind,
    Hold,
    Order,
    OrderItem,
    OrderStatus,
)
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.inventory import OPEN_HOLDS
from orders.permitted_lists import list_refusal
from orders.refusals import figure_lags, moved_on, not_in_list


def keeps_of(adjustment: Adjustment) -> list[Keep]:
    """Return what an adjustment was asked for, line by line; one query."""
    return sorted(
        Keep(line.inventory_list_id, line.sku, line.held, line.kept, line.to_list_id)
        for line in AdjustmentLine.objects.filter(adjustment=adjustment)
    )


def event_lines(adjustment: Adjustment) -> list[dict[str, Any]]:
    """Return the lines of an adjustment as its events tell them; one query."""
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


def find_same(*, order_id: int, document: int, keeps: Sequence[Keep]) -> Adjustment | None:
    """Return the adjustment that a second click asks for: under way, or done."""
    found = Adjustment.objects.filter(order=order_id, document=document)
    for one in found.filter(OPEN_ADJUSTMENT | Q(state=AdjustmentState.DONE)).order_by("-id"):
        if keeps_of(one) == sorted(keeps):
            return one
    return None


def begin(
    *,
    order_id: int,
    document: int,
    keeps: Sequence[Keep],
    holder: str,
    until: datetime,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Adjustment:
    """Take what is kept off ATO for an order, and become its claim's `holder`.

    Call inside the transaction that writes the new reservation document down. Raises CannotAdjust,
    orders.errors.ShortOnAto with the figures, or LedgerChanged to be tried again; the transaction
    must be rolled back then.
    """
    if not outcomes.take_claim(order_id=order_id, holder=holder, until=until, now=now):
        raise CannotAdjust(moved_on())
    # Read under the claim: the order may have changed while it was waited for.
    order = Order.objects.get(pk=order_id)
    lifecycle.require(order, Action.ADJUST, CannotAdjust)
    items = list(OrderItem.objects.filter(order=order).order_by("position"))
    if closed := lines_refusal(items, keeps):
        raise CannotAdjust(closed)
    if closed := move_refusal(order, keeps):
        raise CannotAdjust(closed)
    given_up(items, keeps)
    kept = kept_of(keeps)
    _check_known(order, kept)
    ledger.take(order=order, wanted=kept, now=now)
    adjustment = Adjustment.objects.create(
        order=order,
        document=document,
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
    _tell(adjustment, EventKind.ADJUSTMENT_BEGUN, reason=reason, now=now)
    return adjustment


def move_refusal(order: Order, keeps: Sequence[Keep]) -> str:
    """Return why units may not go to the lists chosen for them, or nothing.

    What stays in its list takes nothing that the order does not have.
    """
    return list_refusal(order.site, {one.to_list for one in keeps if one.moves})


def _check_known(order: Order, kept: Mapping[Key, Decimal]) -> None:
    """Raise CannotAdjust unless every SKU is known, and counted for this order by now."""
    records = ledger.records_of(kept)
    for key in sorted(kept):
        if key not in records:
            raise CannotAdjust(not_in_list(*key))
    open_holds = Hold.objects.filter(
        order=order, record__in=[record.pk for record in records.values()], state__in=OPEN_HOLDS
    )
    if uncounted := open_holds.select_related("record").first():
        raise CannotAdjust(figure_lags(uncounted.record.sku))


def complete(
    *, adjustment_id: int, holder: str, replacements_first: bool, now: datetime
) -> Adjustment | None:
    """Let the order count on what OCI has reserved anew instead of on the old document.

    Call inside the transaction that marks the old document to be cancelled. None, and nothing has
    changed, if the order is not `holder`'s any more. Raises CannotAdjust if the order's items do
    not have any more what the old document held for them; roll back then.
    """
    with transaction.atomic():
        mine = _mine(adjustment_id, holder)
        if mine is None or mine.state != AdjustmentState.RESERVING:
            return None
        keeps = keeps_of(mine)
        items = list(OrderItem.objects.filter(order=mine.order).order_by("position"))
        if closed := lines_refusal(items, keeps):
            raise CannotAdjust(closed)
        less = given_up(items, keeps, replacements_first=replacements_first)
        _change_items(items, less, {one.key: one.to_list for one in keeps if one.moves})
        _settle(mine, items, holder, released=bool(less), now=now)
        _end(mine, AdjustmentState.DONE, now=now)
        ledger.mark_answered(order=mine.order, now=now)
        released = {str(pk): json_number(less[pk]) for pk in sorted(less)}
        _tell(mine, EventKind.ADJUSTMENT_DONE, reason=mine.reason, now=now, released=released)
        return mine


def give_back(
    *, adjustment_id: int, holder: str, refusal: str, shortfalls: Sequence[Shortfall] = ()
) -> bool:
    """Note that OCI will not reserve all of it, before what it holds is undone there."""
    with transaction.atomic():
        mine = _mine(adjustment_id, holder)
        return mine is not None and bool(
            Adjustment.objects.filter(pk=mine.pk, state=AdjustmentState.RESERVING).update(
                state=AdjustmentState.GIVING_BACK,
                **reasons.columns("refusal", refusal, limit=1000),
                shortfalls=[one.members() for one in shortfalls],
            )
        )


def refuse(*, adjustment_id: int, holder: str, now: datetime) -> Adjustment | None:
    """End an adjustment that is being given back: its ATO is free, the order as it was."""
    with transaction.atomic():
        mine = _mine(adjustment_id, holder)
        if mine is None or mine.state != AdjustmentState.GIVING_BACK:
            return None
        _end(mine, AdjustmentState.REFUSED, now=now)
        ledger.release(order=mine.order, keys=kept_of(keeps_of(mine)), now=now)
        outcomes.drop_claim(order_id=mine.order_id, holder=holder)
        why = reasons.restored(mine.refusal, mine.refusal_codes)
        more = {"shortfalls": mine.shortfalls} if mine.shortfalls else {}
        _tell(mine, EventKind.ADJUSTMENT_REFUSED, reason=why, now=now, **more)
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


def _mine(adjustment_id: int, holder: str) -> Adjustment | None:
    """Return the adjustment if `holder` still has its order, which is locked then."""
    found = Adjustment.objects.values_list("order_id", flat=True).get(pk=adjustment_id)
    order = Order.objects.select_for_update().filter(pk=found, claim=holder, status=OrderStatus.NEW)
    if order.first() is None:
        return None
    return Adjustment.objects.select_related("order").get(pk=adjustment_id)


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


def _settle(
    mine: Adjustment, items: Sequence[OrderItem], holder: str, *, released: bool, now: datetime
) -> None:
    """Bring the order up to date with its items and give the claim back."""
    state = outcomes.state_of(
        {item.pk: item.quantity for item in items},
        {item.pk: item.reserved_quantity for item in items},
    )
    won = Order.objects.filter(
        pk=mine.order_id,
        claim=holder,
        status=OrderStatus.NEW,
        reservation_state__in=SETTLED_STATES,
    ).update(
        reservation_state=state,
        claim="",
        claimed_until=None,
        **short_again(now) if released else {},
    )
    if not won:
        raise ledger.LedgerChanged
    mine.order.refresh_from_db()


def _end(mine: Adjustment, state: AdjustmentState, *, now: datetime) -> None:
    won = Adjustment.objects.filter(pk=mine.pk, state=mine.state).update(state=state, ended_at=now)
    if not won:
        raise ledger.LedgerChanged
    mine.refresh_from_db()


def _tell(mine: Adjustment, kind: EventKind, *, reason: str, now: datetime, **more: Any) -> None:
    data = {
        "rearrangement": mine.pk,
        "document": mine.document,
        "lines": event_lines(mine),
    }
    events.record(
        order=mine.order,
        kind=kind,
        actor=Actor(ActorKind(mine.actor_kind), mine.actor),
        reason=reason,
        now=now,
        data=data | more,
    )

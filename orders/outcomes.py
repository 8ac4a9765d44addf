"""Clearing reservation states: what OCI's answer does to an order.

Every change is a conditional update on the claim, so that of two workers one wins and the other
sees that it has lost (None or False).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from orders import asks, events, first_shortage, handover, ledger, promises
from orders.actors import Actor
from orders.fields import ZERO, json_number, quantity
from orders.models import (
    SHORT_STATES,
    EventKind,
    Order,
    OrderEvent,
    OrderItem,
    OrderStatus,
    ReservationState,
)
from orders.reasons import columns, say
from orders.short_items import replaced_words, resolution_of, settled_as
from orders.units import note_open


def take_claim(*, order_id: int, holder: str, until: datetime, now: datetime) -> bool:
    """Take the claim to call OCI for an order; False if another process has it."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now) | Q(claim=holder)
    return bool(
        Order.objects.filter(free, pk=order_id, status=OrderStatus.NEW).update(
            claim=holder, claimed_until=until
        )
    )


def drop_claim(*, order_id: int, holder: str) -> None:
    """Give a claim back; does nothing if another process has it by now."""
    Order.objects.filter(pk=order_id, claim=holder).update(claim="", claimed_until=None)


def settle(
    *,
    order_id: int,
    holder: str,
    reserved: Mapping[int, Decimal],
    actor: Actor,
    reason: str,
    now: datetime,
) -> Order | None:
    """Clear Reservation Missing by OCI's answer: units per order item (primary key).

    Returns the settled order, or None if it is no longer ours to settle (cancelled, or the
    claim was lost): nothing has changed then.
    """
    with transaction.atomic():
        items = list(OrderItem.objects.filter(order_id=order_id).order_by("position"))
        state = state_of({item.pk: item.quantity for item in items}, reserved)
        won = Order.objects.filter(
            pk=order_id,
            claim=holder,
            status__in=[OrderStatus.NEW, OrderStatus.CREATED],
            reservation_state=ReservationState.MISSING,
        ).update(
            reservation_state=state,
            status=OrderStatus.NEW,
            **handover.columns_when_answered(order_id=order_id, state=state, now=now),
            reconciled_at=now,
            short_at=now if state in SHORT_STATES else None,
            claim="",
            claimed_until=None,
            needs_review_since=None,
            needs_review_reason="",
        )
        if not won:
            return None
        order = Order.objects.get(pk=order_id)
        for item in items:
            if reserved.get(item.pk, ZERO) > 0:
                OrderItem.objects.filter(pk=item.pk).update(reserved_quantity=reserved[item.pk])
        ledger.mark_answered(order=order, now=now)
        if state in SHORT_STATES:
            first_shortage.note([order_id])
            note_open(OrderItem.objects.filter(order=order))
            promises.note_short([order_id], now=now)
        _record(order, EventKind.SETTLED, actor, reason, reserved, now)
        return order


def add_reserved(
    *,
    order_id: int,
    holder: str,
    added: Mapping[int, Decimal],
    actor: Actor,
    reason: str,
    now: datetime,
) -> Order | None:
    """Add to a short order what OCI has reserved of its shortfall; None if it has moved on."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        items = list(OrderItem.objects.filter(order_id=order_id).order_by("position"))
        after = {i.pk: i.reserved_quantity + added.get(i.pk, ZERO) for i in items}
        state = state_of({item.pk: item.quantity for item in items}, after)
        settled = all(item.open_quantity <= added.get(item.pk, ZERO) for item in items)
        won = Order.objects.filter(
            pk=order_id, claim=holder, status=OrderStatus.NEW, reservation_state__in=SHORT_STATES
        ).update(
            reservation_state=state,
            reconciled_at=now,
            claim="",
            claimed_until=None,
            **_settled(items, actor, now) if settled else {},
        )
        if not won:
            return None
        for item in items:
            units = added.get(item.pk, ZERO)
            if units > 0:
                OrderItem.objects.filter(
                    pk=item.pk, reserved_quantity=item.reserved_quantity
                ).update(reserved_quantity=F("reserved_quantity") + quantity(units))
        note_open(OrderItem.objects.filter(order=order))
        ledger.mark_answered(order=order, now=now)
        order.refresh_from_db()
        if settled:
            asks.withdraw(order, actor=actor, now=now)
        else:
            promises.note_short([order_id], now=now)
        kind = EventKind.RESOLVED if settled else EventKind.SETTLED
        _record(order, kind, actor, reason, after, now)
        return order


def _settled(items: Sequence[OrderItem], actor: Actor, now: datetime) -> dict[str, Any]:
    return settled_as(resolution_of(items), actor, note=replaced_words(items), now=now)


def _record(
    order: Order,
    kind: EventKind,
    actor: Actor,
    reason: str,
    reserved: Mapping[int, Decimal],
    now: datetime,
) -> None:
    event = settled_event(
        order,
        kind=kind,
        state=order.reservation_state,
        reserved=reserved,
        actor=actor,
        reason=reason,
        now=now,
    )
    event.save(force_insert=True)


def settled_event(
    order: Order,
    *,
    state: str,
    reserved: Mapping[int, Decimal],
    actor: Actor,
    reason: str,
    now: datetime,
    kind: EventKind = EventKind.SETTLED,
) -> OrderEvent:
    """Return the unsaved event with an order's state and its units at OCI."""
    return events.build(
        order=order,
        kind=kind,
        actor=actor,
        reason=reason,
        now=now,
        data={
            "state": state,
            "reserved": {str(pk): json_number(units) for pk, units in reserved.items()},
        },
    )


def state_of(ordered: Mapping[int, Decimal], reserved: Mapping[int, Decimal]) -> ReservationState:
    """Return the state that follows from comparing quantities (OCI contract 1.4)."""
    if all(reserved.get(item, ZERO) >= units for item, units in ordered.items()):
        return ReservationState.COMPLETE
    if any(units > 0 for units in reserved.values()):
        return ReservationState.PARTIAL
    return ReservationState.NOTHING


def accept_offline(*, order_id: int, holder: str, actor: Actor, reason: str, now: datetime) -> bool:
    """Keep a live order without a reservation: it is captured offline and waits."""
    with transaction.atomic():
        won = Order.objects.filter(pk=order_id, claim=holder, status=OrderStatus.CREATED).update(
            status=OrderStatus.NEW, captured_offline=True, claim="", claimed_until=None
        )
        if won:
            order = Order.objects.get(pk=order_id)
            events.record(
                order=order, kind=EventKind.CAPTURED_OFFLINE, actor=actor, reason=reason, now=now
            )
        return bool(won)


def resume_abandoned(*, actor: Actor, now: datetime, limit: int = 500) -> int:
    """Accept live orders whose process died before it had an answer; they wait like the others."""
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    abandoned = Order.objects.filter(unclaimed, status=OrderStatus.CREATED).values_list(
        "pk", "claim"
    )[:limit]
    return sum(
        accept_offline(
            order_id=pk,
            holder=holder,
            actor=actor,
            reason=say("process_ended"),
            now=now,
        )
        for pk, holder in list(abandoned)
    )


def fail_live(*, order_id: int, holder: str, actor: Actor, reason: str, now: datetime) -> bool:
    """Refuse a live order, which fails; its holds stay until `give_back_failed`."""
    with transaction.atomic():
        won = Order.objects.filter(
            pk=order_id,
            claim=holder,
            status=OrderStatus.CREATED,
            reservation_state=ReservationState.MISSING,
        ).update(status=OrderStatus.FAILED, claim="", claimed_until=None)
        if won:
            order = Order.objects.get(pk=order_id)
            events.record(order=order, kind=EventKind.FAILED, actor=actor, reason=reason, now=now)
        return bool(won)


def give_back_failed(*, order_id: int, now: datetime) -> bool:
    """Give back a failed order's holds; False if it has not failed. Safe to repeat.

    Call it only when OCI holds nothing for the order and no call may still reach OCI.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status != OrderStatus.FAILED:
            return False
        ledger.release(order=order, now=now)
        return True


def put_to_review(
    *, order_id: int, holder: str | None, actor: Actor, reason: str, now: datetime
) -> bool:
    """Take an order out of the automatic retries until a person has looked at it."""
    with transaction.atomic():
        orders = Order.objects.filter(pk=order_id, needs_review_since=None)
        if holder is not None:
            orders = orders.filter(claim=holder)
        won = orders.update(
            needs_review_since=now,
            **columns("needs_review_reason", reason, limit=500),
            claim="",
            claimed_until=None,
        )
        if not won:
            return False
        # A live order must not be left to the shopper's connection: it waits, for a person.
        live = Order.objects.filter(pk=order_id, status=OrderStatus.CREATED)
        kinds = [EventKind.NEEDS_REVIEW]
        if live.update(status=OrderStatus.NEW, captured_offline=True):
            kinds.insert(0, EventKind.CAPTURED_OFFLINE)
        order = Order.objects.get(pk=order_id)
        for kind in kinds:
            events.record(order=order, kind=kind, actor=actor, reason=reason, now=now)
        return True


def end_review(*, order_id: int, actor: Actor, reason: str, now: datetime) -> bool:
    """Give a reviewed order back to the automatic retries."""
    with transaction.atomic():
        won = Order.objects.filter(pk=order_id, needs_review_since__isnull=False).update(
            needs_review_since=None, needs_review_reason=""
        )
        if won:
            order = Order.objects.get(pk=order_id)
            events.record(order=order, kind=EventKind.REVIEWED, actor=actor, reason=reason, now=now)
        return bool(won)

"""Claiming and settling many orders in a few statements; `orders.outcomes` does it for one.

Rows are locked in order of their keys before they are written. Orders that have moved on are left
out of the result, and nothing about them changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from orders import events, first_shortage, handover, ledger, promises
from orders.actors import Actor
from orders.cursors import among
from orders.models import (
    SHORT_STATES,
    ExportStatus,
    Order,
    OrderItem,
    OrderStatus,
    ReservationState,
)
from orders.outcomes import settled_event
from orders.units import note_open

# What documents and events need of an order; whole rows of fifty take a while to read.
_NEEDED = ("site", "order_no", "generation", "captured_offline")
_OPEN = (OrderStatus.NEW, OrderStatus.CREATED)
_READY = {"export_status": ExportStatus.READY, "export_due_at": None}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What OCI holds for an order: units per order item (primary key), and the state it makes."""

    order: Order
    reserved: Mapping[int, Decimal]
    state: ReservationState


def claim_waiting(
    order_ids: Collection[int], *, holder: str, until: datetime, now: datetime
) -> list[Order]:
    """Become the one who may call OCI for waiting orders; return those that `holder` has now.

    They are locked until the end of the caller's transaction.
    """
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now) | Q(claim=holder)
    with transaction.atomic(savepoint=False):
        waiting = Order.objects.waiting().order_by("pk").filter(free, pk__in=order_ids)
        orders = list(waiting.only(*_NEEDED).select_for_update())
        Order.objects.filter(pk__in=among([order.pk for order in orders])).update(
            claim=holder, claimed_until=until
        )
    return orders


def lock_claimed(order_ids: Collection[int], *, holder: str) -> list[Order]:
    """Return those of the orders that `holder` has and may reserve; call inside a transaction."""
    claimed = Order.objects.filter(pk__in=order_ids, claim=holder, status__in=_OPEN)
    missing = claimed.filter(reservation_state=ReservationState.MISSING)
    return list(missing.order_by("pk").only(*_NEEDED).select_for_update())


def drop_claims(order_ids: Collection[int], *, holder: str) -> None:
    """Give claims back; nothing happens to those that are another's by now."""
    with transaction.atomic():
        claimed = Order.objects.filter(pk__in=order_ids, claim=holder).order_by("pk")
        ids = list(claimed.select_for_update().values_list("pk", flat=True))
        Order.objects.filter(pk__in=ids).update(claim="", claimed_until=None)


def settle(
    settlements: Iterable[Settlement],
    *,
    holder: str,
    actor: Actor,
    reason: str,
    now: datetime,
) -> list[Settlement]:
    """Clear Reservation Missing of orders by OCI's answers; return the settled ones.

    Like `outcomes.settle`, which returns None for one that is not `holder`'s to settle any more.
    """
    wanted = {settlement.order.pk: settlement for settlement in settlements}
    with transaction.atomic(savepoint=False):
        mine = {order.pk: order for order in lock_claimed(list(wanted), holder=holder)}
        settled = [wanted[pk] for pk in mine]
        _write_states(settled, now=now)
        _write_items(settled)
        ledger.mark_orders_answered(order_ids=list(mine), now=now)
        short = [one.order.pk for one in settled if one.state in SHORT_STATES]
        if short:
            first_shortage.note(short)
            note_open(OrderItem.objects.filter(order__in=short))
            promises.note_short(short, now=now)
        events.record_all(
            settled_event(
                mine[settlement.order.pk],
                state=settlement.state,
                reserved=settlement.reserved,
                actor=actor,
                reason=reason,
                now=now,
            )
            for settlement in settled
        )
    return settled


def note_complete(order: Order, items: Iterable[OrderItem], *, now: datetime) -> None:
    """Give the objects of an order the values that `settle` has just written; no query.

    For an order that is settled as completely reserved, all of whose `items` are open.
    """
    for name, value in _settled(ReservationState.COMPLETE, _READY, now=now).items():
        setattr(order, name, value)
    for item in items:
        item.reserved_quantity = item.quantity


def _write_states(settled: Collection[Settlement], *, now: datetime) -> None:
    """Settle orders that the caller has locked; short ones are handed over as their sites say."""
    # Which site decides only when an order is short.
    alike: dict[tuple[ReservationState, str], list[int]] = defaultdict(list)
    for one in settled:
        site_id = one.order.site_id if one.state in SHORT_STATES else ""
        alike[one.state, site_id].append(one.order.pk)
    site_ids = {site_id for _, site_id in alike} - {""}
    waits = handover.columns_of_short(site_ids=site_ids, now=now) if site_ids else {}
    for (state, site_id), order_ids in sorted(alike.items()):
        columns = _settled(state, waits.get(site_id, _READY), now=now)
        Order.objects.filter(pk__in=among(order_ids)).update(**columns)


def _settled(
    state: ReservationState, export: Mapping[str, Any], *, now: datetime
) -> dict[str, Any]:
    """Return the columns of a settled order; `export` decides its handover."""
    return {
        "reservation_state": state,
        "status": OrderStatus.NEW,
        **export,
        "reconciled_at": now,
        "short_at": now if state in SHORT_STATES else None,
        "claim": "",
        "claimed_until": None,
        "needs_review_since": None,
        "needs_review_reason": "",
    }


def _write_items(settled: Collection[Settlement]) -> None:
    """Store the reserved units of each item; the caller has locked the orders."""
    complete = [s.order.pk for s in settled if s.state == ReservationState.COMPLETE]
    if complete:
        OrderItem.objects.filter(order__in=among(complete), quantity__gt=0).update(
            reserved_quantity=F("quantity")
        )
    short = [
        OrderItem(pk=pk, reserved_quantity=units)
        for settlement in settled
        if settlement.state != ReservationState.COMPLETE
        for pk, units in settlement.reserved.items()
        if units > 0
    ]
    if short:
        OrderItem.objects.bulk_update(sorted(short, key=lambda i: i.pk), ["reserved_quantity"])

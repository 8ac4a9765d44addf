"""Holds of orders: taken at capture, answered by OCI, given back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import F, QuerySet

from orders.fields import ZERO, quantity
from orders.ledger.rows import Key, _move, _write, records_of
from orders.models import (
    Hold,
    HoldState,
    MovementReason,
    Order,
    OrderItem,
)
from orders.models.inventory import OPEN_HOLDS


@dataclass(slots=True)
class _Change:
    held: Decimal = ZERO
    holds: list[Hold] = field(default_factory=list)


def release(*, order: Order, now: datetime, keys: Iterable[Key] | None = None) -> None:
    """Give back the open holds of an order, all or those of `keys`. Idempotent.

    Runs in the caller's transaction.
    """
    holds = Hold.objects.filter(order=order, state__in=OPEN_HOLDS)
    if keys is not None:
        holds = holds.filter(record__in=[record.pk for record in records_of(keys).values()])
    _close(
        holds,
        state=HoldState.RELEASED,
        reason=MovementReason.RELEASED,
        now=now,
    )


def mark_answered(*, order: Order, now: datetime) -> None:
    """Note that OCI has answered for an order, so a later snapshot may drop its holds."""
    mark_orders_answered(order_ids=[order.pk], now=now)


def mark_orders_answered(*, order_ids: Collection[int], now: datetime) -> None:
    """Note OCI's answers for orders that the caller has locked, in one statement."""
    Hold.objects.filter(order__in=order_ids, state__in=OPEN_HOLDS).update(
        state=HoldState.ANSWERED, answered_at=now
    )


def hold_shortfall(
    *,
    order: Order,
    asked: Mapping[Key, Decimal],
    again: bool,
    until: datetime,
    now: datetime,
) -> None:
    """Hold the shortfall in ATO before a rerun asks OCI for it.

    `until` is the time after which OCI has received the call or never will: later figures count its
    units and end the hold, unless the answer comes first (`mark_answered`). Spare units of an open
    hold of the SKU (a capture, a remedy or another rerun) count towards it; all units count if the
    same shortfall was requested before, under this id (`again`) or under one that may still reach
    OCI. Runs in the caller's transaction; raises LedgerChanged.
    """
    records = records_of(asked, lock=True)
    open_holds = {
        hold.record_id: hold for hold in Hold.objects.filter(order=order, state__in=OPEN_HOLDS)
    }
    reserved = _reserved(order) if open_holds else {}
    for key in sorted(records):
        record, units = records[key], asked[key]
        hold = open_holds.get(record.pk)
        if hold is None:
            hold = Hold.objects.create(
                order=order,
                record=record,
                quantity=units,
                state=HoldState.ANSWERED,
                answered_at=until,
            )
        else:
            may_be_heard = hold.answered_at is not None and hold.answered_at > now
            got = ZERO if again or may_be_heard else reserved.get(key, ZERO)
            units = max(ZERO, units - max(ZERO, hold.quantity - got))
            Hold.objects.filter(pk=hold.pk).update(
                quantity=F("quantity") + quantity(units), answered_at=until
            )
        if units > 0:
            _write(record, held=record.held + units, now=now)
            _move(record, MovementReason.ASKED_AGAIN, held=units, hold=hold, now=now)


def _reserved(order: Order) -> dict[Key, Decimal]:
    reserved: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for item in OrderItem.objects.filter(order=order):
        reserved[(item.inventory_list_id, item.sku)] += item.reserved_quantity
    return dict(reserved)


def _close(
    holds_of: QuerySet[Hold], *, state: HoldState, reason: MovementReason, now: datetime
) -> None:
    """Close open holds and subtract them from `held`; their records must be locked."""
    keys = set(holds_of.values_list("record__inventory_list", "record__sku"))
    records = {record.pk: record for record in records_of(keys, lock=True).values()}
    changes: dict[int, _Change] = defaultdict(_Change)
    # Read under the locks, since a hold may grow.
    for hold in holds_of.filter(record__in=records).order_by("pk"):
        won = Hold.objects.filter(pk=hold.pk, state__in=OPEN_HOLDS).update(
            state=state, closed_at=now
        )
        if won:
            changes[hold.record_id].held -= hold.quantity
            changes[hold.record_id].holds.append(hold)
    for pk, record in records.items():
        for hold in changes[pk].holds:
            _write(record, held=record.held - hold.quantity, now=now)
            _move(record, reason, held=-hold.quantity, hold=hold, now=now)

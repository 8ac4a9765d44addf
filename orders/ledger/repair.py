"""Repairs of the ledger when its rows do not add up: a part of `orders.ledger`.

Hold rows record promises to orders; `held`, ATO and the movements follow from them and from OCI's
last figure. Nothing is rewritten: a new movement balances the difference. Call everything here in a
transaction, with the order locked if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from orders import ledger
from orders.fields import ZERO
from orders.ledger import Key, LedgerChanged
from orders.models import Hold, HoldState, InventoryRecord, Movement, MovementReason, Order
from orders.models.inventory import OPEN_HOLDS


@dataclass(frozen=True, slots=True)
class Sums:
    """A record's columns, and the sums of its rows."""

    ato: Decimal
    held: Decimal
    right_ato: Decimal
    right_held: Decimal
    moved_ato: Decimal
    moved_held: Decimal

    @property
    def add_up(self) -> bool:
        """Whether record, holds and movements agree."""
        right = (self.right_ato, self.right_held)
        return right == (self.ato, self.held) == (self.moved_ato, self.moved_held)


def sums_of(record: InventoryRecord) -> Sums:
    """Return a record's columns beside the sums of its holds and movements."""
    moved = Movement.objects.filter(record=record).aggregate(
        ato=Sum("ato_change"), held=Sum("held_change")
    )
    held = ledger.open_holds(record)
    snapshot = record.snapshot_ato
    return Sums(
        ato=record.ato,
        held=record.held,
        right_ato=ZERO if snapshot is None else max(ZERO, snapshot - held),
        right_held=held,
        moved_ato=moved["ato"] or ZERO,
        moved_held=moved["held"] or ZERO,
    )


def recompute(*, keys: Iterable[Key], now: datetime) -> None:
    """Recompute records from their holds and figures, and make their movements add up.

    Raises LedgerChanged if a record changes meanwhile.
    """
    records = ledger.records_of(keys, lock=True)
    for key in sorted(records):
        record = records[key]
        sums = sums_of(record)
        if sums.add_up:
            continue
        won = InventoryRecord.objects.filter(pk=record.pk, ato=record.ato, held=record.held).update(
            ato=sums.right_ato, held=sums.right_held, updated_at=now
        )
        if not won:
            raise LedgerChanged
        ato_change = sums.right_ato - sums.moved_ato
        held_change = sums.right_held - sums.moved_held
        if ato_change or held_change:
            Movement.objects.create(
                record=record,
                reason=MovementReason.REPAIRED,
                ato_change=ato_change,
                held_change=held_change,
                at=now,
            )


def hold_exactly(*, order: Order, wanted: Mapping[Key, Decimal], now: datetime) -> None:
    """Set an order's holds to exactly `wanted`, waiting for OCI; then `recompute`."""
    holds = {
        (hold.record.inventory_list_id, hold.record.sku): hold for hold in open_holds_of(order)
    }
    records = ledger.records_of({*wanted, *holds}, lock=True)
    for key in sorted({*wanted, *holds}):
        units, hold = wanted.get(key, ZERO), holds.get(key)
        if hold is not None and not units:
            Hold.objects.filter(pk=hold.pk, state__in=OPEN_HOLDS).update(
                state=HoldState.RELEASED, closed_at=now
            )
        elif hold is not None:
            Hold.objects.filter(pk=hold.pk, state__in=OPEN_HOLDS).update(
                state=HoldState.WAITING, quantity=units, answered_at=None
            )
        elif key in records:
            Hold.objects.create(order=order, record=records[key], quantity=units)
    recompute(keys=records, now=now)


def open_holds_of(order: Order) -> list[Hold]:
    """Return the open holds of an order with their records, in ledger order."""
    holds = Hold.objects.filter(order=order, state__in=OPEN_HOLDS).select_related("record")
    return list(holds.order_by("record__inventory_list", "record__sku"))

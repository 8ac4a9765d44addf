"""One record at a time: read in ledger order, and computed from its snapshot and holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from orders.fields import ZERO
from orders.models import Hold, InventoryRecord, Movement, MovementReason
from orders.models.inventory import OPEN_HOLDS
from orders.search_expressions import ByteOrder

Key = tuple[str, str]
"""Inventory list id and SKU."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """OCI's (or a file's) available-to-order figure of one SKU of one list.

    `gone`: the list no longer has the SKU; an unknown SKU stays unknown. `deliveries`: OCI's
    expected quantities and dates, from a feed only; `ato` already counts them.
    """

    list_id: str
    sku: str
    ato: Decimal
    safety_stock: Decimal = ZERO
    product_name: str = ""
    gone: bool = False
    deliveries: tuple[tuple[datetime, Decimal], ...] = ()

    @property
    def key(self) -> Key:
        """The key of the figure's record."""
        return (self.list_id, self.sku)


class LedgerChanged(Exception):
    """A record changed between reading and writing; the transaction must be tried again."""


def skus_by_list(keys: Iterable[Key]) -> dict[str, list[str]]:
    """Return the SKUs of `keys` by list, in their order."""
    by_list: dict[str, list[str]] = defaultdict(list)
    for list_id, sku in keys:
        by_list[list_id].append(sku)
    return by_list


def records_of(keys: Iterable[Key], *, lock: bool = False) -> dict[Key, InventoryRecord]:
    """Return the known records of `keys`, read in order, with locks where the database has them."""
    found = {}
    for list_id, skus in skus_by_list(sorted(keys)).items():
        for start in range(0, len(skus), _CHUNK):
            rows = InventoryRecord.objects.filter(
                inventory_list_id=list_id, sku__in=skus[start : start + _CHUNK]
            ).order_by(ByteOrder("sku"))
            for row in rows.select_for_update() if lock else rows:
                found[(row.inventory_list_id, row.sku)] = row
    return found


def get_ato(list_id: str, sku: str) -> InventoryRecord | None:
    """Return the record of one SKU, or None if it is not known."""
    return records_of([(list_id, sku)]).get((list_id, sku))


def add_untracked(keys: Iterable[Key]) -> None:
    """Create records without a figure for SKUs unknown to the ledger."""
    rows = [InventoryRecord(inventory_list_id=list_id, sku=sku) for list_id, sku in sorted(keys)]
    InventoryRecord.objects.bulk_create(rows, ignore_conflicts=True)


def _ato(snapshot: Decimal | None, held: Decimal) -> Decimal:
    return ZERO if snapshot is None else max(ZERO, snapshot - held)


def _write(
    record: InventoryRecord,
    *,
    now: datetime,
    held: Decimal,
    snapshot: Decimal | None = None,
    **values: object,
) -> None:
    """Write a record from its snapshot and holds, unless it changed since it was read.

    Sets `record.ato_change`. Raises LedgerChanged.
    """
    new_snapshot = record.snapshot_ato if snapshot is None else snapshot
    ato = _ato(new_snapshot, held)
    won = InventoryRecord.objects.filter(pk=record.pk, ato=record.ato, held=record.held).update(
        ato=ato, held=held, snapshot_ato=new_snapshot, updated_at=now, **values
    )
    if not won:
        raise LedgerChanged
    record.ato_change = ato - record.ato  # type: ignore[attr-defined]
    record.ato, record.held, record.snapshot_ato = ato, held, new_snapshot


def _move(
    record: InventoryRecord,
    reason: MovementReason,
    *,
    now: datetime,
    held: Decimal = ZERO,
    hold: Hold | None = None,
) -> None:
    Movement.objects.create(
        record=record,
        reason=reason,
        ato_change=record.ato_change,  # type: ignore[attr-defined]
        held_change=held,
        hold=hold,
        at=now,
    )


def open_holds(record: InventoryRecord) -> Decimal:
    """Return the sum of the rows of a record's open holds."""
    total = Hold.objects.filter(record=record, state__in=OPEN_HOLDS).aggregate(n=Sum("quantity"))
    return total["n"] or ZERO

"""The ATO ledger: the single writer of inventory records, holds and movements.

For a tracked SKU `ato = max(0, snapshot_ato - held)`; open holds add up to `held`; movements add up
to both. Records are always written in (list, SKU) order, by updates that repeat what they rely on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, Sum

from orders.errors import Shortfall, ShortOnAto
from orders.fields import ZERO, quantity
from orders.models import (
    Hold,
    HoldState,
    InventoryRecord,
    Movement,
    MovementReason,
    Order,
)
from orders.models.inventory import OPEN_HOLDS

Key = tuple[str, str]
"""Inventory list id and SKU."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """What OCI (or a file) says is available to order of one SKU of one list."""

    list_id: str
    sku: str
    ato: Decimal
    safety_stock: Decimal = ZERO
    product_name: str = ""

    @property
    def key(self) -> Key:
        """The record that the figure is about."""
        return (self.list_id, self.sku)


class LedgerChanged(Exception):
    """A record changed between reading and writing; the transaction must be tried again."""


@dataclass(slots=True)
class _Change:
    held: Decimal = ZERO
    holds: list[Hold] = field(default_factory=list)


def records_of(keys: Iterable[Key], *, lock: bool = False) -> dict[Key, InventoryRecord]:
    """Return the known records of `keys`, read (and locked, where the database can) in order."""
    by_list: dict[str, list[str]] = defaultdict(list)
    for list_id, sku in keys:
        by_list[list_id].append(sku)
    found = {}
    for list_id in sorted(by_list):
        skus = sorted(by_list[list_id])
        for start in range(0, len(skus), _CHUNK):
            rows = InventoryRecord.objects.filter(
                inventory_list_id=list_id, sku__in=skus[start : start + _CHUNK]
            ).order_by("sku")
            for row in rows.select_for_update() if lock else rows:
                found[(row.inventory_list_id, row.sku)] = row
    return found


def get_ato(list_id: str, sku: str) -> InventoryRecord | None:
    """Return the record of one SKU, or None if it is not known."""
    return records_of([(list_id, sku)]).get((list_id, sku))


def add_untracked(keys: Iterable[Key]) -> None:
    """Make records without a figure for SKUs that the ledger has never heard of."""
    rows = [InventoryRecord(inventory_list_id=list_id, sku=sku) for list_id, sku in sorted(keys)]
    InventoryRecord.objects.bulk_create(rows, ignore_conflicts=True)


def take(
    *,
    order: Order,
    wanted: Mapping[Key, Decimal],
    records: Mapping[Key, InventoryRecord],
    floors: Mapping[Key, Decimal],
    now: datetime,
) -> None:
    """Hold `wanted` for a new order and take it off ATO, in the caller's transaction.

    The rows of the order come first and the decrements last: a hot record stays locked for the
    shortest time. Raises ShortOnAto with every shortfall, LedgerChanged to be tried again; in both
    cases the caller's transaction must be rolled back.
    """
    keys = sorted(wanted)
    holds = Hold.objects.bulk_create(
        [Hold(order=order, record=records[key], quantity=wanted[key]) for key in keys]
    )
    Movement.objects.bulk_create(
        [
            Movement(
                record=records[key],
                reason=MovementReason.CAPTURED,
                ato_change=-wanted[key] if records[key].is_tracked else ZERO,
                held_change=wanted[key],
                hold=hold,
                at=now,
            )
            for key, hold in zip(keys, holds, strict=True)
        ]
    )
    short = [
        key
        for key in keys
        if not _decrement(records[key], wanted[key], floors.get(key, ZERO), now=now)
    ]
    if short:
        raise ShortOnAto(_shortfalls(short, wanted=wanted, floors=floors))


def _decrement(record: InventoryRecord, units: Decimal, floor: Decimal, *, now: datetime) -> bool:
    """Take `units` off one record if that leaves `floor`; the row count is the decision."""
    row = InventoryRecord.objects.filter(pk=record.pk)
    if record.is_tracked:
        return bool(
            row.filter(ato__gte=units + floor).update(
                ato=F("ato") - quantity(units), held=F("held") + quantity(units), updated_at=now
            )
        )
    untracked = row.filter(snapshot_ato__isnull=True)
    if not untracked.update(held=F("held") + quantity(units), updated_at=now):
        raise LedgerChanged
    return True


def _shortfalls(
    keys: Sequence[Key], *, wanted: Mapping[Key, Decimal], floors: Mapping[Key, Decimal]
) -> list[Shortfall]:
    records = records_of(keys)
    return [
        Shortfall(
            sku=key[1],
            inventory_list_id=key[0],
            requested=wanted[key],
            available=max(ZERO, records[key].ato - floors.get(key, ZERO)),
        )
        for key in keys
    ]


def release(*, order: Order, now: datetime, keys: Iterable[Key] | None = None) -> None:
    """Give back the open holds of an order, all or those of `keys`; safe twice.

    In the caller's transaction.
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
    """Note that OCI has answered for an order: a later snapshot may drop its holds."""
    Hold.objects.filter(order=order, state__in=OPEN_HOLDS).update(
        state=HoldState.ANSWERED, answered_at=now
    )


def hold_answered(*, order: Order, held: Mapping[Key, Decimal], now: datetime) -> None:
    """Hold what OCI has just reserved on a rerun until a snapshot counts it.

    Where the order still has an open hold of the SKU, that one covers it and starts anew.
    """
    records = records_of([key for key, units in held.items() if units > 0], lock=True)
    covered = set(
        Hold.objects.filter(order=order, state__in=OPEN_HOLDS).values_list("record_id", flat=True)
    )
    mark_answered(order=order, now=now)
    for key in sorted(records):
        record = records[key]
        if record.pk in covered:
            continue
        hold = Hold.objects.create(
            order=order,
            record=record,
            quantity=held[key],
            state=HoldState.ANSWERED,
            answered_at=now,
        )
        _write(record, held=record.held + held[key], now=now)
        _move(record, MovementReason.CAPTURED, held=held[key], hold=hold, now=now)


def _close(holds_of: object, *, state: HoldState, reason: MovementReason, now: datetime) -> None:
    """Close open holds and take them out of `held`, under the locks of their records."""
    candidates = list(holds_of.select_related("record"))  # type: ignore[attr-defined]
    keys = {(h.record.inventory_list_id, h.record.sku) for h in candidates}
    records = {record.pk: record for record in records_of(keys, lock=True).values()}
    changes: dict[int, _Change] = defaultdict(_Change)
    for hold in sorted(candidates, key=lambda h: h.pk):
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
    """Write a record as it follows from its snapshot and holds, if it is still as it was read.

    Leaves the change of ATO in `record.ato_change`. Raises LedgerChanged.
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


def apply_snapshot(
    *,
    figures: Sequence[Figure],
    taken_at: datetime,
    lag: timedelta,
    now: datetime,
    reason: MovementReason = MovementReason.SNAPSHOT,
) -> int:
    """Bring OCI's figures into the ledger; return how many records have changed their snapshot.

    `taken_at` is when the figures were asked for, our clock. A hold that OCI answered at least
    `lag` before that is in the figure by now and is dropped; younger ones stay on top of it
    (design 4), see `_without_settling`. A figure older than the one known is ignored. Makes unknown
    records. Figures of one call are applied in chunks, each a transaction of its own.
    """
    latest = {figure.key: figure for figure in figures}
    keys = sorted(latest)
    changed = 0
    for start in range(0, len(keys), _CHUNK):
        chunk = [latest[key] for key in keys[start : start + _CHUNK]]
        with transaction.atomic():
            known = records_of([figure.key for figure in chunk])
            missing = [figure.key for figure in chunk if figure.key not in known]
            add_untracked(missing)
            changed += _apply_chunk(chunk, taken_at=taken_at, lag=lag, now=now, reason=reason)
    return changed


def _apply_chunk(
    figures: Sequence[Figure],
    *,
    taken_at: datetime,
    lag: timedelta,
    now: datetime,
    reason: MovementReason,
) -> int:
    records = records_of([figure.key for figure in figures], lock=True)
    droppable: dict[int, list[Hold]] = {}
    settling: dict[int, Decimal] = {}
    if reason == MovementReason.SNAPSHOT:
        ids = [record.pk for record in records.values()]
        droppable, settling = _answered_holds(ids, before=taken_at - lag)
    changed = 0
    for figure in figures:
        record = records[figure.key]
        if record.snapshot_at is not None and record.snapshot_at >= taken_at:
            continue
        changed += 1
        names = {"product_name": figure.product_name} if figure.product_name else {}
        drops = droppable.get(record.pk, [])
        _write(
            record,
            held=record.held,
            snapshot=_without_settling(record, figure.ato, drops, settling.get(record.pk, ZERO)),
            now=now,
            snapshot_at=taken_at,
            safety_stock=figure.safety_stock,
            **names,
        )
        if record.ato_change:  # type: ignore[attr-defined]
            _move(record, reason, now=now)
        for hold in drops:
            if Hold.objects.filter(pk=hold.pk, state=HoldState.ANSWERED).update(
                state=HoldState.DROPPED, closed_at=now
            ):
                _write(record, held=record.held - hold.quantity, now=now)
                _move(record, MovementReason.HOLD_DROPPED, held=-hold.quantity, hold=hold, now=now)
    return changed


def _answered_holds(
    record_ids: Sequence[int], *, before: datetime
) -> tuple[dict[int, list[Hold]], dict[int, Decimal]]:
    """Return by record the holds that a figure counts for certain, and the units it may count.

    It may count what OCI answered after `before`, and what somebody asks it for just now.
    """
    droppable: dict[int, list[Hold]] = defaultdict(list)
    settling: dict[int, Decimal] = defaultdict(lambda: ZERO)
    answered = Q(state=HoldState.ANSWERED)
    asked = Q(state=HoldState.WAITING) & ~Q(order__claim="")
    for hold in Hold.objects.filter(answered | asked, record__in=record_ids).order_by("pk"):
        if hold.answered_at is not None and hold.answered_at <= before:
            droppable[hold.record_id].append(hold)
        else:
            settling[hold.record_id] += hold.quantity
    return droppable, settling


def _without_settling(
    record: InventoryRecord, figure: Decimal, drops: Sequence[Hold], settling: Decimal
) -> Decimal:
    """Return `figure` as it would be without the units that are settling, where that is known.

    Their holds stay, so units that the figure counts already would be taken off twice. When the
    known figure less what is dropped now explains the new one by settling units alone, it stands;
    otherwise another channel has changed the stock and OCI's word is taken as it is.
    """
    if record.snapshot_ato is None or not settling:
        return figure
    expected = record.snapshot_ato - sum((hold.quantity for hold in drops), ZERO)
    return expected if ZERO <= expected - figure <= settling else figure


def open_holds(record: InventoryRecord) -> Decimal:
    """Return the sum of a record's open holds, from the rows."""
    total = Hold.objects.filter(record=record, state__in=OPEN_HOLDS).aggregate(n=Sum("quantity"))
    return total["n"] or ZERO

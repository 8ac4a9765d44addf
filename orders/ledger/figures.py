"""OCI's figures in the ledger; recent holds stay on top of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Case, Q, Value, When

from orders.fields import ZERO, QuantityField
from orders.ledger.rows import (
    _CHUNK,
    Figure,
    LedgerChanged,
    _move,
    _write,
    add_untracked,
    known_of,
    records_of,
)
from orders.models import Hold, HoldState, InventoryRecord, Movement, MovementReason, Promise

_NONE_APART = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """When figures were requested, and how they are applied."""

    taken_at: datetime
    lag: timedelta
    apart: timedelta
    is_feed: bool
    reason: MovementReason
    now: datetime

    def is_late(self, record: InventoryRecord) -> bool:
        """Whether the record has a figure that may be newer."""
        known = record.snapshot_at
        return known is not None and (known >= self.taken_at or known > self.taken_at - self.apart)


def apply_snapshot(
    *,
    figures: Sequence[Figure],
    taken_at: datetime,
    lag: timedelta,
    now: datetime,
    reason: MovementReason = MovementReason.SNAPSHOT,
    apart: timedelta = _NONE_APART,
    is_feed: bool = False,
) -> int:
    """Apply OCI's figures to the ledger; return how many records changed their snapshot.

    `taken_at` is when the figures were requested, by our clock. A hold that OCI answered at least
    `lag` before that is in the figure by now and is dropped; younger ones stay on top of it
    (design 4), see `_without_settling`. A figure older than the one known is ignored, and one that
    was asked for less than `apart` after it: OCI may have read it earlier. Makes unknown records.
    Figures of one call are applied in chunks, each a transaction of its own.

    A feed (`is_feed`) reports each change once. Ignored changes are marked, so that OCI is asked
    for the SKU again `lag` later.
    """
    snapshot = _Snapshot(taken_at, lag, apart, is_feed, reason, now)
    latest = {figure.key: figure for figure in figures}
    keys = sorted(latest)
    changed = 0
    for start in range(0, len(keys), _CHUNK):
        chunk = [latest[key] for key in keys[start : start + _CHUNK]]
        with transaction.atomic():
            listed = [figure for figure in chunk if not figure.gone]
            known = known_of([figure.key for figure in listed])
            new = [figure for figure in listed if figure.key not in known]
            if new and _add_new(new, snapshot):
                changed += len(new)
                added = {figure.key for figure in new}
                chunk = [figure for figure in chunk if figure.key not in added]
            else:
                add_untracked([figure.key for figure in new])
            changed += _apply_chunk(chunk, snapshot)
    return changed


def _add_new(figures: Sequence[Figure], snapshot: _Snapshot) -> bool:
    """Add records with their first figure; False if another process has just added one."""
    rows = [
        InventoryRecord(
            inventory_list_id=figure.list_id,
            sku=figure.sku,
            product_name=figure.product_name,
            snapshot_ato=figure.ato,
            ato=figure.ato,
            snapshot_at=snapshot.taken_at,
            safety_stock=figure.safety_stock,
        )
        for figure in figures
    ]
    try:
        with transaction.atomic():
            added = InventoryRecord.objects.bulk_create(rows)
    except IntegrityError:
        return False
    Movement.objects.bulk_create(
        Movement(record=row, reason=snapshot.reason, ato_change=row.ato, at=snapshot.now)
        for row in added
        if row.ato
    )
    return True


def _apply_chunk(figures: Sequence[Figure], snapshot: _Snapshot) -> int:
    records = records_of([figure.key for figure in figures], lock=True)
    ids = [record.pk for record in records.values() if record.held]
    droppable: dict[int, list[Hold]] = {}
    settling: dict[int, Decimal] = {}
    if snapshot.reason == MovementReason.SNAPSHOT and ids:
        before = snapshot.taken_at - snapshot.lag
        droppable, settling = _answered_holds(ids, before=before)
    late: list[int] = []
    free: list[tuple[InventoryRecord, Figure]] = []
    changed = 0
    others = []
    for figure in figures:
        record = records.get(figure.key)
        if record is None or (figure.gone and not record.is_tracked):
            continue
        if snapshot.is_late(record):
            if record.snapshot_at != snapshot.taken_at:
                late.append(record.pk)
            continue
        changed += 1
        before = record.snapshot_ato
        if not record.held and not figure.product_name:
            free.append((record, figure))
            if figure.ato != before:
                others.append(record.pk)
            continue
        drops = droppable.get(record.pk, [])
        _apply_one(record, figure, snapshot, drops, settling.get(record.pk, ZERO))
        if record.snapshot_ato != before:
            others.append(record.pk)
    _apply_free(free, snapshot)
    _forget_answers(others)
    if snapshot.is_feed and late:
        InventoryRecord.objects.filter(pk__in=late).update(recheck_at=snapshot.now + snapshot.lag)
    return changed


def _forget_answers(record_ids: Sequence[int]) -> None:
    """Note that the figures of records are others than those at which OCI was short for orders."""
    if not record_ids:
        return
    answered = Promise.objects.filter(Q(is_refused=True) | Q(is_asked=True), record__in=record_ids)
    ids = list(answered.order_by("pk").select_for_update().values_list("pk", flat=True))
    if ids:
        Promise.objects.filter(pk__in=ids).update(is_refused=False, is_asked=False)


def _apply_one(
    record: InventoryRecord,
    figure: Figure,
    snapshot: _Snapshot,
    drops: Sequence[Hold],
    settling: Decimal,
) -> None:
    """Write one record with holds, and drop the holds that the figure counts."""
    now = snapshot.now
    names = {"product_name": figure.product_name} if figure.product_name else {}
    _write(
        record,
        held=record.held,
        snapshot=_without_settling(record, figure.ato, drops, settling),
        now=now,
        snapshot_at=snapshot.taken_at,
        safety_stock=figure.safety_stock,
        gone_at=_gone_at(record, figure, now),
        recheck_at=_recheck_at(record, snapshot),
        **names,
    )
    if record.ato_change:  # type: ignore[attr-defined]
        _move(record, snapshot.reason, now=now)
    for hold in drops:
        if Hold.objects.filter(pk=hold.pk, state=HoldState.ANSWERED).update(
            state=HoldState.DROPPED, closed_at=now
        ):
            _write(record, held=record.held - hold.quantity, now=now)
            _move(record, MovementReason.HOLD_DROPPED, held=-hold.quantity, hold=hold, now=now)


def _apply_free(pairs: Sequence[tuple[InventoryRecord, Figure]], snapshot: _Snapshot) -> None:
    """Write all records without holds in two statements.

    Their ATO is the figure itself. Raises LedgerChanged if there are holds by now.
    """
    same: list[int] = []
    other: list[tuple[InventoryRecord, Figure]] = []
    for record, figure in pairs:
        is_same = (record.snapshot_ato, record.safety_stock) == (figure.ato, figure.safety_stock)
        is_marked = record.recheck_at is not None or figure.gone != (record.gone_at is not None)
        if is_same and not is_marked:
            same.append(record.pk)
        else:
            other.append((record, figure))
    stamps = {"snapshot_at": snapshot.taken_at, "updated_at": snapshot.now}
    if same and _free(same).update(**stamps) != len(same):
        raise LedgerChanged
    if not other:
        return
    ids = [record.pk for record, _ in other]
    ato = _by_record({record.pk: figure.ato for record, figure in other})
    safety = _by_record({record.pk: figure.safety_stock for record, figure in other})
    won = _free(ids).update(ato=ato, snapshot_ato=ato, safety_stock=safety, **stamps)
    if won != len(other):
        raise LedgerChanged
    _mark_free(other, snapshot)
    Movement.objects.bulk_create(
        Movement(
            record=record,
            reason=snapshot.reason,
            ato_change=figure.ato - record.ato,
            at=snapshot.now,
        )
        for record, figure in other
        if figure.ato != record.ato
    )


def _free(ids: Sequence[int]):  # type: ignore[no-untyped-def]
    return InventoryRecord.objects.filter(pk__in=ids, held=0)


def _by_record(values: dict[int, Decimal]) -> Case:
    """Return the expression that is the value of each record."""
    field = QuantityField()
    return Case(
        *(When(pk=pk, then=Value(value, output_field=field)) for pk, value in values.items()),
        output_field=field,
    )


def _mark_free(pairs: Sequence[tuple[InventoryRecord, Figure]], snapshot: _Snapshot) -> None:
    """Mark SKUs as gone, back, or no longer due for another request."""
    gone = [r.pk for r, figure in pairs if figure.gone and r.gone_at is None]
    back = [r.pk for r, figure in pairs if not figure.gone and r.gone_at is not None]
    asked = [r.pk for r, _ in pairs if r.recheck_at is not None and not _recheck_at(r, snapshot)]
    for ids, values in (
        (gone, {"gone_at": snapshot.now}),
        (back, {"gone_at": None}),
        (asked, {"recheck_at": None}),
    ):
        if ids:
            InventoryRecord.objects.filter(pk__in=ids).update(**values)


def _gone_at(record: InventoryRecord, figure: Figure, now: datetime) -> datetime | None:
    return (record.gone_at or now) if figure.gone else None


def _recheck_at(record: InventoryRecord, snapshot: _Snapshot) -> datetime | None:
    """Return from when OCI is still to be asked again; a feed does not answer that question."""
    due = record.recheck_at
    return due if due is not None and (snapshot.is_feed or due > snapshot.taken_at) else None


def _answered_holds(
    record_ids: Sequence[int], *, before: datetime
) -> tuple[dict[int, list[Hold]], dict[int, Decimal]]:
    """Return by record the holds that a figure counts for certain, and the units it may count.

    It may count what OCI answered after `before`, and what a process is asking it for.
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

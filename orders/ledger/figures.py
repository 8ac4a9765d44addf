"""Figures of OCI brought into the ledger, on top of which young holds stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from orders.fields import ZERO
from orders.ledger.rows import _CHUNK, Figure, _move, _write, add_untracked, records_of
from orders.models import Hold, HoldState, InventoryRecord, MovementReason


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

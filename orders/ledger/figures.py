"""OCI's figures in the ledger; recent holds stay on top of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from orders.cursors import among
from orders.fields import ZERO, QuantityField, from_thousandths, thousandths
from orders.ledger import figure_statements as statements
from orders.ledger.figure_statements import Known
from orders.ledger.rows import _CHUNK, Figure, Key, LedgerChanged, _move, _write
from orders.models import Hold, HoldState, InventoryRecord, MovementReason, Promise

_NONE_APART = timedelta(0)
_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """When figures were requested, and how they are applied."""

    taken_at: datetime
    lag: timedelta
    apart: timedelta
    is_feed: bool
    reason: MovementReason
    now: datetime

    @property
    def stamp(self) -> statements.Stamp:
        """The part of it that the statements write."""
        return statements.Stamp(self.taken_at, self.now, str(self.reason))


def apply_snapshot(
    *,
    figures: Sequence[Figure],
    taken_at: datetime,
    lag: timedelta,
    now: datetime,
    reason: MovementReason = MovementReason.SNAPSHOT,
    apart: timedelta = _NONE_APART,
    is_feed: bool = False,
    are_new: bool = False,
) -> int:
    """Apply OCI's figures to the ledger; return how many records changed their snapshot.

    `taken_at` is when the figures were requested, by our clock. The figure already counts a hold
    that OCI answered at least `lag` earlier, so that hold is dropped; younger holds stay on top of
    it (design 4), see `_without_settling`. A figure older than the known one is ignored, and so is
    one requested less than `apart` after it, since OCI may have read it earlier. Unknown records
    are created. Each chunk of figures is its own transaction.

    A feed (`is_feed`) reports each change once. Ignored changes are marked, so that OCI is asked
    for the SKU again `lag` later. `are_new` says that most SKUs have no record yet: the records are
    added without a look for them.
    """
    snapshot = _Snapshot(taken_at, lag, apart, is_feed, reason, now)
    latest = {figure.key: figure for figure in figures}
    keys = sorted(latest)
    changed = 0
    for start in range(0, len(keys), _CHUNK):
        chunk = {key: latest[key] for key in keys[start : start + _CHUNK]}
        if are_new and _add_chunk(chunk, snapshot):
            changed += len(chunk)
            continue
        for _ in range(_TRIES):
            applied = _apply_chunk(chunk, snapshot)
            if applied is not None:
                break
        else:
            raise LedgerChanged
        changed += applied
    return changed


def _add_chunk(figures: Mapping[Key, Figure], snapshot: _Snapshot) -> bool:
    """Add records, in (list, SKU) order; False, with nothing done, if one already exists.

    Takes no other lock, so it can't block processes that wait for a new record.
    """
    if any(figure.gone for figure in figures.values()):
        return False
    with transaction.atomic():
        if _add(list(figures.values()), snapshot) == len(figures):
            return True
        transaction.set_rollback(True)
    return False


def _apply_chunk(figures: Mapping[Key, Figure], snapshot: _Snapshot) -> int | None:
    """Apply figures in (list, SKU) order, in one transaction; return how many it applied.

    Return None, with nothing done, if another process has just added one of the records; the next
    attempt sees it.
    """
    since = snapshot.taken_at - snapshot.apart
    with transaction.atomic():
        records = statements.lock(list(figures), taken_at=snapshot.taken_at, since=since)
        new = [fig for key, fig in figures.items() if key not in records and not fig.gone]
        # After the locks: a process that waits for a record we add then holds no lock we need.
        if new and _add(new, snapshot) != len(new):
            transaction.set_rollback(True)
            return None
        return len(new) + _apply_known(records, figures, snapshot)


def _add(figures: Sequence[Figure], snapshot: _Snapshot) -> int:
    """Add records with their first figure; return how many were added here."""
    rows = [
        statements.NewRecord(
            list_id=figure.list_id,
            sku=figure.sku,
            name=figure.product_name,
            ato=_stored(figure.ato),
            safety_stock=_stored(figure.safety_stock),
        )
        for figure in figures
    ]
    return statements.add(rows, snapshot.stamp)


def _apply_known(
    records: Mapping[Key, Known], figures: Mapping[Key, Figure], snapshot: _Snapshot
) -> int:
    """Apply figures to locked records; return how many it applied."""
    late: list[int] = []
    free: list[tuple[Known, Figure]] = []
    held: dict[int, Figure] = {}
    for key, record in records.items():
        figure = figures[key]
        if figure.gone and record.snapshot_ato is None:
            continue
        if record.is_late:
            if not record.is_of_then:
                late.append(record.id)
        elif record.held or figure.product_name:
            held[record.id] = figure
        else:
            free.append((record, figure))
    others = _apply_held(held, snapshot) + _apply_free(free, snapshot)
    _forget_answers(others)
    if snapshot.is_feed and late:
        rows = InventoryRecord.objects.filter(pk__in=among(late))
        rows.update(recheck_at=snapshot.now + snapshot.lag)
    return len(held) + len(free)


def _forget_answers(record_ids: Sequence[int]) -> None:
    """Reset OCI's answers to promises, because the figures of these records changed."""
    if not record_ids:
        return
    answered = Promise.objects.filter(
        Q(is_refused=True) | Q(is_asked=True), record__in=among(record_ids)
    )
    ids = list(answered.order_by("pk").select_for_update().values_list("pk", flat=True))
    if ids:
        Promise.objects.filter(pk__in=ids).update(is_refused=False, is_asked=False)


def _apply_held(figures: Mapping[int, Figure], snapshot: _Snapshot) -> list[int]:
    """Write locked records with holds, or with a name in the figure.

    Return those with another figure.
    """
    if not figures:
        return []
    records = {
        record.pk: record for record in InventoryRecord.objects.filter(pk__in=among(list(figures)))
    }
    droppable: dict[int, list[Hold]] = {}
    settling: dict[int, Decimal] = {}
    ids = [pk for pk in figures if records[pk].held]
    if snapshot.reason == MovementReason.SNAPSHOT and ids:
        before = snapshot.taken_at - snapshot.lag
        droppable, settling = _answered_holds(ids, before=before)
    others = []
    for pk, figure in figures.items():
        record = records[pk]
        was = record.snapshot_ato
        _apply_one(record, figure, snapshot, droppable.get(pk, []), settling.get(pk, ZERO))
        if record.snapshot_ato != was:
            others.append(pk)
    return others


def _apply_one(
    record: InventoryRecord,
    figure: Figure,
    snapshot: _Snapshot,
    drops: Sequence[Hold],
    settling: Decimal,
) -> None:
    """Write one record with holds, and drop the holds that the figure already counts."""
    now = snapshot.now
    names = {"product_name": figure.product_name} if figure.product_name else {}
    _write(
        record,
        held=record.held,
        snapshot=_without_settling(record, figure.ato, drops, settling),
        now=now,
        snapshot_at=snapshot.taken_at,
        safety_stock=figure.safety_stock,
        gone_at=(record.gone_at or now) if figure.gone else None,
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


def _apply_free(pairs: Sequence[tuple[Known, Figure]], snapshot: _Snapshot) -> list[int]:
    """Write all records without holds in two statements; return those with another figure.

    Their ATO equals the figure. Raises LedgerChanged if one has got a hold.
    """
    same: list[int] = []
    other: list[statements.Change] = []
    changed: list[int] = []
    for record, figure in pairs:
        ato, safety_stock = _stored(figure.ato), _stored(figure.safety_stock)
        if ato != record.snapshot_ato:
            changed.append(record.id)
        elif (
            safety_stock == record.safety_stock
            and not record.is_due
            and figure.gone == record.is_gone
        ):
            same.append(record.id)
            continue
        is_answered = record.is_answered and not snapshot.is_feed
        other.append(
            statements.Change(
                record.id, record.ato, ato, safety_stock, figure.gone, is_answered=is_answered
            )
        )
    if same and statements.confirm(same, snapshot.stamp) != len(same):
        raise LedgerChanged
    if other and statements.change(other, snapshot.stamp) != len(other):
        raise LedgerChanged
    return changed


def _stored(quantity: Decimal) -> int:
    """Return a figure in the unit of its column; raises ValueError if it is not exact."""
    stored = thousandths(quantity)
    if abs(quantity) > QuantityField.max_abs or from_thousandths(stored) != quantity:
        raise ValueError(f"{quantity!r} does not fit {QuantityField.places} decimals")
    return stored


def _recheck_at(record: InventoryRecord, snapshot: _Snapshot) -> datetime | None:
    """Return when OCI must be asked again; a feed does not answer that question."""
    due = record.recheck_at
    return due if due is not None and (snapshot.is_feed or due > snapshot.taken_at) else None


def _answered_holds(
    record_ids: Sequence[int], *, before: datetime
) -> tuple[dict[int, list[Hold]], dict[int, Decimal]]:
    """Return by record the holds that a figure counts for certain, and the units it may count.

    It may count answers of OCI after `before`, and requests that are being sent.
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
    """Return `figure` without the units that are settling, where they are known.

    Their holds stay, so units already in the figure would be subtracted twice. If settling units
    alone explain the difference between the new figure and the known one less the dropped holds,
    the known one stands; otherwise another channel has changed the stock and OCI's figure applies
    unchanged.
    """
    if record.snapshot_ato is None or not settling:
        return figure
    expected = record.snapshot_ato - sum((hold.quantity for hold in drops), ZERO)
    return expected if ZERO <= expected - figure <= settling else figure

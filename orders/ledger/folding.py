"""Add up old figures of the ledger: many lines become one, and every sum stays.

The mirror of OCI's stock writes one line per change of a figure. Old lines matter only as a sum.
Movements of orders stay line by line.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db import transaction
from django.db.models import Count, QuerySet

from orders.fields import ZERO
from orders.models import Movement, MovementReason

# SKUs per transaction and per call.
_CHUNK = 200
MOST = 2_000
_FIGURES = (MovementReason.SNAPSHOT, MovementReason.IMPORTED, MovementReason.FOLDED)


class _Changed(Exception):
    """Another process adds up the same lines."""


def fold_figures(*, before: datetime) -> int:
    """Add up figures before `before`, one line per SKU; return the number of SKUs, up to MOST.

    The newest of these lines becomes the sum. No lock is needed: lines are only ever added, and if
    another process has added up one of these lines, this chunk rolls back.
    """
    records = list(
        _figures(before)
        .order_by()
        .values("record")
        .annotate(number=Count("pk"))
        .filter(number__gt=1)
        .order_by("record")
        .values_list("record", flat=True)[:MOST]
    )
    folded = 0
    for start in range(0, len(records), _CHUNK):
        chunk = records[start : start + _CHUNK]
        try:
            with transaction.atomic():
                _fold(chunk, before)
        except _Changed:
            continue
        folded += len(chunk)
    return folded


def _figures(before: datetime) -> QuerySet[Movement]:
    return Movement.objects.filter(reason__in=_FIGURES, hold=None, at__lt=before)


def _fold(records: list[int], before: datetime) -> None:
    of_record: dict[int, list[Movement]] = defaultdict(list)
    for movement in _figures(before).filter(record__in=records).order_by("pk"):
        of_record[movement.record_id].append(movement)
    gone: list[int] = []
    sums: list[Movement] = []
    for *earlier, last in of_record.values():
        if earlier:
            gone += [movement.pk for movement in earlier]
            last.ato_change += sum((movement.ato_change for movement in earlier), ZERO)
            last.held_change += sum((movement.held_change for movement in earlier), ZERO)
            last.reason = MovementReason.FOLDED
            sums.append(last)
    deleted = Movement.objects.filter(pk__in=gone).delete()[0]
    written = Movement.objects.bulk_update(sums, ["ato_change", "held_change", "reason"])
    if (deleted, written) != (len(gone), len(sums)):
        raise _Changed

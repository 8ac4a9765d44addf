"""Adding up old figures of the ledger: many lines become one, and every sum stays.

The mirror of OCI's stock writes a line for each change of a figure. Long afterwards only their sum
says something. What orders took and gave back stays line by line.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db import transaction
from django.db.models import Count, QuerySet

from orders.fields import ZERO
from orders.models import Movement, MovementReason

# SKUs of one transaction, and of one call.
_CHUNK = 200
MOST = 2_000
_FIGURES = (MovementReason.SNAPSHOT, MovementReason.IMPORTED, MovementReason.FOLDED)


class _Changed(Exception):
    """Somebody else adds up the same lines."""


def fold_figures(*, before: datetime) -> int:
    """Add up the figures from before `before`, one line a SKU; return of how many SKUs, up to MOST.

    The newest of these lines stays as the sum, in its place. Nothing is locked: lines are only ever
    added, and one that another process has added up in the meantime undoes this chunk.
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

"""Faults of units released without their document; a part of `coc_check`."""

from __future__ import annotations

from collections.abc import Iterator

from orders.fields import ZERO
from reconciliation.models import (
    Attempt,
    DocumentState,
    Release,
    ReleaseState,
    ReservationDocument,
)
from reconciliation.remedies.integrity import Fault
from reconciliation.reservation import release_rows


def faults() -> Iterator[Fault]:
    """Yield the faults of documents' releases; a few queries for each touched document."""
    touched = Release.objects.order_by().values("document")
    documents = ReservationDocument.objects.filter(pk__in=touched).select_related("order")
    for document in documents.order_by("pk").iterator():
        yield from _of(document)


def _of(document: ReservationDocument) -> Iterator[Fault]:
    rows = list(Release.objects.filter(document=document))
    for row in rows:
        key = (row.list_id, row.sku)
        if row.record_id != release_rows.record_id(document, row.number, key):
            yield 2, document.order, f"{row} is not its own"
    held = release_rows.held_by(document)
    released = release_rows.released_by([document.pk]).get(document.pk, {})
    for key, units in sorted(released.items()):
        if units > held.get(key, ZERO):
            detail = f"reservation {document.reservation_id} held {held.get(key, ZERO)} of {key[1]}"
            yield 2, document.order, f"{detail}, and {units} of it are released"
    is_over = document.state == DocumentState.CANCELLED
    if is_over and (released != held or any(row.state == ReleaseState.PREPARED for row in rows)):
        detail = f"reservation {document.reservation_id} is over, and not all of it is released"
        yield 2, document.order, detail
    # Units of it were released while it counted, so no cancel can have come before.
    if Attempt.objects.filter(document=document, operation="cancel").exists():
        detail = f"units of reservation {document.reservation_id} were released, and it cancelled"
        yield 2, document.order, detail

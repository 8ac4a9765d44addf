"""Units of a reservation document given back by `POST /releases`, stored before the call.

A release changes the counts of a place but not its document (OCI contract 1.6), so the document's
cancel would return the same units twice. A document with a release here is *touched*: it is never
cancelled again, and its remaining units are released as well (`release_calls`).
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, Max, OuterRef, QuerySet

from orders.fields import ZERO
from orders.ledger import Key
from reconciliation.models import DocumentState, Release, ReleaseState, ReservationDocument
from reconciliation.models.releases import COUNTED_RELEASE, OPEN_RELEASE


def is_touched(document: ReservationDocument) -> bool:
    """Whether any unit of a document was, or will be, released without it."""
    return Release.objects.filter(document=document).exists()


def held_by(document: ReservationDocument) -> dict[Key, Decimal]:
    """Return the units OCI has answered for a document, by list and SKU; no query."""
    held: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for line in document.held:
        held[(line["id"], line["sku"])] += Decimal(str(line["quantity"]))
    return dict(held)


def still_held(document: ReservationDocument) -> dict[Key, Decimal]:
    """Return the units for which a document counts: OCI's answer less the units given back."""
    released = released_by([document.pk]).get(document.pk, {})
    left = {key: units - released.get(key, ZERO) for key, units in held_by(document).items()}
    return {key: units for key, units in left.items() if units}


def released_by(document_ids: Collection[int]) -> dict[int, dict[Key, Decimal]]:
    """Return by document the units given back, answered or not; one query."""
    found: dict[int, dict[Key, Decimal]] = {}
    rows = Release.objects.filter(COUNTED_RELEASE, document__in=document_ids).order_by()
    for pk, list_id, sku, units in rows.values_list("document", "list_id", "sku", "quantity"):
        of_document = found.setdefault(pk, {})
        of_document[(list_id, sku)] = of_document.get((list_id, sku), ZERO) + units
    return found


def open_documents() -> QuerySet[ReservationDocument]:
    """Return the counted documents with units that OCI must still release, oldest first.

    Orders in review are left out: a person handles them.
    """
    unsent = Release.objects.filter(OPEN_RELEASE, document=OuterRef("pk"))
    return ReservationDocument.objects.filter(
        Exists(unsent), state=DocumentState.COUNTED, order__needs_review_since=None
    ).order_by("id")


def unsent() -> QuerySet[Release]:
    """Return the units that OCI must still release, whatever the state of their documents."""
    return Release.objects.filter(OPEN_RELEASE)


def has_open() -> bool:
    """Whether OCI must still release units of a document that stays."""
    # Runs each second, and usually there is none.
    if not unsent().exists():
        return False
    rows = Release.objects.filter(
        OPEN_RELEASE,
        document__state=DocumentState.COUNTED,
        document__order__needs_review_since=None,
    )
    return rows.exists()


def write(document: ReservationDocument, units: Mapping[Key, Decimal], *, now: datetime) -> None:
    """Store that `units` of a document are to be released; its order must be locked."""
    places = {line["id"]: line["place"] for line in document.held}
    held = still_held(document)
    number = _next_number(document)
    Release.objects.bulk_create(
        _row(
            document,
            number,
            key,
            place=places[key[0]],
            held=held[key],
            quantity=units[key],
            now=now,
        )
        for key in sorted(units)
    )


def write_rest(document: ReservationDocument, *, now: datetime) -> None:
    """Store that the rest of a document is to be released; its order must be locked.

    Units that OCI has refused get another id, because the same id gets the same answer.
    """
    repeat_refused(document, now=now)
    if left := still_held(document):
        write(document, left, now=now)


def repeat_refused(document: ReservationDocument, *, now: datetime) -> None:
    """Give the records that OCI refused new ids; the order of the document must be locked."""
    number = _next_number(document)
    refused = Release.objects.filter(document=document, state=ReleaseState.REFUSED)
    for row in list(refused.order_by("pk")):
        if refused.filter(pk=row.pk).update(state=ReleaseState.REPEATED):
            _row(
                document,
                number,
                (row.list_id, row.sku),
                place=row.place,
                held=row.held,
                quantity=row.quantity,
                now=now,
            ).save(force_insert=True)


def record_id(document: ReservationDocument, number: int, key: Key) -> uuid.UUID:
    """Return the id of a release, the same in every process (promise 2)."""
    name = json.dumps([number, *key], separators=(",", ":"))
    return uuid.uuid5(document.reservation_id, name)


def _next_number(document: ReservationDocument) -> int:
    rows = Release.objects.filter(document=document)
    return (rows.aggregate(last=Max("number"))["last"] or 0) + 1


def _row(
    document: ReservationDocument,
    number: int,
    key: Key,
    *,
    place: str,
    held: Decimal,
    quantity: Decimal,
    now: datetime,
) -> Release:
    return Release(
        document=document,
        number=number,
        place=place,
        list_id=key[0],
        sku=key[1],
        held=held,
        quantity=quantity,
        record_id=record_id(document, number, key),
        written_at=now,
    )

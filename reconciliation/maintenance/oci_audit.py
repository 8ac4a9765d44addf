"""The audit: OCI's reservations for our orders, compared with our reservation documents.

OCI has no call that reads a document, so its export of reservations is the only source. The audit
changes nothing. OCI does not publish whether a document changes when units are released without it
(OCI contract 1.6), so the audit accepts both the original units and those minus the released ones.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import IO

from orders.models import Order
from reconciliation.models import DocumentState, ReleaseState, ReservationDocument
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.feeds import (
    DOCUMENTS,
    ExportStatus,
    FeedClient,
    HeldDocument,
    document_lines,
)
from reconciliation.reasons import say

LONGEST_EXPORT = 1800.0
DOWNLOAD_SECONDS = 600.0
ASK_EVERY = 0.5
CHUNK = 500
# Documents created or cancelled while OCI writes its file prove nothing.
MARGIN = timedelta(minutes=1)
_HOLDING = (DocumentState.ANSWERED, DocumentState.COUNTED)
_OVER = (DocumentState.CANCELLED, DocumentState.REFUSED)


class AuditFailed(Exception):
    """OCI made no usable export; the text gives the reason."""


class Difference(StrEnum):
    """How OCI and our documents differ."""

    MISSING_THERE = "missing there"
    UNKNOWN_HERE = "unknown here"
    OTHER_QUANTITY = "other quantity"
    OVER_HERE = "still held there"


@dataclass(frozen=True, slots=True)
class Finding:
    """One document that differs between OCI and us."""

    difference: Difference
    reservation_id: str
    order: str
    detail: str
    # our order; None if the document is not known here
    order_id: int | None = None


Key = tuple[Place, str]


def audit(
    *,
    client: FeedClient,
    since: datetime,
    now: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Finding]:
    """Compare all documents from `since` on; raises OciError, MalformedAnswer and AuditFailed.

    Documents of other systems are reported only if they name one of our orders. Documents that OCI
    has closed, for instance by shipping, are not reported.
    """
    until = now - MARGIN
    seen: set[int] = set()
    for is_open in (True, False):
        with tempfile.TemporaryFile(prefix="reservations-") as file:
            _export(client, file, is_open=is_open, since=since, until=now, sleep=sleep)
            documents = document_lines(file)
            while chunk := list(islice(documents, CHUNK)):
                seen.update(_number(one) for one in chunk)
                if is_open:
                    yield from _compare(chunk, until=until)
    yield from _missing(seen, since=since, until=until)


def _export(
    client: FeedClient,
    file: IO[bytes],
    *,
    is_open: bool,
    since: datetime,
    until: datetime,
    sleep: Callable[[float], None],
) -> None:
    export_id = client.start_document_export(is_open=is_open, since=since, until=until)
    ends = time.monotonic() + LONGEST_EXPORT
    while (state := client.export_state(export_id, of=DOCUMENTS)).status == ExportStatus.RUNNING:
        if time.monotonic() > ends:
            raise AuditFailed(say("export_too_long"))
        sleep(ASK_EVERY)
    if state.status == ExportStatus.FAILED:
        raise AuditFailed(say("export_failed"))
    client.download_export(export_id, file.write, seconds=DOWNLOAD_SECONDS, of=DOCUMENTS)
    file.seek(0)
    lines = sum(1 for _ in document_lines(file))
    if state.records is not None and lines != state.records:
        raise AuditFailed(say("export_other_documents", lines=lines, records=state.records))
    file.seek(0)


def _compare(chunk: Sequence[HeldDocument], *, until: datetime) -> Iterator[Finding]:
    """Compare open documents of OCI with ours."""
    numbers = {one.reservation_id: uuid.UUID(int=_number(one)) for one in chunk}
    rows = ReservationDocument.objects.filter(reservation_id__in=numbers.values()).prefetch_related(
        "releases"
    )
    ours = {row.reservation_id: row for row in rows.select_related("order")}
    strange = {one.external_ref_id for one in chunk if numbers[one.reservation_id] not in ours}
    named = set(Order.objects.filter(order_no__in=strange).values_list("order_no", flat=True))
    for one in chunk:
        row = ours.get(numbers[one.reservation_id])
        if row is None:
            if one.external_ref_id in named and any(one.held.values()):
                yield _finding(Difference.UNKNOWN_HERE, one, one.external_ref_id, {}, one.held)
            continue
        if row.answered_at is None or row.answered_at > until:
            continue
        theirs = {key: units for key, units in one.held.items() if units}
        released = _released(row, until=until)
        if released is None or (released and theirs == _held(row)):
            continue
        held = _less(_held(row), released)
        if row.state in _OVER and theirs:
            yield _finding(Difference.OVER_HERE, one, str(row.order), {}, theirs, row.order_id)
        elif row.state in _HOLDING and held != theirs:
            yield _finding(
                Difference.OTHER_QUANTITY, one, str(row.order), held, theirs, row.order_id
            )


def _missing(seen: set[int], *, since: datetime, until: datetime) -> Iterator[Finding]:
    """Find documents with units by our records that OCI does not have."""
    rows = ReservationDocument.objects.filter(
        state__in=_HOLDING, sent_at__gte=since + MARGIN, answered_at__lte=until
    ).select_related("order")
    rows = rows.prefetch_related("releases")
    for row in rows.order_by("pk").iterator(chunk_size=CHUNK):
        held = _less(_held(row), _released(row, until=until) or {})
        if held and row.reservation_id.int not in seen:
            words = f"here {_units(held)}; OCI has no such document"
            yield Finding(
                Difference.MISSING_THERE,
                str(row.reservation_id),
                str(row.order),
                words,
                row.order_id,
            )


def _held(row: ReservationDocument) -> dict[Key, Decimal]:
    held: dict[Key, Decimal] = {}
    for line in row.held:
        units = Decimal(str(line["quantity"]))
        if units:
            key = (Place(PlaceKind(line["place"]), line["id"]), line["sku"])
            held[key] = held.get(key, Decimal(0)) + units
    return held


def _released(row: ReservationDocument, *, until: datetime) -> dict[Key, Decimal] | None:
    """Return the units OCI has released without the document; None while a release is open."""
    released: dict[Key, Decimal] = {}
    for one in row.releases.all():
        if one.state == ReleaseState.PREPARED or (one.answered_at and one.answered_at > until):
            return None
        if one.state == ReleaseState.RELEASED:
            key = (Place(PlaceKind(one.place), one.list_id), one.sku)
            released[key] = released.get(key, Decimal(0)) + one.quantity
    return released


def _less(held: Mapping[Key, Decimal], released: Mapping[Key, Decimal]) -> dict[Key, Decimal]:
    left = {key: units - released.get(key, Decimal(0)) for key, units in held.items()}
    return {key: units for key, units in left.items() if units}


def _finding(
    difference: Difference,
    one: HeldDocument,
    order: str,
    held: Mapping[Key, Decimal],
    theirs: Mapping[Key, Decimal],
    order_id: int | None = None,
) -> Finding:
    words = f"here {_units(held)}; at OCI {_units(theirs)}"
    return Finding(difference, one.reservation_id, order, words, order_id)


def _units(held: Mapping[Key, Decimal]) -> str:
    lines = [f"{units.normalize():f} {sku} ({place})" for (place, sku), units in held.items()]
    return ", ".join(sorted(lines)) or "nothing"


def _number(one: HeldDocument) -> int:
    """Return the id as a number; an id that is no UUID is not ours, and gets its hash."""
    try:
        return uuid.UUID(one.reservation_id).int
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, one.reservation_id).int

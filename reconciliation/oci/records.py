"""Releases: calls that act on counts rather than on documents (OCI contract 1.6).

Each record has an `id`, an idempotence key together with its SKU: the same pair gives the same
result again. Choose it once and repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reconciliation.oci.documents import Place
from reconciliation.oci.errors import MalformedAnswer
from reconciliation.oci.jsontext import (
    STEP,
    as_object,
    as_objects,
    as_quantity,
    as_text,
    clean_text,
    write_json,
)
from reconciliation.reasons import say

# OCI's own cap is not published; Connect, its twin, takes 100 records (contract 1.6).
MAX_RECORDS = 100


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """Give back `quantity` of a SKU reserved at a place."""

    id: str
    place: Place
    sku: str
    quantity: Decimal
    external_ref_id: str = ""


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """A record that OCI did not apply; the others of its call were.

    `error_code` and `message` are OCI's, and may be empty.
    """

    id: str
    sku: str
    error_code: str
    message: str


def releases_body(records: Sequence[ReleaseRecord]) -> str:
    """Return the JSON of a call; raises ValueError for none, more than 100, or bad quantities."""
    if not 0 < len(records) <= MAX_RECORDS:
        raise ValueError(f"A call takes 1 to {MAX_RECORDS} records, not {len(records)}.")
    return write_json({"records": [_members(record) for record in records]})


def _members(record: ReleaseRecord) -> dict[str, Any]:
    if as_quantity(record.quantity, "The quantity of a record") < STEP:
        raise ValueError("The quantity of a record is at least 0.001.")
    members: dict[str, Any] = {"id": record.id}
    if record.external_ref_id:
        members["externalRefId"] = record.external_ref_id
    members[str(record.place.kind)] = record.place.id
    return members | {"sku": record.sku, "quantity": record.quantity}


def failures_of(answer: object, records: Sequence[ReleaseRecord]) -> list[RecordFailure]:
    """Read the answer 200 to `records`; empty when all is done.

    Raises MalformedAnswer, also for a failure of a record that was not sent.
    """
    body = as_object(answer, "The answer")
    if body.get("errors") is None:
        raise MalformedAnswer(say("no_list_of_errors"))
    failures = [_failure(entry) for entry in as_objects(body["errors"], "errors")]
    sent = {(record.id, record.sku) for record in records}
    if any((failure.id, failure.sku) not in sent for failure in failures):
        raise MalformedAnswer(say("record_not_sent"))
    return failures


def _failure(error: Mapping[str, Any]) -> RecordFailure:
    details = as_object(error.get("details"), "The details of an error")
    return RecordFailure(
        id=as_text(details.get("id"), "The id of a failed record"),
        sku=as_text(details.get("sku"), "The SKU of a failed record"),
        error_code=clean_text(error.get("errorCode"), limit=100),
        message=clean_text(error.get("message"), limit=500),
    )

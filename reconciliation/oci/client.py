"""Calls to OCI, one method each (OCI contract 1.1 to 1.9, 2.2).

Every call ends in a result that was understood or in one of the errors of `errors`; nothing here
waits, retries or remembers, apart from one renewal of the token and one repetition over a new
connection (see `transport`). Nothing is logged.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from reconciliation.oci.answers import json_of
from reconciliation.oci.caller import Call, Caller
from reconciliation.oci.caller import CallObserver as CallObserver
from reconciliation.oci.caller import OciConfig as OciConfig
from reconciliation.oci.documents import Judgement, Place, PlaceKind, judge_lines, lines_of_body
from reconciliation.oci.errors import MalformedAnswer, OciRefused
from reconciliation.oci.jsontext import as_object, as_objects, as_quantity, as_text, write_json
from reconciliation.oci.records import RecordFailure, ReleaseRecord, failures_of, releases_body
from reconciliation.oci.transport import HttpAnswer, Transport
from reconciliation.reasons import say

# SKUs times places of one get-availability call (contract 2.2).
MOST_COMBINATIONS = 100


@dataclass(frozen=True, slots=True)
class PutAnswer:
    """An answer to a reservation, judged."""

    judgement: Judgement
    status: int
    correlation_id: str


class CancelResult(StrEnum):
    """How a cancel ended (contract 1.5)."""

    CANCELLED = "cancelled"
    MARKED = "marked"  # the counts follow
    ALREADY_CANCELLED = "already_cancelled"
    ABSENT = "absent"  # OCI knows no such document


@dataclass(frozen=True, slots=True)
class Availability:
    """The counts of one SKU at one place (contract 2.2)."""

    place: Place
    sku: str
    ato: Decimal
    atf: Decimal
    on_hand: Decimal
    reserved: Decimal
    safety_stock: Decimal


class OciClient:
    """Calls OCI; one per process, shared by its threads.

    Every method raises OciNoAnswer, OciThrottled, OciConfigurationFault or OciRefused.
    `read_timeout`, in seconds, bounds one call as a whole, with its connection and its token,
    instead of the configured times.
    """

    def __init__(
        self,
        config: OciConfig,
        *,
        observer: CallObserver | None = None,
        transport: Transport | None = None,
    ) -> None:
        """`observer` gets every call's outcome; `transport` carries the calls, HTTP if None."""
        self._caller = Caller(config, observer=observer, transport=transport)
        self._until: float | None = None

    def within(self, seconds: float) -> OciClient:
        """Return this client for a piece of work whose calls take `seconds` from now in all.

        Once the time is over its calls raise OciNoAnswer without being made.
        """
        bounded = copy.copy(self)
        bounded._until = self._caller.until(seconds)
        return bounded

    def authenticate(self) -> None:
        """Get a token for the next call. The observer is not notified."""
        self._caller.authenticate()

    def put_reservation(
        self, *, reservation_id: uuid.UUID, body: str, read_timeout: float | None = None
    ) -> PutAnswer:
        """Reserve what `body`, made by `documents.build_body`, asks for (contract 1.3, 1.4).

        Safe to repeat with the same id and the same body, and only so (1.7). Raises ValueError for
        a body that was not made there.
        """
        lines = lines_of_body(body)

        def read(answer: HttpAnswer, correlation_id: str) -> PutAnswer:
            told = json_of(answer)
            _check_subject(answer, told, reservation_id)
            judgement = judge_lines(lines, answer=told)
            return PutAnswer(judgement, answer.status, correlation_id)

        return self._caller.call(
            Call(
                "put",
                "PUT",
                self._document(reservation_id),
                body,
                (200,),
                read_timeout,
                subject=str(reservation_id),
                until=self._until,
            ),
            read,
        )

    def cancel_reservation(
        self, *, reservation_id: uuid.UUID, read_timeout: float | None = None
    ) -> CancelResult:
        """Cancel a document (contract 1.5); safe to repeat.

        OciRefused is raised for what leaves it open whether something is held, such as 409
        ReservationInvalidState or ConcurrentModification.
        """
        body = write_json({"status": "CANCELLED"})

        def read(answer: HttpAnswer, correlation_id: str) -> CancelResult:
            _check_cancelled(answer)
            return CancelResult.MARKED if answer.status == 202 else CancelResult.CANCELLED

        call = Call(
            "cancel",
            "PATCH",
            self._document(reservation_id),
            body,
            (202, 204),
            read_timeout,
            subject=str(reservation_id),
            until=self._until,
        )
        try:
            return self._caller.call(call, read)
        except OciRefused as refusal:
            result = _cancel_result(refusal)
            if result is None:
                raise
            return result

    def get_availability(
        self, *, place: Place, skus: Sequence[str], read_timeout: float | None = None
    ) -> list[Availability]:
        """Return the counts of SKUs at a place, 100 a call (contract 2.2).

        SKUs that OCI leaves out are left out. An error after the first call drops what was read.
        """
        distinct = list(dict.fromkeys(skus))
        found: list[Availability] = []
        for start in range(0, len(distinct), MOST_COMBINATIONS):
            chunk = distinct[start : start + MOST_COMBINATIONS]
            found += self._availability(place, chunk, read_timeout)
        return found

    def _availability(
        self, place: Place, skus: Sequence[str], read_timeout: float | None
    ) -> list[Availability]:
        name = "groups" if place.kind == PlaceKind.GROUP else "locations"
        path = self._caller.url("availability", "availability-records/actions/get-availability")
        body = write_json({"skus": skus, name: [place.id]})

        def read(answer: HttpAnswer, correlation_id: str) -> list[Availability]:
            return _availability_of(json_of(answer), name, place, set(skus))

        return self._caller.call(
            Call("availability", "POST", path, body, (200,), read_timeout, until=self._until), read
        )

    def release(
        self, records: Sequence[ReleaseRecord], *, read_timeout: float | None = None
    ) -> list[RecordFailure]:
        """Give back reserved quantities without naming a document; returns what failed (1.6).

        A call takes 1 to 100 records, or raises ValueError. Its outcome unknown, it may be repeated
        with the same records. To undo one order use `cancel_reservation`: OCI does not tell the
        orders of one place and SKU apart here.
        """
        url = self._caller.url("reservation", "releases")
        body = releases_body(records)

        def read(answer: HttpAnswer, correlation_id: str) -> list[RecordFailure]:
            return [] if answer.status == 204 else failures_of(json_of(answer), records)

        call = Call("release", "POST", url, body, (200, 204), read_timeout, until=self._until)
        return self._caller.call(call, read)

    def close(self) -> None:
        """Close idle connections."""
        self._caller.close()

    def _document(self, reservation_id: uuid.UUID) -> str:
        return self._caller.url("reservation", f"reservation-documents/{reservation_id}")


def _check_subject(answer: HttpAnswer, body: object, reservation_id: uuid.UUID) -> None:
    """Raise MalformedAnswer if an answer names another document than the one sent.

    Neither of the two names must be there; a `Location` that does not end in an id names none.
    """
    location = answer.headers.get("Location", "").partition("?")[0].rstrip("/")
    named = [body.get("reservationId") if isinstance(body, dict) else None]
    for name in [*named, location.rpartition("/")[2]]:
        try:
            other = name is not None and uuid.UUID(str(name)) != reservation_id
        except ValueError:
            continue
        if other:
            raise MalformedAnswer(say("other_document"))


def _check_cancelled(answer: HttpAnswer) -> None:
    """Raise MalformedAnswer if what comes with the answer to a cancel is no plain yes."""
    body = json_of(answer) if answer.body.strip() else None
    if isinstance(body, dict) and (body.get("errorCode") or body.get("errors")):
        raise MalformedAnswer(say("has_errors"))


def _cancel_result(refusal: OciRefused) -> CancelResult | None:
    match refusal.status, refusal.error_code, refusal.parameter:
        case 404, "EntityNotFound", _:
            return CancelResult.ABSENT
        case 400, "InvalidRequestParameter", "reservationId":
            return CancelResult.ABSENT
        case 409, "ReservationCancelled", _:
            return CancelResult.ALREADY_CANCELLED
    return None


def _availability_of(answer: object, name: str, place: Place, skus: set[str]) -> list[Availability]:
    """Read counts; an answer about another place or SKU is not valid.

    Missing SKUs would look as if they were out of stock.
    """
    body = as_object(answer, "The answer")
    if not body.keys() & {"groups", "locations"}:
        raise MalformedAnswer(say("not_counts"))
    found: dict[str, Availability] = {}
    for entry in as_objects(body.get(name), name):
        if entry.get("id") != place.id:
            raise MalformedAnswer(say("place_not_asked"))
        for record in as_objects(entry.get("records"), "records"):
            sku = as_text(record.get("sku"), "A SKU in records")
            counts = Availability(place, sku, *_counts(record))
            if sku not in skus:
                raise MalformedAnswer(say("sku_not_asked"))
            if found.setdefault(sku, counts) != counts:
                raise MalformedAnswer(say("two_answers"))
    return list(found.values())


def _counts(record: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    def count(name: str) -> Decimal:
        return as_quantity(record.get(name), name, rounded=True)

    return count("ato"), count("atf"), count("onHand"), count("reserved"), count("safetyStockCount")

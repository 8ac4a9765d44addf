"""Feeds of stock: full exports and the changes since (OCI contract 2.3, 2.5).

Like `client`, nothing here waits, retries or remembers. Its calls never speak for the connection:
an export that hangs says nothing about reservations, so that no observer counts them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any
from urllib.parse import quote

from reconciliation.oci.answers import json_of
from reconciliation.oci.caller import Call, Caller, OciConfig
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import MalformedAnswer
from reconciliation.oci.futures import deliveries_of
from reconciliation.oci.jsontext import as_object, as_objects, as_quantity, as_text, write_json
from reconciliation.oci.transport import HttpAnswer, Transport
from reconciliation.reasons import say

# A line is some 200 bytes: ten million SKUs.
MOST_OF_A_FILE = 2_000_000_000
_LONGEST_LINE = 100_000
# What is exported.
STOCK = "availability-records/exports"
DOCUMENTS = "reservations/exports"
_LONGEST_DOCUMENT = 5_000_000
_MOST_TOKEN = 20_000
_ZERO = Decimal(0)
_PLAIN = 999_999_999
# Made once: `json.loads` makes one for each line.
_DECODER = json.JSONDecoder(parse_float=Decimal)

# OCI's way to say that a SKU never runs out (see orders.models.inventory).
UNLIMITED = Decimal(999_999_999)


class ExportStatus(StrEnum):
    """Where an export is: the statuses of OCI as far as they differ for us."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ExportState:
    """The answer to a status request.

    `sha256` is that of the file, empty if OCI gives none; `records` is None if OCI does not say how
    many it wrote.
    """

    status: ExportStatus
    sha256: str = ""
    records: int | None = None


@dataclass(frozen=True, slots=True)
class StockLine:
    """The stock of one SKU at one place in a feed. `gone`: no longer sold there.

    `deliveries` are its futures: what is expected at which moment, earliest first.
    """

    sku: str
    ato: Decimal
    safety_stock: Decimal
    gone: bool = False
    deliveries: tuple[tuple[datetime, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Deltas:
    """Changes since a token, in OCI's order; `again`: there are more to request."""

    token: str
    again: bool
    lines: list[StockLine]


class FeedClient:
    """Calls the feeds of stock. Every method raises the errors of `OciClient`'s."""

    def __init__(self, config: OciConfig, *, transport: Transport | None = None) -> None:
        """`config.scope` has the scopes of availability and of exports."""
        self._caller = Caller(config, observer=None, transport=transport)

    def start_export(self, place: Place) -> str:
        """Have a full export of one place made; return its id."""
        name = "groups" if place.kind == PlaceKind.GROUP else "locations"
        body = write_json({"objects": {name: [place.id]}})

        def read(answer: HttpAnswer, _correlation_id: str) -> str:
            found = as_object(json_of(answer), "The answer")
            return as_text(found.get("exportId"), "exportId")[:200]

        return self._caller.call(Call("export", "POST", self._exports(), body, (200,)), read)

    def start_document_export(self, *, is_open: bool, since: datetime, until: datetime) -> str:
        """Have the reservation documents exported that were made between two moments."""
        body = write_json(
            {
                "status": "open" if is_open else "closed",
                "fromDate": since.astimezone(UTC).isoformat(),
                "toDate": until.astimezone(UTC).isoformat(),
            }
        )

        def read(answer: HttpAnswer, _correlation_id: str) -> str:
            found = as_object(json_of(answer), "The answer")
            return as_text(found.get("exportId"), "exportId")[:200]

        url = self._exports(of=DOCUMENTS)
        return self._caller.call(Call("export", "POST", url, body, (200,)), read)

    def export_state(self, export_id: str, *, of: str = STOCK) -> ExportState:
        """Return where an export is."""

        def read(answer: HttpAnswer, _correlation_id: str) -> ExportState:
            return _state_of(as_object(json_of(answer), "The answer"))

        url = self._exports(export_id, "status", of=of)
        return self._caller.call(Call("export_status", "GET", url, "", (200,)), read)

    def download_export(
        self,
        export_id: str,
        sink: Callable[[bytes], object],
        *,
        seconds: float,
        of: str = STOCK,
    ) -> None:
        """Hand the file of an export that is done to `sink`, piece by piece, within `seconds`."""
        call = Call(
            "export_file",
            "GET",
            self._exports(export_id, "file-content", of=of),
            "",
            (200,),
            limit=seconds,
            sink=sink,
            most=MOST_OF_A_FILE,
        )
        self._caller.call(call, lambda _answer, _correlation_id: None)

    def get_deltas(self, *, place: Place, token: str) -> Deltas:
        """Return what changed at a place since `token`, which is of an export of that place."""
        url = self._caller.url("availability", "availability-records/actions/get-deltas")

        def read(answer: HttpAnswer, _correlation_id: str) -> Deltas:
            return _deltas_of(as_object(json_of(answer), "The answer"), place)

        call = Call("deltas", "POST", url, write_json({"deltaToken": token}), (200,))
        return self._caller.call(call, read)

    def close(self) -> None:
        """Close idle connections."""
        self._caller.close()

    def _exports(self, *parts: str, of: str = STOCK) -> str:
        path = "/".join([of, *(quote(part, safe="") for part in parts)])
        return self._caller.url("impex", path)


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """A reservation document in OCI's export: its units by place and SKU."""

    reservation_id: str
    external_ref_id: str
    held: Mapping[tuple[Place, str], Decimal]


def document_lines(file: IO[bytes]) -> Iterator[HeldDocument]:
    """Read the file of an export of reservation documents; raises MalformedAnswer."""
    for raw in iter(lambda: file.readline(_LONGEST_DOCUMENT + 1), b""):
        if not raw.strip():
            continue
        if len(raw) > _LONGEST_DOCUMENT:
            raise MalformedAnswer(say("feed_no_end"))
        line = _object_in(raw)
        held: dict[tuple[Place, str], Decimal] = {}
        for detail in as_objects(line.get("reservationDetails"), "reservationDetails"):
            kind = PlaceKind.GROUP if "group" in detail else PlaceKind.LOCATION
            place = Place(kind, as_text(detail.get(str(kind)), str(kind)))
            key = (place, as_text(detail.get("sku"), "A SKU"))
            held[key] = held.get(key, Decimal(0)) + _count(detail, "quantity")
        yield HeldDocument(
            as_text(line.get("reservationId"), "reservationId"),
            str(line.get("externalRefId") or ""),
            held,
        )


def export_lines(file: IO[bytes], *, place: Place) -> Iterator[StockLine | str]:
    """Read the file of an export of one place line by line: its stock, and last the delta token.

    Raises MalformedAnswer, also for a file that ends without a token: its end is missing.
    """
    own, above, token = f"{place.kind}Id", "", ""
    for raw in iter(lambda: file.readline(_LONGEST_LINE + 1), b""):
        if not raw.strip():
            continue
        if token or len(raw) > _LONGEST_LINE:
            raise MalformedAnswer(say("feed_no_end"))
        line = _object_in(raw)
        if "deltaToken" in line:
            token = as_text(line["deltaToken"], "deltaToken")
            continue
        if "sku" not in line:
            if "groupId" not in line and "locationId" not in line:
                raise MalformedAnswer(say("feed_odd_line"))
            above = as_text(line.get(own), own)
        if (line.get(own) or above) != place.id:
            raise MalformedAnswer(say("place_not_asked"))
        if "sku" in line:
            yield _stock_of(line)
    if not token or len(token) > _MOST_TOKEN:
        raise MalformedAnswer(say("feed_cut_off"))
    yield token


def ato_of(*, ato: Decimal, on_hand: Decimal) -> Decimal:
    """Return what may be promised: a SKU whose stock is OCI's largest number never runs out."""
    return UNLIMITED if on_hand >= UNLIMITED else ato


def _object_in(raw: bytes) -> Mapping[str, Any]:
    try:
        return as_object(_DECODER.decode(raw.decode()), "A line")
    except (ValueError, ArithmeticError, RecursionError):
        raise MalformedAnswer(say("feed_not_json")) from None


def _stock_of(line: Mapping[str, Any]) -> StockLine:
    # Older files call the stock on hand qoh (contract 2.5).
    on_hand = _count(line, "onHand") or _count(line, "qoh")
    return StockLine(
        sku=as_text(line.get("sku"), "A SKU"),
        ato=ato_of(ato=_count(line, "ato"), on_hand=on_hand),
        safety_stock=_count(line, "safetyStockCount"),
        deliveries=deliveries_of(line.get("futures")),
    )


def _count(line: Mapping[str, Any], name: str) -> Decimal:
    """Return a count; a feed omits zeros, or has null (contract 2.3)."""
    value = line.get(name)
    if value is None:
        return _ZERO
    # Nearly every count is a whole number within bounds, and there are millions of them.
    if type(value) is int and 0 <= value <= _PLAIN:
        return Decimal(value)
    return as_quantity(value, name, rounded=True)


def _deltas_of(body: Mapping[str, Any], place: Place) -> Deltas:
    again = body.get("shouldQueryAgain")
    if not isinstance(again, bool):
        raise MalformedAnswer(say("feed_no_again"))
    token = as_text(body.get("nextDeltaToken"), "nextDeltaToken")
    if len(token) > _MOST_TOKEN:
        raise MalformedAnswer(say("feed_token_too_long"))
    lines = []
    for record in as_objects(body.get("records"), "records"):
        # A record does not say of which kind its place is; the token is of one place alone.
        if as_text(record.get("id"), "The id of a record") != place.id:
            continue
        kind = record.get("deltaType")
        if kind == "Delete":
            sku = as_text(record.get("sku"), "A SKU")
            lines.append(StockLine(sku, Decimal(0), Decimal(0), gone=True))
        elif kind == "Change":
            lines.append(_stock_of(record))
        else:
            raise MalformedAnswer(say("feed_odd_delta"))
    return Deltas(token, again, lines)


def _state_of(body: Mapping[str, Any]) -> ExportState:
    status = as_text(body.get("status"), "status")
    if status in ("FAILED", "STOPPED", "EXPIRED"):
        return ExportState(ExportStatus.FAILED)
    if status != "COMPLETED":
        return ExportState(ExportStatus.RUNNING)
    checks = _members(body.get("validation"))
    records = _members(body.get("export")).get("recordsExportedCount")
    found = str(checks.get("fileHash") or "").lower()
    return ExportState(
        ExportStatus.COMPLETED,
        sha256=found if re.fullmatch(r"[0-9a-f]{64}", found) else "",
        records=_whole(records),
    )


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""Reservation documents: requested units, held units, and state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .amounts import iso, number_of

Kind = Literal["group", "location"]
State = Literal["OPEN", "CANCELLED", "EXPIRED"]


class Refused(Exception):
    """A call that OCI refuses, with the problem body (OCI contract 1.7)."""

    def __init__(self, status: int, code: str, message: str, **members: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.members = members


@dataclass(frozen=True, slots=True)
class Ask:
    """One line of a request: thousandths of a SKU at a place, maybe in an all-or-nothing set."""

    kind: Kind
    place: str
    sku: str
    quantity: int
    set_id: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The body of PUT reservation-documents, parsed and checked (OCI contract 1.3)."""

    asks: tuple[Ask, ...]
    external_ref: str = ""
    allow_partial: bool = True
    fulfill_only: bool = False
    expiration_seconds: int | None = None
    reservation_time: str | None = None


@dataclass(slots=True)
class Line:
    """A document's units of one SKU at one place, in thousandths."""

    kind: Kind
    place: str
    sku: str
    asked: int
    held: int

    def as_dict(self) -> dict[str, object]:
        """The line as the control API shows it."""
        return {
            self.kind: self.place,
            "sku": self.sku,
            "asked": number_of(self.asked),
            "held": number_of(self.held),
        }


@dataclass(slots=True)
class Document:
    """One stored document; ``answer`` is the 200 body of its first call."""

    reservation_id: str
    request: Request
    created: float
    lines: list[Line]
    answer: dict[str, Any]
    expires: float | None = None
    state: State = "OPEN"

    def as_dict(self) -> dict[str, object]:
        """The document as the control API shows it."""
        return {
            "reservationId": self.reservation_id,
            "externalRefId": self.request.external_ref,
            "state": self.state,
            "created": iso(self.created),
            "lines": [line.as_dict() for line in self.lines],
        }


@dataclass(slots=True)
class Store:
    """All documents by id and by external reference."""

    by_id: dict[str, Document] = field(default_factory=dict)
    by_reference: dict[str, list[Document]] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        """Keep a new document."""
        self.by_id[document.reservation_id] = document
        self.by_reference.setdefault(document.request.external_ref, []).append(document)

    def follow(
        self,
        reference: str,
        source: tuple[Kind, str],
        target: tuple[Kind, str] | None,
        sku: str,
        quantity: int,
    ) -> None:
        """Apply quantity moved or taken by record to the open documents of an order.

        The record calls act on counts and name no document (contract 1.6). Matching by external
        reference keeps a later cancel from returning units that the order no longer holds there.
        """
        for document in self.by_reference.get(reference, []) if reference else []:
            if document.state != "OPEN":
                continue
            for line in list(document.lines):
                if (line.kind, line.place, line.sku) != (*source, sku) or not line.held:
                    continue
                part = min(quantity, line.held)
                line.held -= part
                quantity -= part
                if target and part:
                    document.lines.append(Line(target[0], target[1], sku, 0, part))


def answer_of(
    request: Request,
    held: Mapping[Ask, int],
    unknown: set[Ask],
    *,
    show_errors: bool,
    now: float,
    expires: float | None,
) -> dict[str, Any]:
    """The 200 body of PUT (OCI contract 1.4): its details list only the held units."""
    short_everywhere = not any(held.values())
    refused = not request.allow_partial and any(held[ask] < ask.quantity for ask in request.asks)
    body: dict[str, Any] = {
        "reservationTime": request.reservation_time or iso(now),
        "success": not short_everywhere and not refused,
    }
    if expires is not None:
        body["expirationTime"] = iso(expires)
    for kind in ("group", "location"):
        places: dict[str, dict[str, Any]] = {}
        for ask in (ask for ask in request.asks if ask.kind == kind):
            place = places.setdefault(ask.place, {"id": ask.place, "details": []})
            if held[ask]:
                place["details"].append({"sku": ask.sku, "quantity": number_of(held[ask])})
            code = _error_of(
                ask, held[ask], ask in unknown, show_errors or not request.allow_partial
            )
            if code:
                place.setdefault("errors", []).append({"sku": ask.sku, "errorCode": code})
        if places:
            body[f"{kind}s"] = list(places.values())
    return body


def _error_of(ask: Ask, held: int, unknown: bool, show_errors: bool) -> str | None:
    if unknown:
        return "Unknown"
    return "InsufficientQuantity" if show_errors and held < ask.quantity else None

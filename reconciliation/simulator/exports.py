"""Exports of stock, documents, places and changes over HTTP (OCI contract 2.5)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import request_reader
from .amounts import epoch, iso, number_of
from .answers import Answer, json_answer
from .api_stock import delta_token
from .books import Books
from .documents import Document, Kind, Refused

# How long a file can be downloaded, in seconds.
LINK_SECONDS = 3600
_MEMBERS: dict[str, Kind] = {"groups": "group", "locations": "location"}


@dataclass(slots=True)
class Export:
    """One export; its file is written at the first request after it is due."""

    kind: Kind
    places: list[str]
    started: float
    due: float
    fails: bool
    truncated: bool
    # writes the lines of exports other than stock
    write: Callable[[], list[dict[str, Any]]] | None = None
    ended: float = 0.0
    lines: int = 0
    content: bytes = b""


class Exports:
    """Every export that was started; kept until the process ends."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._exports: dict[str, Export] = {}

    def start(self, path: str, raw: bytes) -> Answer:
        """POST exports: all SKUs of groups, or of locations."""
        objects = request_reader.body_object(raw).get("objects")
        objects = objects if isinstance(objects, dict) else {}
        named = [name for name in _MEMBERS if objects.get(name)]
        if len(named) != 1 or not isinstance(objects[named[0]], list):
            raise request_reader.refuse(
                "Name groups or locations, not both", "objects", "InvalidRequestParameter"
            )
        kind = _MEMBERS[named[0]]
        places = [request_reader.place(place, named[0]) for place in objects[named[0]]]
        self._books.check_places([(kind, place) for place in places])
        return self._started(path, kind, places, None)

    def start_documents(self, path: str, raw: bytes) -> Answer:
        """POST reservations/exports: the documents that are open, or closed, in a period."""
        body = request_reader.body_object(raw)
        if body.get("status") not in ("open", "closed"):
            raise request_reader.refuse(
                "status takes open or closed", "status", "InvalidRequestParameter"
            )
        first = request_reader.moment(body.get("fromDate"), "fromDate")
        last = request_reader.moment(body.get("toDate"), "toDate")
        if first is None:
            raise request_reader.refuse(
                "fromDate is required", "fromDate", "InvalidRequestParameter"
            )
        until = epoch(last) if last else self._books.clock()
        is_open, since = body["status"] == "open", epoch(first)
        return self.start_lines(path, lambda: self._documents(is_open, since, until))

    def start_graph(self, path: str) -> Answer:
        """POST location-graph exports: all locations, and all groups with theirs, in one line."""
        graph = self._books.graph
        groups = [{"id": name, "locations": list(own)} for name, own in graph.groups.items()]
        line = {"locations": sorted(graph.known_locations), "groups": groups}
        return self.start_lines(path, lambda: [line])

    def start_events(self, path: str, raw: bytes) -> Answer:
        """POST event-log exports: when counts of a SKU changed; its layout is not published."""
        body = request_reader.body_object(raw)
        sku = request_reader.sku(body.get("sku"))
        places = body.get("locations") or []
        if not isinstance(places, list):
            raise request_reader.refuse(
                "locations must be a list", "locations", "InvalidRequestParameter"
            )
        for place in places:
            self._books.check_places([("location", request_reader.place(place, "locations"))])
        span = []
        for name in ("startsOn", "endsOn"):
            moment = request_reader.moment(body.get(name), name)
            if moment is None:
                raise request_reader.refuse(f"{name} is required", name, "InvalidRequestParameter")
            span.append(epoch(moment))
        return self.start_lines(path, lambda: self._events(sku, *span))

    def start_lines(self, path: str, write: Callable[[], list[dict[str, Any]]]) -> Answer:
        """Start an export; ``write`` produces its lines once it is due."""
        return self._started(path, "group", [], write)

    def delete(self, export_id: str) -> Answer:
        """DELETE an export: 204, or 404 if there is none."""
        if self._exports.pop(export_id, None) is None:
            raise Refused(404, "EntityNotFound", "There is no such export")
        return Answer(204, changed=True)

    def _started(
        self,
        path: str,
        kind: Kind,
        places: list[str],
        write: Callable[[], list[dict[str, Any]]] | None,
    ) -> Answer:
        settings, now = self._books.settings, self._books.clock()
        export_id = str(uuid.uuid4())
        self._exports[export_id] = Export(
            kind,
            places,
            started=now,
            due=now + settings.exportDelayMs / 1000,
            fails=settings.exportStyle == "fails",
            truncated=settings.exportStyle == "truncated",
            write=write,
        )
        link = f"{path}/{export_id}/status"
        return json_answer(200, {"exportId": export_id, "exportStatusLink": link}, changed=True)

    def status(self, path: str, export_id: str) -> Answer:
        """GET status: the state of an export, and once it is done, how to check the file."""
        export = self._ready(export_id)
        body: dict[str, Any] = {"id": export_id, "status": self._status(export)}
        if body["status"] == "COMPLETED":
            body["export"] = {
                "startTimeUTC": iso(export.started),
                "endTimeUTC": iso(export.ended),
                "recordsProcessedCount": export.lines,
                "recordsExportedCount": export.lines,
                f"{export.kind}s": export.places,
            }
            body["download"] = {
                "downloadLink": path.removesuffix("status") + "file-content",
                "downloadLinkExpirationUTC": iso(export.ended + LINK_SECONDS),
            }
            body["validation"] = {
                "fileHashType": "SHA-256",
                "fileHash": hashlib.sha256(export.content).hexdigest(),
                "fileSize": len(export.content),
            }
        return json_answer(200, body)

    def content(self, export_id: str) -> Answer:
        """GET file-content: the lines of the file; 409 before it is done, 410 after it expires."""
        export = self._ready(export_id)
        if self._status(export) != "COMPLETED":
            raise Refused(409, "ExportInProcess", "The export is not done")
        if self._books.clock() > export.ended + LINK_SECONDS:
            raise Refused(410, "ExpiredResultLink", "The link is no longer available")
        return Answer(200, export.content, "application/json")

    def _status(self, export: Export) -> str:
        if not export.ended:
            return "RUNNING"
        return "FAILED" if export.fails else "COMPLETED"

    def _ready(self, export_id: str) -> Export:
        export = self._exports.get(export_id)
        if export is None:
            raise Refused(404, "EntityNotFound", "There is no such export")
        with self._books.lock:
            if not export.ended and self._books.clock() >= export.due:
                export.ended = self._books.clock()
                self._write(export)
        return export

    def _write(self, export: Export) -> None:
        """Write the file as a reader sees the books now, with the token to continue from."""
        self._books.sweep()
        if export.write is None:
            lines = self._stock(export)
        else:
            lines = export.write()
            export.lines = len(lines)
        texts = [json.dumps(line, separators=(",", ":")) + "\n" for line in lines]
        # A truncated file that still looks complete: its hash is that of the rest.
        kept = texts[: len(texts) // 2] if export.truncated else texts
        export.content = "".join(kept).encode()

    def _documents(self, is_open: bool, first: float, last: float) -> list[dict[str, Any]]:
        return [
            _document_line(document)
            for document in self._books.documents.by_id.values()
            if (document.state == "OPEN") is is_open and first <= document.created <= last
        ]

    def _events(self, sku: str, first: float, last: float) -> list[dict[str, Any]]:
        return [
            {"sku": changed, "timestamp": iso(at)}
            for _, at, changed in self._books.changes
            if changed == sku and first <= at <= last
        ]

    def _stock(self, export: Export) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for place in export.places:
            lines.append({f"{export.kind}Id": place})
            for sku in sorted(self._books.skus):
                figures = self._books.figures(export.kind, place, sku)
                if figures is not None:
                    export.lines += 1
                    lines.append(figures)
        scope = (export.kind, export.places[0]) if len(export.places) == 1 else None
        token = delta_token(self._books.seen_number(), self._books.clock(), scope)
        lines.append({"deltaToken": token})
        return lines


def _document_line(document: Document) -> dict[str, Any]:
    return {
        "reservationId": document.reservation_id,
        "externalRefId": document.request.external_ref,
        "reservationTime": int(document.created * 1000),
        "reservationState": "OPEN" if document.state == "OPEN" else "CLOSED",
        "reservationDetails": [
            {
                line.kind: line.place,
                "sku": line.sku,
                "quantity": number_of(line.held),
                "reservationDetailActions": [
                    {
                        "requestId": document.reservation_id,
                        "action": "Reserved",
                        "quantity": number_of(line.held),
                        line.kind: line.place,
                        "timestamp": str(int(document.created * 1000)),
                    }
                ],
            }
            for line in document.lines
        ],
    }

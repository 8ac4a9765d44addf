"""Imports of stock and of product segmentation over HTTP (OCI contract 2.5).

Submitted, uploaded as a form with one file, then done at once.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import uuid
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from . import request_reader
from .amounts import iso
from .answers import Answer, json_answer
from .api_stock import futures
from .books import Books
from .documents import Refused
from .stock import Record

MOST_BYTES = 100_000_000
MOST_MINUTES = 7 * 24 * 60
_BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?([^";]+)"?', re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Import:
    """One import; ``failures`` are the failed records as in the result file.

    Its file can be uploaded once, before ``expires``.
    """

    subject: str
    started: float
    expires: float
    ended: float = 0.0
    records: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def status(self, now: float) -> str:
        """Its state, in the API's words."""
        if self.ended:
            return "COMPLETED"
        return "STAGING" if now <= self.expires else "EXPIRED"


class Imports:
    """Every import that was started, and the imported product segmentation."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._imports: dict[str, Import] = {}
        self._segmentation: list[dict[str, Any]] = []

    def start(self, path: str, subject: str, raw: bytes) -> Answer:
        """POST imports: the links for the upload and the status; the body is optional."""
        body = request_reader.body_object(raw) if raw.strip() else {}
        minutes = body.get("linkDuration", 60)
        if type(minutes) is not int or not 1 <= minutes <= MOST_MINUTES:
            raise request_reader.refuse(
                f"linkDuration takes 1 to {MOST_MINUTES} minutes", "linkDuration"
            )
        import_id, now = str(uuid.uuid4()), self._books.clock()
        expires = now + minutes * 60
        self._imports[import_id] = Import(subject, started=now, expires=expires)
        links = {
            "importId": import_id,
            "importStatusLink": f"{path}/{import_id}/status",
            "uploadLink": f"{path}/uploadlink/{import_id}",
            "uploadMethod": "POST",
            "uploadLinkExpirationUTC": iso(expires),
        }
        return json_answer(200, links, changed=True)

    def upload(self, import_id: str, content_type: str, raw: bytes) -> Answer:
        """POST to the upload link: a form with one file of JSON lines, plain or gzipped.

        A second file is refused, and so is one that comes after the link has expired.
        """
        found = self._found(import_id)
        if found.ended:
            raise Refused(409, "FileAlreadyReceived", "The import has its file already")
        if found.status(self._books.clock()) == "EXPIRED":
            raise Refused(410, "ExpiredUploadLink", "The link is no longer available")
        for line in _file_of(content_type, raw).removeprefix(_BOM).splitlines():
            if line.strip():
                found.records += 1
                problem = self._record(found.subject, line)
                if problem is not None:
                    found.failures.append(problem)
        found.ended = self._books.clock()
        return json_answer(200, {"importId": import_id, "status": "COMPLETED"}, changed=True)

    def listed(self, subject: str) -> Answer:
        """GET imports: those of stock, or of product segmentation."""
        now = self._books.clock()
        rows = [
            {"importId": import_id, "status": one.status(now), "startTimeUTC": iso(one.started)}
            for import_id, one in self._imports.items()
            if one.subject == subject
        ]
        return json_answer(200, {"imports": rows})

    def status(self, path: str, import_id: str) -> Answer:
        """GET status: the state of an import, and the link to its results once it is done."""
        found = self._found(import_id)
        body: dict[str, Any] = {"id": import_id, "status": found.status(self._books.clock())}
        if found.ended:
            body["import"] = {
                "startTimeUTC": iso(found.started),
                "endTimeUTC": iso(found.ended),
                "recordsProcessedCount": found.records,
                "recordsFailedCount": len(found.failures),
                "fullResults": {"href": path.removesuffix("status") + "file-content"},
            }
        return json_answer(200, body)

    def result(self, import_id: str) -> Answer:
        """GET file-content: the overall result, then a line for each failed record."""
        found = self._found(import_id)
        if not found.ended:
            raise Refused(409, "ImportInProcess", "The import is not done")
        words = "COMPLETED_WITHOUT_ERRORS"
        if found.failures:
            failed = len(found.failures) == found.records
            words = "FAILED" if failed else "COMPLETED_WITH_PARTIAL_FAILURES"
        lines = [{"status": words}, *found.failures]
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        return Answer(200, text.encode(), "application/json")

    def delete(self, import_id: str) -> Answer:
        """DELETE an import of any kind."""
        self._found(import_id)
        del self._imports[import_id]
        return Answer(204, changed=True)

    def segmentation(self) -> list[dict[str, Any]]:
        """The imported lines of product segmentation, which has no published layout."""
        return list(self._segmentation)

    def _found(self, import_id: str) -> Import:
        found = self._imports.get(import_id)
        if found is None:
            raise Refused(404, "EntityNotFound", "There is no such import")
        return found

    def _record(self, subject: str, line: bytes) -> dict[str, Any] | None:
        """Process one line; return its line in the result file if it failed."""
        body: dict[str, Any] = {}
        try:
            body = request_reader.body_object(line)
            if subject == "product-segmentation":
                self._segmentation.append(body)
            else:
                self._stock(body)
        except Refused as refused:
            named = {name: body.get(name) for name in ("recordId", "locationId", "sku")}
            return named | {"message": refused.message}
        return None

    def _stock(self, body: dict[str, Any]) -> None:
        if not isinstance(body.get("recordId"), str):
            raise request_reader.refuse("recordId is required", "recordId")
        location = request_reader.place(body.get("locationId"), "locationId")
        sku = request_reader.sku(body.get("sku"))
        self._books.check_places([("location", location)])
        change: dict[str, Any] = {}
        for name, member in (("on_hand", "onHand"), ("safety", "safetyStockCount")):
            if body.get(member) is not None:
                change[name] = request_reader.quantity(body[member], member, least=0)
        if body.get("effectiveDate") is not None:
            change["effective"] = request_reader.moment(body["effectiveDate"], "effectiveDate")
        if body.get("futures") is not None:
            change["futures"] = futures(body["futures"], "futures")
        with self._books.lock:
            book = self._books.skus.get(sku)
            old = book.records.get(location) if book else None
            self._books.write_stock(location, sku, replace(old or Record(), **change))


def _file_of(content_type: str, raw: bytes) -> bytes:
    """The uncompressed file in a form."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise request_reader.refuse("Send a form (multipart/form-data) with one file")
    # A delimiter begins a line; the same text within a line belongs to the file.
    parts = (b"\r\n" + raw).split(b"\r\n--" + match[1].encode())
    heads = [part.partition(b"\r\n\r\n") for part in parts[1:-1]]
    if len(heads) != 1 or not heads[0][1]:
        raise request_reader.refuse("Send a form (multipart/form-data) with one file")
    content = heads[0][2]
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            content = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise request_reader.refuse("The file is no gzip") from None
    if len(content) > MOST_BYTES:
        raise request_reader.refuse("The file is too long")
    return content

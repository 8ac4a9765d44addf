"""Every operation of the described API: from a request to an answer, without faults."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from . import api_records, api_stock, request_reader
from .answers import Answer, gateway_problem, json_answer, oci_problem, too_many, unauthorized
from .books import Books
from .documents import Refused
from .exports import Exports
from .imports import Imports
from .settings import Settings
from .tokens import Tokens

TOKEN_PATHS = ("/dwsso/oauth2/access_token", "/dw/oauth2/access_token")
_RESERVATION = "/inventory/reservation/v1/organizations/(?P<tenant>[^/]+)/"
_AVAILABILITY = "/inventory/availability/v1/organizations/(?P<tenant>[^/]+)/"
_RECORD = (
    _AVAILABILITY
    + "locations/(?P<location>[^/]+)/availability-records/skus/(?P<sku>[^/]+)/(?P<request>[^/]+)"
)
_DOCUMENT = _RESERVATION + "reservation-documents/(?P<document>[^/]+)"
_ACTIONS = _AVAILABILITY + "availability-records/actions/"
_IMPEX = "/inventory/impex/v1/organizations/(?P<tenant>[^/]+)/"
_EXPORTS = {
    "export": _IMPEX + "availability-records/exports",
    "export-reservations": _IMPEX + "reservations/exports",
    "export-graph": _IMPEX + "location-graph/exports",
    "export-segmentation": _IMPEX + "product-segmentation/exports",
    "export-events": _IMPEX + "event-log/exports",
}
_ANY_EXPORT = (
    _IMPEX
    + "(availability-records|reservations|location-graph|product-segmentation|event-log)"
    + "/exports/(?P<export>[^/]+)"
)
_IMPORTS = _IMPEX + "(?P<subject>availability-records|product-segmentation)/imports"
_IMPORT = _IMPORTS + "/(?P<import>[^/]+)"
_ROUTES = tuple(
    (method, re.compile(path), operation)
    for method, path, operation in (
        ("PUT", _DOCUMENT, "put"),
        ("PATCH", _DOCUMENT, "patch"),
        ("POST", _RESERVATION + "transfers", "transfers"),
        ("POST", _RESERVATION + "releases", "releases"),
        ("POST", _RESERVATION + "fulfillments", "fulfillments"),
        ("POST", _ACTIONS + "get-availability", "availability"),
        ("POST", _ACTIONS + "get-deltas", "deltas"),
        ("POST", _ACTIONS + "batch-update", "batch-update"),
        ("PUT", _RECORD, "stock-put"),
        ("PATCH", _RECORD, "stock-patch"),
        ("DELETE", _RECORD, "stock-delete"),
        *(("POST", path, operation) for operation, path in _EXPORTS.items()),
        ("GET", _ANY_EXPORT + "/status", "export-status"),
        ("GET", _ANY_EXPORT + "/file-content", "export-file"),
        ("DELETE", _ANY_EXPORT, "export-delete"),
        ("POST", _IMPORTS, "import"),
        ("GET", _IMPORTS, "import-list"),
        ("POST", _IMPORTS + "/uploadlink/(?P<import>[^/]+)", "import-upload"),
        ("GET", _IMPORT + "/status", "import-status"),
        ("GET", _IMPORT + "/file-content", "import-result"),
        ("DELETE", _IMPORT, "import-delete"),
    )
)
_IMPEX_READS = frozenset({"sfcc.inventory.impex-inventory", "sfcc.inventory.impex-inventory.rw"})
_IMPEX_WRITES = frozenset({"sfcc.inventory.impex-inventory.rw"})
_GRAPHS = frozenset({"sfcc.inventory.impex-graphs", "sfcc.inventory.impex-graphs.rw"})
_EVENTS = frozenset({"sfcc.inventory.impex-event-log"})
_AVAILABILITY_READS = frozenset({"sfcc.inventory.availability", "sfcc.inventory.availability.rw"})
# A token needs one of these scopes, by operation; all other operations write stock.
_SCOPES: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("put", "patch", "transfers", "releases", "fulfillments"),
        frozenset({"sfcc.inventory.reservations.rw"}),
    ),
    **dict.fromkeys(("availability", "deltas"), _AVAILABILITY_READS),
    **dict.fromkeys(
        ("export", "export-segmentation", "import-list", "import-status", "import-result"),
        _IMPEX_READS,
    ),
    **dict.fromkeys(
        ("export-reservations", "import", "import-upload", "import-delete"), _IMPEX_WRITES
    ),
    "export-graph": _GRAPHS,
    "export-events": _EVENTS,
    # The scopes depend on the kind of export.
    **dict.fromkeys(
        ("export-status", "export-file", "export-delete"), _IMPEX_READS | _GRAPHS | _EVENTS
    ),
}
_WRITES_STOCK = frozenset({"sfcc.inventory.availability.rw"})


@dataclass(frozen=True, slots=True)
class Call:
    """A routed request. ``parts`` are the decoded pieces of the path, ``query`` is undecoded."""

    operation: str
    method: str
    path: str
    parts: Mapping[str, str]
    query: str = ""


def route(method: str, path: str) -> Call | None:
    """Find the operation of a request; None if the API has none at this path."""
    # A base address may end in a slash, so the path may begin with two.
    path, _, query = path.partition("?")
    path = "/" + path.lstrip("/")
    if path in TOKEN_PATHS:
        return Call("token", method, path, {}, query) if method == "POST" else None
    for wanted, pattern, operation in _ROUTES:
        match = pattern.fullmatch(path) if method == wanted else None
        if match:
            parts = _decoded(match.groupdict())
            return None if parts is None else Call(operation, method, path, parts, query)
    return None


def _decoded(parts: Mapping[str, str]) -> dict[str, str] | None:
    """Decode the pieces of a path; None if they are not UTF-8."""
    try:
        return {name: unquote(value, errors="strict") for name, value in parts.items()}
    except UnicodeDecodeError:
        return None


class Api:
    """The service without faults."""

    def __init__(
        self, *, books: Books, tokens: Tokens, settings: Settings, tenant_group_id: str
    ) -> None:
        self.books = books
        self.tokens = tokens
        self.settings = settings
        self.tenant_group_id = tenant_group_id
        self.exports = Exports(books)
        self.imports = Imports(books)
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()
        self._window = (0, 0)

    @contextmanager
    def in_flight(self, call: Call) -> Iterator[bool]:
        """Mark a document as in progress; False if another call is working on it."""
        key = call.parts.get("document", "")
        if not key:
            yield True
            return
        with self._lock:
            mine = key not in self._in_flight
            self._in_flight.add(key)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._in_flight.discard(key)

    def busy(self, call: Call) -> Answer:
        """The answer while another request works on the same document (contract 1.7)."""
        if call.operation == "put":
            text = "Another request for this reservation is being processed"
            return oci_problem(Refused(409, "ReservationOperationInProcess", text))
        return oci_problem(Refused(409, "ConcurrentModification", "The reservation is changing"))

    def answer(self, call: Call, headers: Mapping[str, str], raw: bytes) -> Answer:
        """Carry a call out."""
        if call.operation == "token":
            return self.tokens.issue(headers, raw, call.query)
        refusal = self._gate(call, headers)
        if refusal is not None:
            return refusal
        try:
            if call.operation.startswith(("export", "import")):
                answer = self._impex(call, headers, raw)
            else:
                answer = self._operation(call, raw)
        except Refused as refused:
            answer = oci_problem(refused)
        return self._with_rate(answer)

    def _gate(self, call: Call, headers: Mapping[str, str]) -> Answer | None:
        scopes = self.tokens.scopes_of(headers.get("Authorization", ""))
        if scopes is None:
            return unauthorized(int(self.settings.authFailureStatus))
        needed = _SCOPES.get(call.operation, _WRITES_STOCK)
        feeds = call.operation.startswith(("export", "import")) or call.operation == "deltas"
        if feeds and self.settings.impex == "absent":
            return gateway_problem(404, "not-found", "Not Found", "There is no such resource")
        if not scopes & needed or (feeds and self.settings.impex == "forbidden"):
            return gateway_problem(
                403, "forbidden", "Forbidden", f"The token lacks the scope {min(needed)}"
            )
        if call.parts["tenant"] != self.tenant_group_id:
            return self.not_provisioned()
        return self._over_rate()

    def not_provisioned(self) -> Answer:
        """403 for a tenant group that this client may not use."""
        text = "This client has no access to that tenant group"
        return oci_problem(Refused(403, "TenantNotProvisioned", text))

    def _over_rate(self) -> Answer | None:
        limit = self.settings.rateLimitPerMinute
        if not limit:
            return None
        now = int(time.time())
        with self._lock:
            minute, used = self._window
            used = used + 1 if minute == now // 60 else 1
            self._window = (now // 60, used)
        return too_many(60 - now % 60) if used > limit else None

    def _with_rate(self, answer: Answer) -> Answer:
        limit = self.settings.rateLimitPerMinute
        if limit and answer.status in (200, 204, 400, 409):
            minute, used = self._window
            answer.headers["X-RateLimit-Limit"] = str(limit)
            answer.headers["X-RateLimit-Remaining"] = str(max(0, limit - used))
            answer.headers["X-RateLimit-Reset"] = str((minute + 1) * 60)
        return answer

    def _operation(self, call: Call, raw: bytes) -> Answer:
        books, parts = self.books, call.parts
        simple: dict[str, Callable[[Books, bytes], Answer]] = {
            "transfers": api_records.transfers,
            "releases": api_records.releases,
            "fulfillments": api_records.fulfillments,
            "availability": api_stock.get_availability,
            "deltas": api_stock.get_deltas,
            "batch-update": api_stock.batch_update,
        }
        match call.operation:
            case "put":
                return self._put(call, raw)
            case "patch":
                return self._patch(call, raw)
            case "stock-put":
                return api_stock.put_record(books, parts["location"], parts["sku"], raw)
            case "stock-patch":
                return api_stock.patch_record(books, parts["location"], parts["sku"], raw)
            case "stock-delete":
                return api_stock.delete_record(books, parts["location"], parts["sku"])
            case operation:
                return simple[operation](books, raw)

    def _impex(self, call: Call, headers: Mapping[str, str], raw: bytes) -> Answer:
        path, parts, exports, imports = call.path, call.parts, self.exports, self.imports
        match call.operation:
            case "export":
                return exports.start(path, raw)
            case "export-reservations":
                return exports.start_documents(path, raw)
            case "export-graph":
                return exports.start_graph(path)
            case "export-segmentation":
                return exports.start_lines(path, imports.segmentation)
            case "export-events":
                return exports.start_events(path, raw)
            case "export-status":
                return exports.status(path, parts["export"])
            case "export-file":
                return exports.content(parts["export"])
            case "export-delete":
                return exports.delete(parts["export"])
            case "import":
                return imports.start(path, parts["subject"], raw)
            case "import-list":
                return imports.listed(parts["subject"])
            case "import-upload":
                return imports.upload(parts["import"], headers.get("Content-Type", ""), raw)
            case "import-status":
                return imports.status(path, parts["import"])
            case "import-result":
                return imports.result(parts["import"])
            case _:
                return imports.delete(parts["import"])

    def _put(self, call: Call, raw: bytes) -> Answer:
        request = request_reader.reservation_request(raw, max_lines=self.settings.maxLines)
        body, new = self.books.put_document(call.parts["document"], request)
        return json_answer(200, body, headers={"Location": call.path}, changed=new)

    def _patch(self, call: Call, raw: bytes) -> Answer:
        if request_reader.body_object(raw).get("status") != "CANCELLED":
            raise request_reader.refuse(
                "status takes CANCELLED", "status", "InvalidRequestParameter"
            )
        return Answer(self.books.cancel_document(call.parts["document"]), changed=True)

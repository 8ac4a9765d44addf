"""JSON order files: one order a line, or one document with a list of orders.

An order has the shape of the API, which is that of the Commerce API (SCAPI), with names like
orderNo. Names like order_no (OCAPI) are converted. A list stands alone or, as in search responses,
in an object's `data`, `hits` or `orders`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any

from orders import strict_json
from orders.fields import json_number
from orders.imports.csv_files import BadLine
from orders.imports.found_orders import FoundOrder, OrderFileRefused, body_of, other_site
from orders.imports.json_documents import elements
from orders.imports.reasons import say
from orders.payload import MAX_BYTES

_LONGEST_LINE = MAX_BYTES + 2  # including the line end
_PEEK = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_WRAPPERS = ("data", "hits", "orders", "order")
# The list comes before any other nested value.
_WRAPPED = re.compile(rb'\A\{[^{\[]*"(?:data|hits|orders)"\s*:\s*\[')
_STATUSES = frozenset(
    {"created", "new", "open", "completed", "cancelled", "replaced", "failed", "failed_with_reopen"}
)


def read_order_lines(file: IO[bytes], *, site_id: str = "") -> Iterator[FoundOrder]:
    """Yield the orders of a JSON file; those that name another site have a fault.

    Raises OrderFileRefused for long or torn documents.
    """
    start = file.read(_PEEK)
    file.seek(0)
    if _is_document(start.removeprefix(_BOM).lstrip()):
        found = elements(file, most_bytes=MAX_BYTES, wrappers=_WRAPPERS)
    else:
        found = _lines(file)
    for line, body in found:
        yield from _orders_in(line, body, site_id)


def _is_document(start: bytes) -> bool:
    """Whether a file that begins like this is one document, not one order a line."""
    if start.startswith(b"[") or _WRAPPED.match(start):
        return True
    first, end, _rest = start.partition(b"\n")
    if not end and len(start) > _PEEK // 2:
        return start.startswith(b"{")  # one long line
    # The first line of a document that spans many lines.
    return bool(end) and first.startswith(b"{") and first.rstrip().endswith((b"{", b"[", b","))


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), start=1):
        if len(line) > _LONGEST_LINE:
            raise OrderFileRefused([BadLine(number, say("bytes_too_long", number=MAX_BYTES))])
        body = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if body:
            yield number, body


def _orders_in(line: int, body: bytes, site_id: str) -> Iterator[FoundOrder]:
    try:
        document = strict_json.loads(body, keeps_odd_numbers=True)
    except strict_json.NotStrictJson:
        yield FoundOrder(line, "", body)
        return
    if isinstance(document, dict):
        for name in _WRAPPERS:
            inner = document.get(name)
            if "orderNo" not in document and "order_no" not in document and inner is not None:
                orders = inner if isinstance(inner, list) else [inner]
                for order in orders:
                    yield _found(line, _unwrapped(order), b"", site_id)
                return
    yield _found(line, document, body, site_id)


def _unwrapped(order: Any) -> Any:
    """Return the order in a search hit, which has it as `data`."""
    if isinstance(order, dict) and "orderNo" not in order and isinstance(order.get("data"), dict):
        return order["data"]
    return order


def _found(line: int, document: Any, body: bytes, site_id: str) -> FoundOrder:
    """Return an order; `body` is its original text where that needs no conversion."""
    if isinstance(document, dict) and "order_no" in document and "orderNo" not in document:
        document, body = _camel(document), b""
    number = document.get("orderNo") if isinstance(document, dict) else None
    fault = ""
    if isinstance(document, dict):
        fault = other_site(document.get("siteId"), site_id) or _unknown_status(document)
    return FoundOrder(
        line,
        number if isinstance(number, str) else "",
        body or body_of(_plain(document)),
        fault=fault,
    )


def _unknown_status(document: dict[str, Any]) -> str:
    status = document.get("status")
    if status is None or status == "":
        return ""
    if isinstance(status, str) and status.strip().lower() in _STATUSES:
        return ""  # the check of orders knows which of them are valid
    return say("value_unknown", column="status", text=ascii(str(status)[:40]))


def _camel(value: Any) -> Any:
    """Return `value` with names as orderNo for order_no; custom attributes (c_...) stay."""
    if isinstance(value, dict):
        return {
            name if name.startswith(("c_", "_")) else _camel_name(name): _camel(own)
            for name, own in value.items()
        }
    return [_camel(own) for own in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _plain(value: Any) -> Any:
    """Return `value` with plain JSON numbers."""
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, list):
        return [_plain(own) for own in value]
    return json_number(value) if isinstance(value, Decimal) else value

"""Order files: lines of JSON, one order of the API's shape each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from orders import strict_json
from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.stock_csv import BadLine
from orders.payload import MAX_BYTES

_LONGEST_LINE = MAX_BYTES + 2  # with its end
_BOM = b"\xef\xbb\xbf"


def read_order_lines(file: IO[bytes]) -> Iterator[FoundOrder]:
    """Yield the orders of a file of JSON lines. Raises OrderFileRefused at a line too long."""
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), start=1):
        if len(line) > _LONGEST_LINE:
            raise OrderFileRefused([BadLine(number, f"is longer than {MAX_BYTES:,} bytes")])
        body = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if number == 1 and body.startswith(b"["):
            words = "is an array; write one order in each line, without brackets around them"
            raise OrderFileRefused([BadLine(number, words)])
        if body:
            yield FoundOrder(number, _order_no(body), body)


def _order_no(body: bytes) -> str:
    try:
        document = strict_json.loads(body)
    except strict_json.NotStrictJson:
        return ""
    number = document.get("orderNo") if isinstance(document, dict) else None
    return number if isinstance(number, str) else ""

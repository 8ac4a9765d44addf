"""Read some orders of a daily report at a time, from the file as it was written.

The file has one order per line, so a page is read from the byte where it begins, and memory does
not grow with the day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

# The prefix of a line with an order; the head and the end of the file lack it.
_ORDER = b'{"siteId":'
# The suffix of an unsettled order's line: its last member is the resolution.
_OPEN = b',"resolution":null}'
# A page takes a second at most; a rare search continues from there.
MOST_LINES = 100_000
MOST_PARSED = 15_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filter for orders of a report; empty fields don't filter.

    `order_no` matches the beginning of the number; `customer` is part of the name or e-mail
    address, in any case; `is_settled` filters by a resolution, or none.
    """

    sku: str = ""
    order_no: str = ""
    state: str = ""
    customer: str = ""
    is_settled: bool | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether any filter is set."""
        return self != Wanted()

    def needles(self) -> list[bytes]:
        """Return substrings of every matching order's line; most other lines need no parsing."""
        texts = []
        if self.sku:
            texts.append(f'"sku":{_json(self.sku)}')
        if self.order_no:
            texts.append(f'"orderNo":{_json(self.order_no)[:-1]}')
        if self.state:
            texts.append(f'"reservationState":{_json(self.state)}')
        if self.is_settled is False:
            texts.append('"resolution":null')
        return [text.encode() for text in texts]

    def fits(self, order: Mapping[str, Any]) -> bool:
        """Whether an order of the file matches."""
        if self.sku and all(item["sku"] != self.sku for item in order["items"]):
            return False
        if not order["orderNo"].startswith(self.order_no):
            return False
        if self.state and order["reservationState"] != self.state:
            return False
        if self.is_settled is not None and self.is_settled != bool(order["resolution"]):
            return False
        return not self.customer or self._is_customer(order["customer"])

    def _is_customer(self, customer: Mapping[str, Any]) -> bool:
        texts = (customer.get("customerName"), customer.get("email"))
        return any(self.customer.lower() in str(text).lower() for text in texts if text)


@dataclass(frozen=True, slots=True)
class Found:
    """Orders of a report as in the file, and the byte where the search continues.

    `was_cut`: it ended at MOST_LINES or MOST_PARSED, not at the end of a page.
    """

    orders: list[dict[str, Any]]
    next_place: int | None
    was_cut: bool = False


def look(file: BinaryIO, *, wanted: Wanted, place: int, size: int) -> Found:
    """Return up to `size` matching orders from the byte `place` on.

    A place inside a line counts as the start.
    """
    _go_to(file, place)
    needles = wanted.needles()
    orders: list[dict[str, Any]] = []
    parsed = 0
    for number, (at, line) in enumerate(_lines(file)):
        if number == MOST_LINES or parsed == MOST_PARSED:
            return Found(orders, at, was_cut=True)
        if not all(needle in line for needle in needles):
            continue
        if wanted.is_settled and line.rstrip(b",\n").endswith(_OPEN):
            continue
        parsed += 1
        order = json.loads(line.rstrip(b",\n"), parse_float=Decimal)
        if not wanted.fits(order):
            continue
        if len(orders) == size:
            return Found(orders, at)
        orders.append(order)
    return Found(orders, None)


def _go_to(file: BinaryIO, place: int) -> None:
    file.seek(max(0, place - 1))
    if place <= 0 or file.read(1) != b"\n":
        file.seek(0)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are orders, each with the byte where it begins."""
    at = file.tell()
    for line in file:
        if line.startswith(_ORDER):
            yield at, line
        at += len(line)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

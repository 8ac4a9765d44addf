"""Order files: CSV with a line for each item, which names its order."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any

from orders.fields import ZERO, json_number
from orders.imports.found_orders import FoundOrder, OrderFileRefused, body_of, member, number_in
from orders.imports.stock_csv import MOST_FAULTS, BadLine, numbered_rows
from orders.payload import MAX_BYTES, MAX_ITEMS
from orders.texts import WHITE

# What a column can hold; its name in the file is the same, unless something else is said.
FIELDS = (
    "orderNo",
    "creationDate",
    "currency",
    "customerId",
    "customerName",
    "email",
    "sku",
    "productName",
    "quantity",
    "basePrice",
    "price",
    "inventoryId",
    "orderTotal",
)
MOST_ORDERS = 1_000_000
MOST_OPEN = 8 * MAX_BYTES

_OVERHEAD = 500  # what an item needs beside its text
_REQUIRED = ("orderNo", "sku", "quantity")
_CUSTOMER = ("customerId", "customerName", "email")
_ITEM = {"sku": "productId", "productName": "productName", "inventoryId": "inventoryId"}
_AMOUNTS = ("quantity", "basePrice", "price")
_SAME_IN_ORDER = ("currency", "orderTotal")
_LONGEST_ORDER_NO = 50
_NO_UTF8 = re.compile(r"[\ud800-\udfff]")

_Row = tuple[int, dict[str, str]]


def read_order_csv(
    file: IO[bytes], *, columns: Mapping[str, str], currency: str
) -> Iterator[FoundOrder]:
    """Yield the orders of a CSV file, each when its last line is read.

    The lines of an order need not stand together: the file is read twice. Raises
    OrderFileRefused with every bad line before the first order, as any could belong to any order.
    """
    last_lines = _last_lines(file, columns)
    file.seek(0)
    waiting: dict[str, _Gathered] = {}
    waiting_size = 0
    for number, row in _rows(file, columns, bad=[]):
        key = _key(row)
        order = waiting.setdefault(key, _Gathered(number, row["orderNo"]))
        waiting_size += order.add(number, row)
        if last_lines[key] == number:
            yield order.found(currency)
            waiting_size -= order.size
            del waiting[key]
        elif waiting_size > MOST_OPEN:
            words = "too many orders have lines before and after this one; sort the file by order"
            raise OrderFileRefused([BadLine(number, words)])


def _last_lines(file: IO[bytes], columns: Mapping[str, str]) -> dict[str, int]:
    """Return the last line of each order. Raises OrderFileRefused."""
    bad: list[BadLine] = []
    last_lines: dict[str, int] = {}
    for number, row in _rows(file, columns, bad=bad):
        last_lines[_key(row)] = number
        if len(last_lines) > MOST_ORDERS:
            words = f"more than {MOST_ORDERS:,} orders; import the file in parts"
            bad.append(BadLine(number, words))
            break
    if bad:
        raise OrderFileRefused(bad)
    return last_lines


def _key(row: Mapping[str, str]) -> str:
    # One character too many is enough to be refused.
    return row["orderNo"][: _LONGEST_ORDER_NO + 1]


def _rows(file: IO[bytes], columns: Mapping[str, str], *, bad: list[BadLine]) -> Iterator[_Row]:
    """Yield the rows by field, with their lines; notes the bad ones and goes on."""
    # Bytes that are no UTF-8 come through as what no text may hold: the line is named.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = numbered_rows(text, bad)
        first = next(rows, None)
        places = _places(first, columns, bad) if first else {}
        for number, row in rows if first and places else ():
            if len(bad) >= MOST_FAULTS:
                break
            if not row:
                continue
            fault = _fault(row, places, wanted=len(first[1]) if first else 0)
            if fault:
                bad.append(BadLine(number, fault))
            else:
                yield number, {name: row[place].strip(WHITE) for name, place in places.items()}
    finally:
        text.detach()


def _places(
    first: tuple[int, list[str]], columns: Mapping[str, str], bad: list[BadLine]
) -> dict[str, int]:
    """Return the place of each field, or none when the first line does not name them."""
    names = [name.strip().casefold() for name in first[1]]
    places = {}
    for name in FIELDS:
        column = columns.get(name, name)
        found = names.count(column.casefold())
        if found > 1:
            bad.append(BadLine(first[0], f"names the column {column!a} more than once"))
        elif found:
            places[name] = names.index(column.casefold())
        elif name in columns or name in _REQUIRED:
            has = ", ".join(ascii(name.strip()[:40]) for name in first[1][:20]) or "nothing"
            what = f"has no column {column!a} for {name} (it has {has})"
            bad.append(BadLine(first[0], f"{what}; --map says what the columns are called"))
    return {} if bad else places


def _fault(row: list[str], places: Mapping[str, int], *, wanted: int) -> str:
    if len(row) != wanted:
        return f"has {len(row):,} values, not {wanted:,}"
    if any(_NO_UTF8.search(value) for value in row):
        return "is not in UTF-8; save the file in UTF-8"
    if not row[places["orderNo"]].strip(WHITE):
        return "has no order number"
    return ""


@dataclass(slots=True)
class _Gathered:
    """The lines of one order, as far as they have been read."""

    line: int
    order_no: str
    size: int = 0
    order: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    fault: str = ""

    def add(self, line: int, row: dict[str, str]) -> int:
        """Add a line; return how much more is kept. What is too large is not kept."""
        for name in _SAME_IN_ORDER:
            before = self.order.get(name, "")
            if before and row.get(name, before) != before and not self.fault:
                self.fault = (
                    f"the {name} in line {line} is {row[name][:40]!a}, before it {before[:40]!a}"
                )
        for name in ("creationDate", *_SAME_IN_ORDER, *_CUSTOMER):
            if not self.order.get(name):
                self.order[name] = row.get(name, "")
        if self.fault:
            return 0
        item = {name: row[name] for name in (*_ITEM, *_AMOUNTS) if row.get(name)}
        if len(self.items) > MAX_ITEMS:
            # One item too many is enough to be refused.
            return 0
        more = _OVERHEAD + sum(map(len, row.values()))
        if self.size + more > 2 * MAX_BYTES:
            self.fault = f"an order has at most {MAX_BYTES:,} bytes"
            return 0
        self.size += more
        self.items.append(item)
        self.lines.append(line)
        return more

    def found(self, currency: str) -> FoundOrder:
        document: dict[str, Any] = {"orderNo": self.order_no}
        if self.order["creationDate"]:
            document["creationDate"] = self.order["creationDate"]
        document["currency"] = self.order["currency"] or currency
        customer = {name: self.order[name] for name in _CUSTOMER if self.order[name]}
        if customer:
            document["customerInfo"] = customer
        document["productItems"] = [_item(item) for item in self.items]
        total = self._total()
        if total is not None:
            document["orderTotal"] = total
        return FoundOrder(self.line, self.order_no, body_of(document), self.lines, self.fault)

    def _total(self) -> int | float | str | None:
        """Return what the file says, or else the sum of the items; None without their prices."""
        if self.order["orderTotal"]:
            return member(self.order["orderTotal"])
        total = ZERO
        for item in self.items:
            if "price" not in item and "basePrice" not in item:
                return None
            total += _amount(item)
        # Below 0 is one of the items, and each of them is refused.
        return json_number(max(ZERO, round(total, 4)))


def _item(item: Mapping[str, str]) -> dict[str, Any]:
    return {
        _ITEM.get(name, name): member(text) if name in _AMOUNTS else text
        for name, text in item.items()
    }


def _amount(item: Mapping[str, str]) -> Decimal:
    """Return the price of an item; 0 for one that has no numbers, which is refused for that."""
    if "price" in item:
        return number_in(item["price"]) or ZERO
    return (number_in(item["basePrice"]) or ZERO) * (number_in(item.get("quantity", "")) or ZERO)

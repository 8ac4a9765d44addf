"""Orders of a CSV file, collected line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from orders.fields import ZERO, json_number
from orders.imports.csv_dates import iso_date
from orders.imports.found_orders import FoundOrder, body_of
from orders.imports.numbers import csv_number, mangled
from orders.imports.reasons import join, say, why
from orders.payload import MAX_BYTES, MAX_ITEMS

MOST_BYTES_OPEN = 8 * MAX_BYTES

_OVERHEAD = 500  # what an item needs beside its text
_CUSTOMER = ("customerId", "customerName", "email")
_ITEM = {"sku": "productId", "productName": "productName", "inventoryId": "inventoryId"}
_PRICES = ("basePrice", "price")
_SAME_IN_ORDER = ("currency", "orderTotal")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file: its values by field, and what its profile says about it."""

    line: int
    values: Mapping[str, str]
    raw: str
    fault: str
    left_out: str
    made_of_others: str = ""
    may_repeat: bool = False
    line_id: str = ""
    parent_id: str | None = None  # None: the file doesn't name the lines of products


@dataclass(frozen=True, slots=True)
class Reading:
    """How the values of a file are read."""

    currency: str
    has_commas: bool
    zone: tzinfo | None
    month_first: bool | None


@dataclass(slots=True)
class Gathered:
    """The lines of one order read so far."""

    line: int
    order_no: str
    reading: Reading
    size: int = 0
    order: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    raw: list[tuple[int, str]] = field(default_factory=list)
    has_odd_price: bool = False
    fault: str = ""
    # Products that may have lines for their parts, by their place among the items.
    made_of_others: dict[int, Row] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    line_ids: dict[str, int] = field(default_factory=dict)
    skus: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row) -> int:
        """Add a line; return the additional size. Oversized lines are not kept."""
        self._compare(row)
        if fault := row.fault:
            is_first = row.line == self.line
            self._refuse(fault if is_first else join(fault, say("in_line", line=row.line)))
        if fault := mangled(self.order_no):
            self._refuse(join(say("the_order_number"), fault))
        values = row.values
        for name in ("creationDate", *_SAME_IN_ORDER, *_CUSTOMER):
            if not self.order.get(name):
                self.order[name] = values.get(name, "")
        return self._add_item(row, values)

    def _refuse(self, fault: str) -> None:
        self.fault = self.fault or fault

    def _refuse_value(self, column: str, text: str, error: ValueError) -> None:
        self._refuse(join(say("the_value", column=column, text=ascii(text[:40])), why(error)))

    def _compare(self, row: Row) -> None:
        """Note where a line contradicts an earlier one; an empty cell never does."""
        for name in _SAME_IN_ORDER:
            before, now = self.order.get(name, ""), row.values.get(name, "")
            if before and now and now != before and not self._are_equal(now, before):
                texts = {"text": ascii(now[:40]), "before": ascii(before[:40])}
                self._refuse(say("differs_from_before", column=name, line=row.line, **texts))

    def _are_equal(self, one: str, other: str) -> bool:
        try:
            return self._number(one) == self._number(other)
        except ValueError:
            return False

    def _number(self, text: str) -> Decimal:
        return csv_number(text, has_commas=self.reading.has_commas)

    def _add_item(self, row: Row, values: Mapping[str, str]) -> int:
        if len(self.items) > MAX_ITEMS or len(self.raw) > MAX_ITEMS:
            # One item too many is enough to be refused.
            return 0
        more = _OVERHEAD + sum(map(len, values.values())) + len(row.raw)
        if self.size + more > 2 * MAX_BYTES:
            self.fault = say("order_too_long", number=MAX_BYTES)
            return 0
        self.size += more
        if row.raw:
            self.raw.append((row.line, row.raw))
        self._check_line_id(row)
        if row.parent_id:
            self.parents.add(row.parent_id)
        if row.left_out:
            if len(self.left_out) <= MAX_ITEMS:
                self.left_out.append((row.line, row.left_out))
            return more
        self._check_sku(row, values.get("sku", ""))
        if row.made_of_others:
            self.made_of_others[len(self.items)] = row
        item: dict[str, Any] = {name: values[name] for name in _ITEM if values.get(name)}
        self._read_numbers(item, row.line, values)
        self.items.append(item)
        self.lines.append(row.line)
        return more

    def _check_sku(self, row: Row, sku: str) -> None:
        """Refuse a line without a usable SKU, and one that may be another line again."""
        if not sku:
            self._refuse(say("line_no_sku", line=row.line))
        elif fault := mangled(sku):
            self._refuse(join(say("the_sku_in_line", line=row.line), fault))
        if (before := self.skus.setdefault(sku, row.line)) != row.line and row.may_repeat:
            self._refuse(say("sku_without_type", before=before, line=row.line))

    def _check_line_id(self, row: Row) -> None:
        if row.line_id and (before := self.line_ids.setdefault(row.line_id, row.line)) != row.line:
            text = ascii(row.line_id[:40])
            self._refuse(say("line_twice", text=text, before=before, line=row.line))

    def _read_numbers(self, item: dict[str, Any], line: int, values: Mapping[str, str]) -> None:
        """Add the numbers of a line; only a bad quantity refuses the order."""
        for name in ("quantity", *_PRICES):
            text = values.get(name, "")
            if not text:
                if name == "quantity":
                    self._refuse(say("line_no_quantity", line=line))
                continue
            try:
                item[name] = self._number(text)
            except ValueError as error:
                item[name] = text
                if name == "quantity":
                    named = say("the_quantity_in_line", text=ascii(text[:40]), line=line)
                    self._refuse(join(named, why(error)))
                else:
                    self.has_odd_price = True

    def found(self) -> FoundOrder:
        """Return the order in the API's shape."""
        self._leave_out_products()
        document: dict[str, Any] = {"orderNo": self.order_no}
        if date := self._date():
            document["creationDate"] = date
        document["currency"] = self.order["currency"] or self.reading.currency
        customer = {name: self.order[name] for name in _CUSTOMER if self.order[name]}
        if customer:
            document["customerInfo"] = customer
        document["productItems"] = [_item(item) for item in self.items]
        total = self._total()
        if total is not None:
            document["orderTotal"] = json_number(total)
        if self.left_out and not self.items:
            line, fault = self.left_out[0]
            self._refuse(join(say("no_line_takes_stock", line=line), fault))
        return FoundOrder(
            self.line,
            self.order_no,
            body_of(document),
            self.lines,
            self.fault,
            left_out=self.left_out,
            raw=self.raw,
        )

    def _leave_out_products(self) -> None:
        """Leave out products whose parts have lines; refuse what may count twice."""
        has_simple = len(self.items) > len(self.made_of_others)
        for place, row in sorted(self.made_of_others.items(), reverse=True):
            kind = row.made_of_others
            if row.line_id and row.line_id in self.parents:
                del self.items[place], self.lines[place]
                self.left_out.append((row.line, say("has_own_lines", kind=kind)))
            elif has_simple and not (row.line_id and row.parent_id is not None):
                self._refuse(say("may_count_twice", line=row.line, kind=kind))
        self.left_out.sort()

    def _date(self) -> str:
        text = self.order["creationDate"]
        if not text:
            return ""
        if fault := mangled(text):
            value = say("the_value", column="creationDate", text=ascii(text[:40]))
            self._refuse(join(value, fault))
            return text
        try:
            return iso_date(text, zone=self.reading.zone, month_first=self.reading.month_first)
        except ValueError as error:
            self._refuse_value("creationDate", text, error)
            return text

    def _total(self) -> Decimal | None:
        """Return the file's total, or else the sum of the items; None without their prices."""
        text = self.order["orderTotal"]
        if text:
            try:
                return self._number(text)
            except ValueError as error:
                self._refuse_value("orderTotal", text, error)
                return None
        if self.has_odd_price:
            self._refuse(say("no_total"))
            return None
        total = ZERO
        for item in self.items:
            if "price" not in item and "basePrice" not in item:
                return None
            total += _amount(item)
        return max(ZERO, round(total, 4))


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _ITEM.get(name, name): json_number(own) if isinstance(own, Decimal) else own
        for name, own in item.items()
    }


def _amount(item: Mapping[str, Any]) -> Decimal:
    """Return the price of an item; 0 if a quantity is not a number, which refuses the order."""
    if "price" in item:
        price: Decimal = item["price"]
        return price
    quantity = item.get("quantity", ZERO)
    return item["basePrice"] * quantity if isinstance(quantity, Decimal) else ZERO

"""Order files: the order XML that B2C Commerce exports.

Only plain XML is read: a document type, and with it every entity, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any
from xml.parsers import expat

from orders.fields import ZERO, json_number
from orders.imports import xml_files
from orders.imports.csv_files import BadLine
from orders.imports.found_orders import FoundOrder, OrderFileRefused, body_of
from orders.imports.numbers import xml_decimal, xml_double
from orders.imports.reasons import say
from orders.payload import MAX_ITEMS
from orders.texts import WHITE

# Above the schema's limit for every text that is read.
_LONGEST_TEXT = 4_100
_DEEPEST = 50

_ORDER = ("orders", "order")
_ITEM = (*_ORDER, "product-lineitems", "product-lineitem")
_ORDER_FIELDS: dict[tuple[str, ...], str] = {
    (*_ORDER, "order-date"): "creationDate",
    (*_ORDER, "currency"): "currency",
    (*_ORDER, "customer-locale"): "customerLocale",
    (*_ORDER, "taxation"): "taxation",
    (*_ORDER, "status", "order-status"): "status",
    (*_ORDER, "customer", "customer-no"): "customerId",
    (*_ORDER, "customer", "customer-name"): "customerName",
    (*_ORDER, "customer", "customer-email"): "email",
    (*_ORDER, "totals", "order-total", "gross-price"): "orderTotal",
    (*_ORDER, "totals", "order-total", "net-price"): "netTotal",
}
# Members of a line; lines below one are bundled products and options.
_LINE_FIELDS = {
    "product-id": "productId",
    "product-name": "productName",
    "quantity": "quantity",
    "base-price": "basePrice",
    "net-price": "net",
    "gross-price": "gross",
    "inventory-list-id": "inventoryId",
}
_BELOW: dict[tuple[str, ...], str] = {
    ("bundled-product-lineitems", "bundled-product-lineitem"): "bundledProductItems",
    ("option-lineitems", "option-lineitem"): "optionItems",
}
# An element that decides stands once; of one that describes the first counts.
_DECIDES = frozenset(
    {"currency", "status", "orderTotal", "netTotal", "productId", "quantity", "inventoryId"}
)
_CUSTOMER = ("customerId", "customerName", "email")
_NOT_STANDING = ("CANCELLED", "FAILED", "REPLACED")
_STANDING = ("", "CREATED", "NEW", "OPEN", "COMPLETED")
# B2C's schema allows only delete; jobs use the others.
_MODES = ("", "merge", "update", "replace")


def read_order_xml(file: IO[bytes]) -> Iterator[FoundOrder]:
    """Yield the orders of an order XML file. Raises OrderFileRefused."""
    reader = _Reader()
    fed = xml_files.feed(reader.parser, file)
    while True:
        try:
            next(fed)
        except StopIteration:
            return
        except expat.ExpatError as error:
            raise OrderFileRefused([BadLine(error.lineno, xml_files.fault_of(error))]) from None
        except (ValueError, LookupError):
            what = say("xml_encoding")
            raise OrderFileRefused([BadLine(1, what)]) from None
        except xml_files.TagTooLong as error:
            what = say("xml_tag_too_long", number=xml_files.LONGEST_TAG)
            raise OrderFileRefused([BadLine(error.line, what)]) from None
        yield from reader.take()


class _Reader:
    """Collects completed orders."""

    def __init__(self) -> None:
        self.parser = xml_files.new_parser()
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._done: list[FoundOrder] = []
        self._path: tuple[str, ...] = ()
        self._line = 0
        self._order: dict[str, str] = {}
        self._mode = ""
        self._twice = ""
        self._items: list[_Line] = []
        self._item_lines: list[int] = []
        self._open: list[_Line] = []
        self._lines = 0
        self._values: dict[str, str] | None = None
        self._field = ""

    def take(self) -> list[FoundOrder]:
        """Return the completed orders, once."""
        done, self._done = self._done, []
        return done

    def _refuse(self, message: str) -> None:
        raise OrderFileRefused([BadLine(self.parser.CurrentLineNumber, message)])

    def _refuse_doctype(self, *_arguments: Any) -> None:
        self._refuse(say("xml_doctype"))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = xml_files.tag_of(name)
        if not self._path and tag == "order":
            self._path = ("orders",)  # what is exported of one order begins with it
        elif not self._path and tag != "orders":
            self._refuse(say("xml_other", tag=tag[:40]))
        if len(self._path) >= _DEEPEST:
            self._refuse(say("xml_too_deep", levels=_DEEPEST))
        self._path = (*self._path, tag)
        if self._path == _ORDER:
            self._line = self.parser.CurrentLineNumber
            self._order = {"orderNo": attributes.get("order-no", "")[:_LONGEST_TEXT]}
            self._mode = attributes.get("mode", "").strip().lower()[:40]
            self._twice = ""
            self._items, self._item_lines, self._open, self._lines = [], [], [], 0
        elif self._path == _ITEM:
            self._begin(self._items)
            if len(self._items) > len(self._item_lines):
                self._item_lines.append(self.parser.CurrentLineNumber)
        elif self._open and self._path[:-2] == self._open[-1].path:
            below = _BELOW.get(self._path[-2:])
            if below:
                self._begin(self._open[-1].below.setdefault(below, []))
        self._find_field()

    def _begin(self, lines: list[_Line]) -> None:
        """Begin a line. One line too many is enough to refuse the order."""
        line = _Line(self._path)
        self._open.append(line)
        self._lines += 1
        if self._lines <= MAX_ITEMS + 1:
            lines.append(line)

    def _find_field(self) -> None:
        self._values, self._field = self._order, _ORDER_FIELDS.get(self._path, "")
        if self._open and self._path[:-1] == self._open[-1].path:
            self._values = self._open[-1].values
            self._field = _LINE_FIELDS.get(self._path[-1], "")
        if self._field in self._values:
            if self._field in _DECIDES and not self._twice:
                line = self.parser.CurrentLineNumber
                self._twice = say("element_twice", line=line, name=self._path[-1])
            self._field = ""
        elif self._field:
            self._values[self._field] = ""

    def _text(self, text: str) -> None:
        if self._field and self._values is not None:
            known = self._values.get(self._field, "")
            self._values[self._field] = (known + text)[:_LONGEST_TEXT]

    def _end(self, _name: str) -> None:
        if self._path == _ORDER:
            self._done.append(self._found())
        elif self._open and self._path == self._open[-1].path:
            self._open.pop()
        self._path = self._path[:-1]
        self._field = ""

    def _found(self) -> FoundOrder:
        order = {name: own for name, text in self._order.items() if (own := text.strip(WHITE))}
        customer = {name: order[name] for name in _CUSTOMER if name in order}
        kept = ("orderNo", "creationDate", "currency")
        document: dict[str, Any] = {name: order[name] for name in kept if name in order}
        if customer:
            document["customerInfo"] = customer
        if "customerLocale" in order:
            document["customerLocale"] = order["customerLocale"]
        price = "net" if order.get("taxation", "").lower() == "net" else "gross"
        document["productItems"] = items = [_item(line, price=price) for line in self._items]
        total = _total(order, items)
        if total is not None:
            document["orderTotal"] = total
        return FoundOrder(
            line=self._line,
            order_no=self._order["orderNo"],
            body=body_of(document),
            item_lines=self._item_lines,
            fault=self._fault(order.get("status", "").upper()),
        )

    def _fault(self, status: str) -> str:
        if self._mode == "delete":
            return say("order_to_delete")
        if self._mode not in _MODES:
            return say("mode_unknown", mode=ascii(self._mode))
        if status in _NOT_STANDING:
            return say("order_ended", status=status.lower())
        if status in _STANDING:
            return self._twice
        return say("value_unknown", column="order-status", text=ascii(status[:40]))


def _total(order: dict[str, str], items: list[dict[str, Any]]) -> int | float | str | None:
    """Return the total, or else the sum of the items' prices; None without either."""
    for name in ("orderTotal", "netTotal"):
        if name in order:
            total = xml_decimal(order[name])
            return order[name] if total is None else json_number(total)
    total = ZERO
    for item in items:
        if isinstance(item.get("price"), int | float):
            total += Decimal(str(item["price"]))
        elif all(isinstance(item.get(name), int | float) for name in ("basePrice", "quantity")):
            total += Decimal(str(item["basePrice"])) * Decimal(str(item["quantity"]))
        else:
            return None
    return json_number(max(ZERO, round(total, 4)))


@dataclass(slots=True)
class _Line:
    """A line being read, with the lines below it by member."""

    path: tuple[str, ...]
    values: dict[str, str] = field(default_factory=dict)
    below: dict[str, list[_Line]] = field(default_factory=dict)


def _item(line: _Line, *, price: str) -> dict[str, Any]:
    values = {name: own for name, text in line.values.items() if (own := text.strip(WHITE))}
    item: dict[str, Any] = {}
    for name in ("productId", "productName", "inventoryId"):
        if name in values:
            item[name] = values[name]
    for name, source in (("quantity", "quantity"), ("basePrice", "basePrice"), ("price", price)):
        if source in values:
            # An xsd:double allows an exponent, an xsd:decimal does not.
            read = xml_double if name == "quantity" else xml_decimal
            number = read(values[source])
            item[name] = values[source] if number is None else json_number(number)
    for name, lines in line.below.items():
        item[name] = [_item(below, price=price) for below in lines]
    return item

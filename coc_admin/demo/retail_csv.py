"""Orders from a CSV of invoice lines, as in the published data set *Online Retail*.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate (local time), UnitPrice,
CustomerID, Country. Each line ends in exactly one place: an item of an order, or a refusal with its
reason. The lines of an invoice may be apart.

What counts as an order line: a product code (five digits and perhaps letters), a whole quantity
above 0 and a price of 0 or more. A price of 0 is legal: a gift takes stock like anything else.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orders.imports.csv_dates import iso_date

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
ZONE = ZoneInfo("Europe/London")
CURRENCY = "GBP"

_PRODUCT = re.compile(r"\d{5}[A-Za-z]*")
_ORDER_NO = re.compile(r"[A-Za-z0-9-]{1,50}")


class RetailFileError(Exception):
    """The file can't be read; the message gives the remedy."""


class Reason(StrEnum):
    """Why a line is not part of an order."""

    CANCELLATION = "cancellation"
    NOT_A_PRODUCT = "not a product"
    QUANTITY = "quantity not above 0"
    UNREADABLE = "unreadable line"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line outside any order; `line` counts from 1, including the heading."""

    line: int
    invoice: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class RetailItem:
    """One accepted line."""

    line: int
    sku: str
    product_name: str
    quantity: int
    unit_price: Decimal

    @property
    def price(self) -> Decimal:
        """Quantity times unit price."""
        return self.quantity * self.unit_price


@dataclass(slots=True)
class RetailOrder:
    """One invoice with its accepted lines, in the order of the file."""

    order_no: str
    placed_at: datetime
    customer_id: str
    country: str
    items: list[RetailItem] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """Sum of the lines, in the file's currency."""
        return sum((item.price for item in self.items), Decimal(0))

    def payload(self) -> dict[str, Any]:
        """Return the order in the shape of `POST /api/v1/sites/{siteId}/orders`."""
        customer: dict[str, Any] = {"country": self.country}
        if self.customer_id:
            customer["customerId"] = self.customer_id
        return {
            "orderNo": self.order_no,
            "creationDate": self.placed_at.isoformat(),
            "currency": CURRENCY,
            "customerInfo": customer,
            "productItems": [
                {
                    "itemId": f"line-{item.line}",
                    "productId": item.sku,
                    "productName": item.product_name,
                    "quantity": item.quantity,
                    "basePrice": _number(item.unit_price),
                    "price": _number(item.price),
                }
                for item in self.items
            ],
            "orderTotal": _number(self.total),
        }

    def body(self) -> bytes:
        """Return the payload as JSON in UTF-8."""
        return json.dumps(self.payload(), ensure_ascii=False).encode()


@dataclass(slots=True)
class RetailFile:
    """A whole file: valid orders, and refused lines with reasons."""

    orders: list[RetailOrder]
    refusals: list[Refusal]
    line_count: int  # without the heading

    def refused_by_reason(self) -> dict[Reason, int]:
        """Return how many lines were refused for each reason."""
        return dict(Counter(refusal.reason for refusal in self.refusals))

    def demand(self) -> dict[str, int]:
        """Return the units ordered of each SKU."""
        units: Counter[str] = Counter()
        for order in self.orders:
            for item in order.items:
                units[item.sku] += item.quantity
        return dict(units)

    def product_names(self) -> dict[str, str]:
        """Return the last non-empty name of each SKU ("" if there is none)."""
        names: dict[str, str] = {}
        for order in self.orders:
            for item in order.items:
                names[item.sku] = item.product_name or names.get(item.sku, "")
        return names


def load(path: Path) -> RetailFile:
    """Read a .csv or .csv.gz file. Raises RetailFileError if it is neither."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
                return parse(stream)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return parse(stream)
    except UnicodeDecodeError:
        raise RetailFileError(f"{path} is not UTF-8 text; convert it first.") from None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "the compressed file is damaged"
        raise RetailFileError(f"{path} cannot be read: {why}.") from None


def parse(lines: Iterable[str]) -> RetailFile:
    """Parse CSV text with a heading. Raises RetailFileError if columns are missing."""
    reader = csv.DictReader(lines)
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise RetailFileError(f"The heading lacks {', '.join(missing)}.")
        return _collect(reader)
    except csv.Error as error:
        raise RetailFileError(f"Line {reader.line_num} is no CSV: {error}.") from None


def _collect(reader: csv.DictReader[str]) -> RetailFile:
    invoices: dict[str, RetailOrder] = {}
    refusals: list[Refusal] = []
    count = 0
    first_line = reader.line_num + 1
    for row in reader:
        line, first_line = first_line, reader.line_num + 1
        count += 1
        parsed = _parse_line(line, row)
        if isinstance(parsed, Refusal):
            refusals.append(parsed)
            continue
        order, item = parsed
        invoices.setdefault(order.order_no, order).items.append(item)
    return RetailFile(list(invoices.values()), refusals, count)


def _parse_line(line: int, row: dict[str, Any]) -> Refusal | tuple[RetailOrder, RetailItem]:
    values = {name: (row[name] or "").strip() for name in COLUMNS}
    invoice, code = values["InvoiceNo"], values["StockCode"]

    def refuse(reason: Reason, detail: str) -> Refusal:
        return Refusal(line, invoice, reason, detail)

    if row.get(None) is not None or not _ORDER_NO.fullmatch(invoice):  # type: ignore[call-overload]
        return refuse(Reason.UNREADABLE, "wrong number of columns or no usable invoice number")
    try:
        quantity = int(values["Quantity"])
        price = Decimal(values["UnitPrice"])
        # Published as 2010-12-01 08:26:00, and as 12/1/2010 8:26 or 12/1/10 8:26.
        placed_at = datetime.fromisoformat(
            iso_date(values["InvoiceDate"], zone=ZONE, month_first=True)
        ).astimezone(ZONE)
    except (ValueError, InvalidOperation):
        return refuse(Reason.UNREADABLE, "quantity, price or date is not one")
    if not price.is_finite():
        return refuse(Reason.UNREADABLE, f"price {price}")
    if invoice.startswith("C"):
        return refuse(Reason.CANCELLATION, f"{code}, quantity {quantity}")
    if not _PRODUCT.fullmatch(code):
        return refuse(Reason.NOT_A_PRODUCT, f"stock code {code!r}")
    if quantity <= 0:
        return refuse(Reason.QUANTITY, f"{code}, quantity {quantity}")
    if price < 0:
        return refuse(Reason.UNREADABLE, f"{code}, price {price}")
    order = RetailOrder(
        order_no=invoice,
        placed_at=placed_at,
        customer_id=values["CustomerID"].removesuffix(".0"),
        country=values["Country"],
    )
    return order, RetailItem(line, code, values["Description"], quantity, price)


def _number(value: Decimal) -> int | float:
    # A float with so few digits prints as the exact decimal, so JSON carries it exactly.
    return int(value) if value == value.to_integral_value() else float(value)

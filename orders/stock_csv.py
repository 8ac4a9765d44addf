"""Stock files: CSV with the columns sku, ato, and maybe name and price."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orders.ledger import Figure
from orders.texts import SKU_RULE, is_plain, is_sku

MOST_ATO = Decimal(1_000_000_000)
MOST_FAULTS = 1_000

_COLUMNS = ("sku", "ato", "name", "price")
_NUMBER = re.compile(r"\A[0-9]{1,12}(\.[0-9]{1,6})?\Z")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file that cannot be taken, by its number (the first line is 1)."""

    number: int
    message: str


class StockRefused(Exception):
    """The file cannot be taken; every bad line is named, up to MOST_FAULTS of them."""

    def __init__(self, bad: list[BadLine]) -> None:
        super().__init__(f"{len(bad)} bad lines")
        self.bad = bad


def read_stock(lines: Iterable[str], *, list_id: str) -> list[Figure]:
    """Return the figures of a stock file, in its order. Raises StockRefused.

    A price is checked and not kept: prices belong to the orders.
    """
    bad: list[BadLine] = []
    figures: list[Figure] = []
    seen: dict[str, int] = {}
    reader = csv.reader(lines, strict=True)
    rows = _rows(reader, bad)
    columns = _header(next(rows, None), bad)
    for number, row in rows if columns else ():
        if not row or len(bad) >= MOST_FAULTS:
            continue
        figure, message = _figure(row, columns, list_id)
        if figure is not None and figure.sku in seen:
            message = f"the SKU {figure.sku} is in line {seen[figure.sku]} already"
        if message:
            bad.append(BadLine(number, message))
        elif figure is not None:
            seen[figure.sku] = number
            figures.append(figure)
    if not bad and not figures:
        bad.append(BadLine(1, "the file holds no SKU"))
    if bad:
        raise StockRefused(bad)
    return figures


def _rows(reader: Any, bad: list[BadLine]) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with the number of their first line; notes what is no CSV and goes on."""
    number = 0
    while True:
        first = number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(BadLine(first, f"is no CSV: {error}"))
            row = []
        number = reader.line_num
        yield first, row


def _header(first: tuple[int, list[str]] | None, bad: list[BadLine]) -> list[str]:
    """Return the names of the columns, or none when the first line does not name them."""
    if first is None:
        if not bad:
            bad.append(BadLine(1, "the file is empty; it begins with a line sku,ato[,name,price]"))
        return []
    names = [name.strip().lower() for name in first[1]]
    fits = set(names) <= set(_COLUMNS) and len(set(names)) == len(names)
    if not fits or not {"sku", "ato"} <= set(names):
        bad.append(BadLine(first[0], "must name the columns: sku,ato[,name,price]"))
        return []
    return names


def _figure(row: list[str], columns: list[str], list_id: str) -> tuple[Figure | None, str]:
    """Return the figure of a row, or what is wrong with it."""
    if len(row) != len(columns):
        return None, f"has {len(row)} values, not {len(columns)}"
    values = dict(zip(columns, row, strict=True))
    sku, name = values["sku"].strip(), values.get("name", "").strip()
    if not is_sku(sku):
        return None, f"the SKU has {SKU_RULE}"
    ato = _number(values["ato"], places=3)
    if ato is None or ato > MOST_ATO:
        return None, f"the ATO {values['ato'][:40]!r} is no number from 0, with at most 3 decimals"
    price = values.get("price", "").strip()
    if price and _number(price, places=4) is None:
        return None, f"the price {price[:40]!r} is no number from 0, with at most 4 decimals"
    if len(name) > 500 or not is_plain(name):
        return None, "the name has at most 500 characters, and none that controls"
    return Figure(list_id, sku, ato, product_name=name), ""


def _number(text: str, *, places: int) -> Decimal | None:
    text = text.strip()
    if not _NUMBER.match(text):
        return None
    exact = round(Decimal(text), places)
    return exact if exact == Decimal(text) else None

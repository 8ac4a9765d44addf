"""Stock files: CSV with the columns sku, ato, and maybe name and price."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TextIO

from django.utils.translation import gettext as _

from orders.ledger import Figure
from orders.texts import SKU_RULE, WHITE, is_plain, is_sku, name_refusal

MOST_ATO = Decimal(1_000_000_000)
MOST_FAULTS = 1_000
MOST_SKUS = 1_000_000
LONGEST_LINE = 100_000

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


def read_stock(file: TextIO, *, list_id: str) -> list[Figure]:
    """Return the figures of a stock file, in its order. Raises StockRefused.

    A price is checked and not kept: prices belong to the orders. What the file needs of memory is
    bounded by MOST_SKUS, whatever it holds; after MOST_FAULTS it is not read any further.
    """
    bad: list[BadLine] = []
    figures: list[Figure] = []
    seen: dict[str, int] = {}
    rows = numbered_rows(file, bad)
    columns = _header(next(rows, None), bad)
    for number, row in rows if columns else ():
        if len(bad) >= MOST_FAULTS:
            break
        if not row:
            continue
        if len(figures) >= MOST_SKUS:
            bad.append(
                BadLine(
                    number,
                    _("more than %(number)s SKUs; import the file in parts")
                    % {"number": f"{MOST_SKUS:,}"},
                )
            )
            break
        figure, message = _figure(row, columns, list_id)
        if figure is not None and figure.sku in seen:
            message = _("the SKU %(sku)s is in line %(line)s already") % {
                "sku": figure.sku,
                "line": seen[figure.sku],
            }
        if message:
            bad.append(BadLine(number, message))
        elif figure is not None:
            seen[figure.sku] = number
            figures.append(figure)
    if not bad and not figures:
        bad.append(BadLine(1, _("the file holds no SKU")))
    if bad:
        raise StockRefused(bad)
    return figures


class _LineTooLong(Exception):
    """A line is longer than LONGEST_LINE; what follows cannot be told from it."""


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of `file`, never more than LONGEST_LINE of one; raises _LineTooLong."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise _LineTooLong
        yield line


def numbered_rows(file: TextIO, bad: list[BadLine]) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with the number of their first line; notes what is no CSV and goes on."""
    reader = csv.reader(_lines(file), strict=True)
    number = 0
    while True:
        first = number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except _LineTooLong:
            bad.append(
                BadLine(
                    first,
                    _("is longer than %(number)s characters") % {"number": f"{LONGEST_LINE:,}"},
                )
            )
            return
        except csv.Error as error:
            bad.append(BadLine(first, _("is no CSV: %(fault)s") % {"fault": error}))
            row = []
        number = reader.line_num
        yield first, row


def _header(first: tuple[int, list[str]] | None, bad: list[BadLine]) -> list[str]:
    """Return the names of the columns, or none when the first line does not name them."""
    if first is None:
        if not bad:
            bad.append(
                BadLine(1, _("the file is empty; it begins with a line sku,ato[,name,price]"))
            )
        return []
    names = [name.strip().lower() for name in first[1]]
    fits = set(names) <= set(_COLUMNS) and len(set(names)) == len(names)
    if not fits or not {"sku", "ato"} <= set(names):
        bad.append(BadLine(first[0], _("must name the columns: sku,ato[,name,price]")))
        return []
    return names


def _figure(row: list[str], columns: list[str], list_id: str) -> tuple[Figure | None, str]:
    """Return the figure of a row, or what is wrong with it."""
    if len(row) != len(columns):
        return None, _("has %(found)s values, not %(wanted)s") % {
            "found": len(row),
            "wanted": len(columns),
        }
    values = dict(zip(columns, row, strict=True))
    sku, name = values["sku"].strip(WHITE), values.get("name", "").strip()
    if not is_sku(sku):
        return None, _("the SKU has %(rule)s") % {"rule": _(SKU_RULE)}
    if odd := name_refusal(sku):
        return None, _("the SKU looks like another one: %(why)s") % {"why": odd}
    ato = number_of(values["ato"], places=3)
    if ato is None or ato > MOST_ATO:
        words = _("the ATO %(text)s is no number from 0, with at most 3 decimals")
        return None, words % {"text": repr(values["ato"][:40])}
    price = values.get("price", "").strip()
    if price and number_of(price, places=4) is None:
        words = _("the price %(text)s is no number from 0, with at most 4 decimals")
        return None, words % {"text": repr(price[:40])}
    if len(name) > 500 or not is_plain(name):
        return None, _("the name has at most 500 characters, and none that controls")
    return Figure(list_id, sku, ato, product_name=name), ""


def number_of(text: str, *, places: int) -> Decimal | None:
    """Return a number from 0 with at most `places` decimals, or None for any other text."""
    text = text.strip()
    if not _NUMBER.match(text):
        return None
    exact = round(Decimal(text), places)
    return exact if exact == Decimal(text) else None

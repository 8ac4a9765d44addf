"""Stock files: CSV with the columns sku and ato, and optionally name and price."""

from __future__ import annotations

from decimal import Decimal
from typing import TextIO

from django.utils.translation import gettext as _

from orders.imports.csv_files import (
    MOST_FAULTS,
    BadLine,
    cell_text,
    described,
    is_utf8,
    open_table,
)
from orders.imports.numbers import csv_number, mangled
from orders.imports.reasons import in_words, why
from orders.ledger import Figure
from orders.texts import SKU_RULE, cleaned, is_sku, name_refusal

MOST_ATO = Decimal(1_000_000_000)
MOST_SKUS = 1_000_000

_STEP = Decimal("0.001")
_LONGEST_NAME = 500
_COLUMNS = ("sku", "ato", "name", "price")


class StockRefused(Exception):
    """The file can't be imported; names every bad line, up to MOST_FAULTS."""

    def __init__(self, bad: list[BadLine]) -> None:
        super().__init__(f"{len(bad)} bad lines")
        self.bad = bad


def read_stock(file: TextIO, *, list_id: str) -> list[Figure]:
    """Return the figures of a stock file, in its order. Raises StockRefused.

    A name is only a description and a price is not kept, so neither refuses a line. MOST_SKUS
    bounds memory; after MOST_FAULTS reading stops.
    """
    bad: list[BadLine] = []
    figures: list[Figure] = []
    seen: dict[str, int] = {}
    table = open_table(file, bad)
    columns = _header(None if table is None else (table.line, table.names), bad)
    for number, row in table.rows if table and columns else ():
        if len(bad) >= MOST_FAULTS:
            break
        if len(figures) >= MOST_SKUS:
            bad.append(too_many(number))
            break
        try:
            figure = _figure(row, columns, list_id, has_commas=bool(table and table.has_commas))
            if figure.sku in seen:
                words = _("the SKU %(sku)s is already in line %(line)s")
                raise ValueError(words % {"sku": figure.sku, "line": seen[figure.sku]})
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
            continue
        seen[figure.sku] = number
        figures.append(figure)
    if not bad and not figures:
        bad.append(BadLine(1, _("the file holds no SKU")))
    if bad:
        raise StockRefused(bad)
    return figures


def too_many(line: int) -> BadLine:
    """Return the message about a file with more than MOST_SKUS."""
    words = _("more than %(number)s SKUs; import the file in parts")
    return BadLine(line, words % {"number": f"{MOST_SKUS:,}"})


def check_sku(sku: str) -> None:
    """Raise ValueError for a text that can't be a SKU."""
    if not is_sku(sku):
        raise ValueError(_("the SKU has %(rule)s") % {"rule": _(SKU_RULE)})
    if odd := name_refusal(sku):
        raise ValueError(_("the SKU looks like another one: %(why)s") % {"why": in_words(odd)})


def _header(first: tuple[int, list[str]] | None, bad: list[BadLine]) -> list[str]:
    """Return the column names; empty if the first line does not contain them."""
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


def _figure(row: list[str], columns: list[str], list_id: str, *, has_commas: bool) -> Figure:
    """Return the figure of a row; raises ValueError with the fault."""
    if len(row) != len(columns):
        words = _("has %(found)s values, not %(wanted)s")
        raise ValueError(words % {"found": len(row), "wanted": len(columns)})
    values = dict(zip(columns, row, strict=True))
    sku = cell_text(values["sku"])
    if not is_utf8(sku):
        raise ValueError(_("the SKU is not in UTF-8; save the file in UTF-8"))
    if fault := mangled(sku):
        raise ValueError(_("the SKU %(sku)s %(why)s") % {"sku": sku, "why": in_words(fault)})
    check_sku(sku)
    ato = _ato(cell_text(values["ato"]), has_commas=has_commas)
    name = cleaned(described(values.get("name", "")).strip(), _LONGEST_NAME)
    return Figure(list_id, sku, ato, product_name=name)


def _ato(text: str, *, has_commas: bool) -> Decimal:
    shown = {"text": repr(text[:40])}
    try:
        ato = csv_number(text, has_commas=has_commas)
    except ValueError as error:
        fault = in_words(why(error))
        raise ValueError(_("the ATO %(text)s %(why)s") % {**shown, "why": fault}) from None
    if not 0 <= ato <= MOST_ATO or ato % _STEP:
        words = _("the ATO %(text)s is not a number from 0 with at most 3 decimals")
        raise ValueError(words % shown)
    return abs(round(ato, 3))

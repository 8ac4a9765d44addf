"""XLSX for people: real dates and amounts, widths, a frozen heading, filters.

Rows go to disk at once; only the widths stay in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from orders.tables.columns import Column, Kind, currency_places, decimals_of, heading, moment_of
from orders.tables.guard import is_formula
from orders.tables.plain import BOOK_OPTIONS, LONGEST_CELL, ROWS_A_SHEET
from orders.tables.reader import Reader

# The limits of a sheet's name: length and forbidden characters.
_LONGEST_NAME = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
_CURRENCY = re.compile(r"\A[A-Z]{3}\Z")
# Later rows are rarely wider, and measuring a million rows takes time.
_ROWS_MEASURED = 2_000
_NARROWEST, _WIDEST = 8, 60
_WIDTH_OF_FILTER = 3
# Workbooks have no earlier dates.
_FIRST_YEAR = 1901


def write_workbook(
    file: IO[bytes],
    title: str | Promise,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    *,
    reader: Reader,
) -> None:
    """Write rows as a workbook; after a million it continues on another sheet."""
    # Imported on demand: few processes write a workbook, and the import slows every start.
    import xlsxwriter

    with xlsxwriter.Workbook(file, BOOK_OPTIONS) as book:
        look = _Look(book, reader)
        sheet = _Sheet(book, look, title=str(title), columns=columns)
        for row in rows:
            if sheet.line == ROWS_A_SHEET:
                sheet.finish()
                sheet = _Sheet(book, look, title=str(title), columns=columns)
            sheet.add(row)
        sheet.finish()


class _Look:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Any, reader: Reader) -> None:
        self._book = book
        self._formats: dict[str, Any] = {}
        self.reader = reader
        self.head = book.add_format(
            {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#E4F0FB"}
        )
        self.text = book.add_format({"num_format": "@"})
        # The cell stays text when edited, without an extra character in the value.
        self.quoted = book.add_format({"num_format": "@", "quote_prefix": True})
        self.moment = self.number(reader.sheet_date)

    def number(self, pattern: str) -> Any:
        """Return the format for a pattern."""
        if pattern not in self._formats:
            self._formats[pattern] = self._book.add_format({"num_format": pattern})
        return self._formats[pattern]


def _pattern(decimals: int, currency: str = "") -> str:
    digits = "#,##0" + ("." + "0" * decimals if decimals else "")
    return rf"{digits}\ [${currency}]" if _CURRENCY.match(currency) else digits


class _Sheet:
    """One sheet of the workbook being written."""

    def __init__(self, book: Any, look: _Look, *, title: str, columns: Sequence[Column]) -> None:
        number = len(book.worksheets()) + 1
        ending = "" if number == 1 else f" {number}"
        name = _NOT_IN_NAMES.sub(" ", title).strip(" '")[: _LONGEST_NAME - len(ending)]
        self._sheet = book.add_worksheet(f"{name}{ending}")
        self._look = look
        self._columns = columns
        self._currencies = currency_places(columns)
        self._widths = [0] * len(columns)
        # Translated once instead of for each cell.
        self._labels = [
            {code: str(label) for code, label in column.choices.items()} for column in columns
        ]
        self._names = (_("yes"), _("no"))
        self.line = 0
        self._sheet.freeze_panes(1, 0)
        self._sheet.repeat_rows(0)
        for place, column in enumerate(columns):
            head = heading(column, look.reader.zone)
            self._sheet.write_string(0, place, head, look.head)
            # A long heading takes two lines.
            self._widths[place] = min(len(head), max(map(len, head.split(" ")), default=0) + 6)

    def add(self, row: Sequence[Any]) -> None:
        """Write a row below the last one."""
        self.line += 1
        measured = self.line <= _ROWS_MEASURED
        for place, value in enumerate(row):
            if value is None or value == "":
                continue
            width = self._write(place, value, row)
            if measured and width > self._widths[place]:
                self._widths[place] = width

    def finish(self) -> None:
        """Set everything that depends on the rows: widths, filters, and number warnings off."""
        last = max(self.line, 1)
        for place, width in enumerate(self._widths):
            shown = max(_NARROWEST, min(width + _WIDTH_OF_FILTER, _WIDEST))
            self._sheet.set_column(place, place, shown)
        self._sheet.autofilter(0, 0, last, len(self._columns) - 1)
        # An order number made of digits is intended; without this each cell has a green corner.
        self._sheet.ignore_errors({"number_stored_as_text": self._range(last)})

    def _range(self, last: int) -> str:
        """Return the cells down to row `last`, as `A1:T5`."""
        from xlsxwriter.utility import xl_range

        return str(xl_range(0, 0, last, len(self._columns) - 1))

    def _write(self, place: int, value: Any, row: Sequence[Any]) -> int:
        """Write a cell; return the width of its text."""
        column, look = self._columns[place], self._look
        kind = column.kind
        if kind == Kind.MOMENT:
            moment = moment_of(value)
            if moment is not None and moment.year >= _FIRST_YEAR:
                return self._write_moment(place, moment)
        if kind == Kind.CHOICE:
            value = self._labels[place].get(str(value), value)
        elif isinstance(value, bool):
            value = self._names[0] if value else self._names[1]
        elif isinstance(value, int | float | Decimal):
            pattern = self._number_pattern(place, value, row)
            self._sheet.write_number(self.line, place, float(value), look.number(pattern))
            return len(f"{value:,.2f}") + (4 if kind == Kind.MONEY else 0)
        text = str(value)[:LONGEST_CELL]
        shape = look.quoted if is_formula(text) else look.text
        self._sheet.write_string(self.line, place, text, shape)
        return len(text)

    def _write_moment(self, place: int, moment: datetime) -> int:
        look = self._look
        local = look.reader.local(moment)
        # Cut to milliseconds like every other file: a spreadsheet would round them.
        local = local.replace(microsecond=local.microsecond // 1000 * 1000)
        self._sheet.write_datetime(self.line, place, local, look.moment)
        return len(look.reader.sheet_date)

    def _number_pattern(self, place: int, value: Any, row: Sequence[Any]) -> str:
        exact = f"{Decimal(str(value)).normalize():f}"
        decimals = len(exact.partition(".")[2])
        if self._columns[place].kind == Kind.QUANTITY:
            return _pattern(3 if decimals else 0)
        if self._columns[place].kind != Kind.MONEY:
            return _pattern(decimals)
        at = self._currencies[place]
        currency = "" if at is None else str(row[at] or "")
        return _pattern(max(decimals, decimals_of(currency)), currency)

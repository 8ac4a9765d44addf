"""Rows as a CSV or XLSX file, written in constant memory, with nothing that is taken for a formula.

The file is whole before the first byte of it is sent: a download is complete or does not begin.
"""

from __future__ import annotations

import csv
import io
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

FORMS = ("csv", "xlsx")
# The format allows no more in a cell.
_LONGEST_CELL = 32_767
_ROWS_A_SHEET = 1_000_000
# A spreadsheet takes text that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
# Dropped or ignored by some program before it looks for a formula.
_UNSEEN = " \u00a0\u200b\u200c\u200d\u2060\u3000\ufeff"


def is_formula(text: str) -> bool:
    """Whether some spreadsheet takes `text` in a CSV file for a formula.

    Some fold full-width and small forms (＝, ﹢) to the ASCII sign first.
    """
    shown = text.lstrip(_UNSEEN)
    return shown.startswith(_FORMULA) or unicodedata.normalize("NFKC", shown[:1]) in _FORMULA


def neutral(value: Any) -> Any:
    """Return a CSV cell that no spreadsheet takes for a formula: text gets a leading apostrophe."""
    cell = _cell(value)
    return f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    return value if isinstance(value, str | int | float) else str(value)


def sheet_file(form: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> IO[bytes]:
    """Return an open file in one of FORMS, at its beginning; a row has a cell for each column.

    After a million rows XLSX goes on in another sheet. Raises KeyError for another form.
    """
    write = {"csv": _write_csv, "xlsx": _write_xlsx}[form]
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        write(file, columns, rows)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _write_csv(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # Spreadsheets need the mark to see that it is UTF-8.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([neutral(value) for value in row])
    text.flush()
    text.detach()


def _write_xlsx(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # Loaded when needed: few processes write a workbook, and each would start slower.
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        bold = book.add_format({"bold": True})
        # Says that a cell is text, without a character of its own: a SKU stays as it is.
        text = book.add_format({"quote_prefix": True})
        sheet = _new_sheet(book, columns, bold)
        for number, row in enumerate(rows):
            if number and number % _ROWS_A_SHEET == 0:
                sheet = _new_sheet(book, columns, bold)
            _write_row(sheet, number % _ROWS_A_SHEET + 1, row, text)


def _new_sheet(book: Any, columns: Sequence[str], bold: Any) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(columns) - 1, 16)
    for place, name in enumerate(columns):
        sheet.write_string(0, place, name, bold)
    return sheet


def _write_row(sheet: Any, line: int, row: Sequence[Any], text: Any) -> None:
    for place, value in enumerate(row):
        cell = _cell(value)
        if not isinstance(cell, str):
            sheet.write_number(line, place, cell)
        elif is_formula(cell):
            sheet.write_string(line, place, cell[:_LONGEST_CELL], text)
        else:
            sheet.write_string(line, place, cell[:_LONGEST_CELL])

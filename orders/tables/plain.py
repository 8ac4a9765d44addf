"""Tables for programs: byte for byte unchanged since the first release."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import IO, Any

from orders.tables.guard import cell_of, is_formula, neutral
from orders.tables.temporary import filled

# The format's limit for a cell.
LONGEST_CELL = 32_767
ROWS_A_SHEET = 1_000_000
# No value may become a formula, a link or a number; rows go to disk at once.
BOOK_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def sheet_file(form: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> IO[bytes]:
    """Return an open file in the form csv or xlsx, at its beginning; rows have one cell per column.

    After a million rows XLSX continues on another sheet. Raises KeyError for an unknown form.
    """
    write = {"csv": _write_csv, "xlsx": _write_xlsx}[form]
    with filled() as file:
        write(file, columns, rows)
    return file


def write_csv(
    file: IO[bytes],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    separator: str = ",",
) -> None:
    """Write a CSV file in UTF-8; all text in `rows` must already be neutral."""
    # Spreadsheets need the mark to detect UTF-8.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(columns)
    for row in rows:
        writer.writerow(row)
    text.flush()
    text.detach()


def _write_csv(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    write_csv(file, columns, ([neutral(value) for value in row] for row in rows))


def _write_xlsx(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # Imported on demand: few processes write a workbook, and the import slows every start.
    import xlsxwriter

    with xlsxwriter.Workbook(file, BOOK_OPTIONS) as book:
        bold = book.add_format({"bold": True})
        # Marks a cell as text without adding a character, so that a SKU stays unchanged.
        text = book.add_format({"quote_prefix": True})
        sheet = _new_sheet(book, columns, bold)
        for number, row in enumerate(rows):
            if number and number % ROWS_A_SHEET == 0:
                sheet = _new_sheet(book, columns, bold)
            _write_row(sheet, number % ROWS_A_SHEET + 1, row, text)


def _new_sheet(book: Any, columns: Sequence[str], bold: Any) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(columns) - 1, 16)
    for place, name in enumerate(columns):
        sheet.write_string(0, place, name, bold)
    return sheet


def _write_row(sheet: Any, line: int, row: Sequence[Any], text: Any) -> None:
    for place, value in enumerate(row):
        cell = cell_of(value)
        if not isinstance(cell, str):
            sheet.write_number(line, place, cell)
        elif is_formula(cell):
            sheet.write_string(line, place, cell[:LONGEST_CELL], text)
        else:
            sheet.write_string(line, place, cell[:LONGEST_CELL])

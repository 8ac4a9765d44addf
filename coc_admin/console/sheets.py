"""Rows as a CSV or XLSX file, written in constant memory, with nothing that is taken for a formula.

The file is whole before the first byte of it is sent: a download is complete or does not begin.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Sequence
from typing import IO, Any

import xlsxwriter

from reconciliation.reports.downloads import neutral

FORMS = ("csv", "xlsx")
_LONGEST_CELL = 32_767


def sheet_file(form: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> IO[bytes]:
    """Return an open file in one of FORMS, at its beginning; a row has a cell for each column.

    XLSX holds at most 1,048,575 rows; the caller sees to that. Raises KeyError for another form.
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
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, 16)
        bold = book.add_format({"bold": True})
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, bold)
        for line, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                cell = neutral(value)
                if isinstance(cell, str):
                    sheet.write_string(line, place, cell[:_LONGEST_CELL])
                else:
                    sheet.write_number(line, place, cell)

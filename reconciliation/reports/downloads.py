"""Reading a daily report: the JSON file itself, or its orders as CSV or XLSX."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import IO, Any, BinaryIO

import xlsxwriter
from django.utils import timezone

from reconciliation.models import ReportDay
from reconciliation.reports import daily, keep_up, names

_DAY = re.compile(r"\A(\d{4})(\d{2})(\d{2})_([a-z]+)_")
_TRIES = 3
_ROWS_A_SHEET = 1_000_000
# A spreadsheet takes text that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

COLUMNS = (
    "siteId",
    "orderNo",
    "capturedAt",
    "reconciledAt",
    "reservationState",
    "reservationId",
    "currency",
    "orderTotal",
    "customerName",
    "customerEmail",
    "itemId",
    "sku",
    "productName",
    "inventoryListId",
    "quantity",
    "reservedQuantity",
    "shortQuantity",
    "unitPrice",
    "runId",
    "resolution",
    "resolutionAt",
    "resolutionBy",
    "resolutionNote",
)


class ReportUnavailable(Exception):
    """The file of a report is not there as it should be and could not be written just now."""

    def __init__(self, report: ReportDay) -> None:
        super().__init__(
            f"{names.name_of(report)} is being written; try again in a moment. If this stays so,"
            " see the alerts."
        )
        self.report = report


def find(file_name: str) -> ReportDay | None:
    """Return the report whose file has exactly this name; the disk is not asked."""
    match = _DAY.match(file_name)
    if match is None:
        return None
    try:
        day = date(*(int(part) for part in match.groups()[:3]))
    except ValueError:
        return None
    reports = ReportDay.objects.filter(date=day, report_type=match[4]).select_related("site")
    return next((report for report in reports if names.name_of(report) == file_name), None)


def open_json(report: ReportDay) -> BinaryIO:
    """Return the open file of a report, its content checked; a missing or torn one is rebuilt.

    Raises ReportUnavailable when it cannot be rebuilt, or somebody else is writing it.
    """
    for _ in range(_TRIES):
        report = ReportDay.objects.select_related("site").get(pk=report.pk)
        if report.revision:
            file = _open_if_whole(report)
            if file is not None:
                return file
        keep_up.rebuild_one(report, now=timezone.now())
    raise ReportUnavailable(report)


def _open_if_whole(report: ReportDay) -> BinaryIO | None:
    with suppress(OSError):
        file = names.path_of(report).open("rb")
        if daily.measure(file) == (report.byte_count, report.sha256):
            return file
        file.close()
    return None


def rows_of(file: BinaryIO) -> Iterator[list[Any]]:
    """Yield one row per order item, in the order of COLUMNS."""
    for order in daily.orders_in(file):
        customer = order["customer"]
        resolution = order["resolution"] or {}
        for item in order["items"]:
            flat = {
                **order,
                **item,
                "customerName": customer.get("customerName"),
                "customerEmail": customer.get("email"),
                "resolution": resolution.get("what"),
                "resolutionAt": resolution.get("at"),
                "resolutionBy": resolution.get("by"),
                "resolutionNote": resolution.get("note"),
            }
            yield [flat[column] for column in COLUMNS]


def neutral(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: text gets a leading apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value if isinstance(value, str | int | float) else str(value)


def csv_chunks(report: ReportDay) -> Iterator[bytes]:
    """Return the report as CSV (UTF-8 with a mark that spreadsheets need), a few rows at a time.

    Raises ReportUnavailable before the first chunk.
    """
    return _csv(open_json(report))


def _csv(file: BinaryIO) -> Iterator[bytes]:
    with file:
        text = io.StringIO()
        writer = csv.writer(text)
        text.write("\ufeff")
        writer.writerow(COLUMNS)
        for row in rows_of(file):
            writer.writerow([neutral(value) for value in row])
            if text.tell() > 1 << 16:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode()


def xlsx_file(report: ReportDay) -> IO[bytes]:
    """Return the report as an open XLSX file, written in constant memory.

    Raises ReportUnavailable.
    """
    made = tempfile.TemporaryFile()  # noqa: SIM115
    with open_json(report) as file:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with xlsxwriter.Workbook(made, options) as book:
            bold = book.add_format({"bold": True})
            sheet = None
            for number, row in enumerate(rows_of(file)):
                line = number % _ROWS_A_SHEET + 1
                if sheet is None or line == 1:
                    sheet = _new_sheet(book, bold)
                _write_row(sheet, line, row)
            if sheet is None:
                _new_sheet(book, bold)
    made.seek(0)
    return made


def _new_sheet(book: Any, bold: Any) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(COLUMNS) - 1, 16)
    for column, name in enumerate(COLUMNS):
        sheet.write_string(0, column, name, bold)
    return sheet


def _write_row(sheet: Any, line: int, row: list[Any]) -> None:
    for column, value in enumerate(row):
        cell = neutral(value)
        if isinstance(cell, str):
            # The format allows no more in a cell.
            sheet.write_string(line, column, cell[:32_767])
        else:
            sheet.write_number(line, column, cell)

"""Read a daily report: the JSON file itself, or its orders as CSV or XLSX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from typing import IO, Any, BinaryIO

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.tables import Column, Kind, Table, sheet_file
from orders.tables.of_orders import ITEM_COLUMNS
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import daily, names, publish

_DAY = re.compile(r"\A(\d{4})(\d{2})(\d{2})_([a-z]+)_")
_TRIES = 3

COLUMNS = tuple(column.name for column in ITEM_COLUMNS)
_REPORT_COLUMNS = (
    Column("reportDate", gettext_lazy("Day")),
    Column(
        "reportType",
        gettext_lazy("Report"),
        Kind.CHOICE,
        choices={str(value): label for value, label in ReportType.choices},
    ),
)


class ReportUnavailable(Exception):
    """A report's file is missing or wrong and can't be rewritten at the moment."""

    def __init__(self, report: ReportDay) -> None:
        words = _(
            "%(report)s is being written. Try again in a moment. If this lasts, check the alerts."
        )
        super().__init__(words % {"report": names.name_of(report)})
        self.report = report


def find(file_name: str) -> ReportDay | None:
    """Return the report with exactly this file name; does not read the disk."""
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

    Raises ReportUnavailable if it can't be rebuilt, or another process is writing it.
    """
    for _try in range(_TRIES):
        report = ReportDay.objects.select_related("site").get(pk=report.pk)
        if report.revision:
            file = _open_if_whole(report)
            if file is not None:
                return file
        publish.rebuild_one(report, now=timezone.now())
    raise ReportUnavailable(report)


def open_as_written(report: ReportDay) -> tuple[ReportDay, BinaryIO | None]:
    """Return the current row of a report and its open file, content checked; rebuilds nothing.

    The file is None if it is missing, was changed, or is being written.
    """
    for _try in range(_TRIES):
        report = ReportDay.objects.select_related("site").get(pk=report.pk)
        file = _open_if_whole(report) if report.revision else None
        if file is not None:
            return report, file
    return report, None


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
            # Files of earlier releases lack newer members.
            yield [flat.get(column) for column in COLUMNS]


def open_sheet(report: ReportDay, form: str) -> IO[bytes]:
    """Return the orders of a report as an open file in the form csv or xlsx.

    Raises ReportUnavailable, or KeyError for an unknown form.
    """
    with open_json(report) as file:
        return sheet_file(form, COLUMNS, rows_of(file))


def report_table(reports: Iterable[ReportDay]) -> Table:
    """Return the items of reports as a table; its rows open one file after the other.

    Reading the rows raises ReportUnavailable if a file isn't available.
    """
    rows = (row for report in reports for row in _rows_of_report(report))
    return Table(gettext_lazy("Report"), ITEM_COLUMNS, rows)


def joint_table(reports: Iterable[ReportDay]) -> Table:
    """Return the same table with each report's day and kind in front of the row.

    An order may be in several reports; without these columns its items would look duplicated.
    """
    rows = (
        [report.date.isoformat(), report.report_type, *row]
        for report in reports
        for row in _rows_of_report(report)
    )
    return Table(gettext_lazy("Reports"), (*_REPORT_COLUMNS, *ITEM_COLUMNS), rows)


def _rows_of_report(report: ReportDay) -> Iterator[list[Any]]:
    with open_json(report) as file:
        yield from rows_of(file)

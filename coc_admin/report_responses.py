"""Sending files over HTTP: a daily report, which the console and the API share, and any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from django.http import HttpResponseBase, StreamingHttpResponse

from reconciliation.models import ReportDay
from reconciliation.reports import downloads, names

_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FORMS = tuple(_TYPES)
_BLOCK = 1 << 16


def report_response(report: ReportDay, form: str) -> HttpResponseBase:
    """Return `report` as a download in one of FORMS.

    Raises KeyError for another form, downloads.ReportUnavailable when its file cannot be had.
    """
    content_type = _TYPES[form]
    if form == "csv":
        body = downloads.csv_chunks(report)
    elif form == "xlsx":
        body = _blocks(downloads.xlsx_file(report))
    else:
        body = _blocks(downloads.open_json(report))
    return _download(body, names.name_of(report).removesuffix("json") + form, content_type)


def file_response(file: IO[bytes], *, stem: str, form: str) -> HttpResponseBase:
    """Return an open file as the download `stem`.`form`, a block at a time.

    `stem` holds nothing but letters, digits and a few marks. Raises KeyError if `form` is not one
    of FORMS.
    """
    return _download(_blocks(file), f"{stem}.{form}", _TYPES[form])


def _download(body: Iterator[bytes], name: str, content_type: str) -> HttpResponseBase:
    return StreamingHttpResponse(
        body,
        content_type=content_type,
        # The name holds nothing but letters, digits and a few marks; see reports.names.
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block

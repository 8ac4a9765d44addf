"""Sending files over HTTP: a daily report, which the console and the API share, and any other."""

from __future__ import annotations

from typing import IO

from django.http import FileResponse, HttpResponseBase

from reconciliation.models import ReportDay
from reconciliation.reports import downloads, names

_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


def report_response(report: ReportDay, form: str) -> HttpResponseBase:
    """Return `report` as a download in the form json, csv or xlsx, as programs read it.

    Raises KeyError for another form, downloads.ReportUnavailable when its file cannot be had.
    """
    if form == "json":
        file: IO[bytes] = downloads.open_json(report)
    else:
        file = downloads.open_sheet(report, form)
    return file_response(file, stem=names.stem_of(report), form=form)


def file_response(file: IO[bytes], *, stem: str, form: str) -> HttpResponseBase:
    """Return an open file as the download `stem`.`form`; the web server reads it and closes it.

    No thread is held while it is sent, however slowly it is read.
    `stem` holds nothing but letters, digits and a few marks. Raises KeyError if `form` is neither
    json, csv, xlsx nor zip.
    """
    # Of the open file Django tells the length: its name may stand for another one by now.
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"{stem}.{form}",
        content_type=_TYPES[form],
    )

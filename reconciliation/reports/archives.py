"""Several files as one ZIP file, made in constant memory: daily reports, texts, tables."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import IO

from orders.tables.temporary import filled
from reconciliation.models import ReportDay
from reconciliation.reports import downloads, names

_BLOCK = 1 << 16

# A file's name in the archive, and how to open it.
Entry = tuple[str, Callable[[], IO[bytes]]]


def report_entries(reports: Iterable[ReportDay], *, texts: Mapping[str, str]) -> Iterator[Entry]:
    """Yield the entries of `texts` by name, then those of `reports`, each opened only when needed.

    Opening one raises downloads.ReportUnavailable if its file isn't available.
    """
    for name, text in texts.items():
        yield name, partial(io.BytesIO, text.encode())
    for report in reports:
        yield names.name_of(report), partial(downloads.open_json, report)


def zip_of(entries: Iterable[Entry], *, now: datetime) -> IO[bytes]:
    """Return an open ZIP file, at its beginning; entries are opened one at a time."""
    with filled() as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, open_source in entries:
            with (
                open_source() as source,
                bundle.open(_entry(name, now), "w", force_zip64=True) as target,
            ):
                shutil.copyfileobj(source, target, _BLOCK)
    return file


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    # A regular file that everyone can read; some programs would otherwise unpack it unreadable.
    entry.external_attr = 0o100644 << 16
    return entry

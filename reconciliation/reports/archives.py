"""Several daily reports and texts about them as one ZIP file, made in constant memory.

The file is whole before the first byte of it is sent: a download is complete or does not begin.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import IO

from reconciliation.models import ReportDay
from reconciliation.reports import downloads, names

_BLOCK = 1 << 16


def zip_file(reports: Iterable[ReportDay], *, texts: Mapping[str, str], now: datetime) -> IO[bytes]:
    """Return an open ZIP file, at its beginning, of `texts` by name and the files of `reports`.

    Raises downloads.ReportUnavailable when one of them cannot be had; there is no file then.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, text in texts.items():
                bundle.writestr(_entry(name, now), text)
            for report in reports:
                entry = _entry(names.name_of(report), now)
                with (
                    downloads.open_json(report) as source,
                    bundle.open(entry, "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target, _BLOCK)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    # Readable by everybody, and a file; without it some programs unpack it without any right.
    entry.external_attr = 0o100644 << 16
    return entry

"""The daily reports: one file per site, day and kind, written from the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.db.models import F

from orders.models import Site
from orders.serializers import iso
from reconciliation.models import ReportDay, ReportType
from reconciliation.reasons import join, say
from reconciliation.reports import atomic_files, missing_orders, names
from reconciliation.reports.file_faults import reason_of
from reconciliation.reports.report_types import orders_of
from reconciliation.reports.serializers import (
    SCHEMA_VERSION,
    line_of,
    members_of_rows,
    rows_in_chunks,
)

_COUNT_PLACES = 10
_BLOCK = 1 << 20


class LeaseLost(Exception):
    """Another process now writes the site's reports; this one replaced nothing."""


def mark(*, site: Site, kinds: set[tuple[date, ReportType]]) -> None:
    """Mark the reports of these days and kinds as behind; creates missing rows."""
    for day, kind in sorted(kinds):
        found = ReportDay.objects.filter(site=site, date=day, report_type=kind)
        if not found.update(needs_merge=True):
            ReportDay.objects.get_or_create(site=site, date=day, report_type=kind)


def mark_left(*, site: Site, days: set[date]) -> None:
    """Mark existing *reserved* reports of these days as outdated: orders have left them."""
    ReportDay.objects.filter(site=site, date__in=days, report_type=ReportType.RESERVED).update(
        needs_merge=True
    )


def merge(report: ReportDay, *, keep_lease: Callable[[], bool], now: datetime) -> None:
    """Rewrite the report's file and then remove the work files of its orders.

    The caller has the lease on the site's reports; `keep_lease` renews it and returns whether it is
    still ours. A file with orders that the database lacks stays in the folder `kept`. Raises
    OSError if the file can't be written (the old one stays), LeaseLost.
    """
    path = names.path_of(report)
    revision = report.revision + 1
    with atomic_files.replacing(path) as file:
        count = _write(file, report, revision, keep_lease, now)
        size, digest = measure(file)
        missing_orders.keep_if_it_knows_more(path, written=file, report=report, now=now)
        if not keep_lease():
            raise LeaseLost(path.name)
    atomic_files.sync_folder(path.parent)
    won = ReportDay.objects.filter(pk=report.pk, revision=report.revision).update(
        revision=F("revision") + 1,
        order_count=count,
        byte_count=size,
        sha256=digest,
        generated_at=now,
        needs_merge=False,
        last_error="",
    )
    if not won:
        # Two processes wrote the report: neither file can be trusted, so it is written once more.
        ReportDay.objects.filter(pk=report.pk).update(needs_merge=True)
        raise LeaseLost(path.name)
    _remove_work_files(report, path, now)


def _write(
    file: BinaryIO,
    report: ReportDay,
    revision: int,
    keep_lease: Callable[[], bool],
    now: datetime,
) -> int:
    """Write the report and return its number of orders."""
    head = {
        "schemaVersion": SCHEMA_VERSION,
        "reportType": report.report_type,
        "siteId": report.site_id,
        "date": report.date.isoformat(),
        "timeZone": report.site.time_zone,
        "revision": revision,
        "generatedAt": iso(now),
    }
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]
    file.write(f'{opening},"orderCount":'.encode())
    place_of_count = file.tell()
    # The count is known only at the end, and JSON allows padding with spaces.
    file.write(b" " * _COUNT_PLACES + b',"orders":[')
    count = 0
    orders = orders_of(report.report_type, site=report.site, day=report.date)
    for chunk in rows_in_chunks(orders):
        for members in members_of_rows(chunk):
            file.write(b",\n" if count else b"\n")
            file.write(line_of(members))
            count += 1
        if not keep_lease():
            raise LeaseLost(names.name_of(report))
    file.write(b"\n]}\n")
    file.seek(place_of_count)
    file.write(f"{count:>{_COUNT_PLACES}}".encode())
    return count


def measure(file: BinaryIO) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of an open file, and rewind it."""
    file.seek(0)
    digest = hashlib.sha256()
    size = 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    file.seek(0)
    return size, digest.hexdigest()


def orders_in(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the orders of a daily report from its file, one line at a time."""
    for line in file:
        # All lines except the head and the end are orders.
        if line.startswith(missing_orders.ORDER_LINE):
            yield json.loads(line.rstrip(b",\n"))


def _remove_work_files(report: ReportDay, path: Path, now: datetime) -> None:
    """Remove the work files of the report's orders; those of missing orders stay."""
    folder = names.work_folder()
    if not folder.is_dir():
        return
    atomic_files.remove_left_overs(folder)
    kind = ReportType(report.report_type)
    there = {entry.name for entry in folder.iterdir() if entry.name.startswith(f"{kind}_")}
    if not there:
        return
    with path.open("rb") as file:
        for members in orders_in(file):
            captured_at = datetime.fromisoformat(members["capturedAt"])
            name = names.work_name(
                kind, order_no=members["orderNo"], captured_at=captured_at, site=report.site
            )
            if name in there:
                there.remove(name)
                with suppress(FileNotFoundError):
                    (folder / name).unlink()
    of_day = names.work_names_of(report)
    left = [folder / name for name in there if name.startswith(of_day)]
    missing_orders.note_work_files(left, day=report.date, now=now)


def fault_of(report: ReportDay, *, deep: bool) -> str:
    """Return the fault of a written report's file, as a reason, or "".

    `deep` compares its content; otherwise only existence and size.
    """
    path = names.path_of(report)
    try:
        if not deep:
            size, digest = path.stat().st_size, report.sha256
        else:
            with path.open("rb") as file:
                size, digest = measure(file)
    except OSError as error:
        return join(say("report_unreadable"), reason_of(error))
    if (size, digest) != (report.byte_count, report.sha256):
        return say("report_changed")
    return ""

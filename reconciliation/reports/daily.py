"""The daily reports: one file per site, day and kind, written from the database."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any, BinaryIO

from django.db.models import Case, F, QuerySet, When

from orders.models import Site
from orders.serializers import iso
from reconciliation.models import ReportDay, ReportType
from reconciliation.reasons import join, say
from reconciliation.reports import atomic_files, lines, missing_orders, names
from reconciliation.reports.file_faults import reason_of
from reconciliation.reports.serializers import CHUNK, SCHEMA_VERSION, OrderRow

logger = logging.getLogger(__name__)

_COUNT_PLACES = 10
_BLOCK = 1 << 20


class LeaseLost(Exception):
    """Another process now writes the site's reports; this one replaced nothing."""


def mark(*, site: Site, kinds: set[tuple[date, ReportType]], since: int | None = None) -> None:
    """Mark the reports of these days and kinds as behind; creates missing rows.

    `since` is the first event whose changes they lack; without it, all their lines are written.
    """
    for day, kind in sorted(kinds):
        found = ReportDay.objects.filter(site=site, date=day, report_type=kind)
        if not _mark(found, since):
            ReportDay.objects.get_or_create(site=site, date=day, report_type=kind)


def mark_left(*, site: Site, days: set[date], since: int) -> None:
    """Mark existing *reserved* reports of these days as outdated: orders have left them."""
    found = ReportDay.objects.filter(site=site, date__in=days, report_type=ReportType.RESERVED)
    _mark(found, since)


def _mark(reports: QuerySet[ReportDay], since: int | None) -> int:
    """Mark reports as behind from the event `since` on, or a lower one that is noted already."""
    if since is None:
        return reports.update(needs_merge=True, changed_since=None)
    # Null of a report that is behind: all its lines are to be written.
    behind = Case(
        When(needs_merge=True, changed_since=None, then=None),
        When(needs_merge=True, changed_since__lt=since, then=F("changed_since")),
        default=since,
    )
    return reports.update(needs_merge=True, changed_since=behind)


def merge(report: ReportDay, *, keep_lease: Callable[[], bool], now: datetime) -> None:
    """Rewrite the report's file and then remove the work files of its orders.

    The caller has the lease on the site's reports; `keep_lease` renews it and returns whether it is
    still ours. A file with orders that the database lacks stays in the folder `kept`. Raises
    OSError if the file can't be written (the old one stays), LeaseLost.
    """
    path = names.path_of(report)
    work = _WorkFiles(report)
    with atomic_files.replacing(path) as file:
        count = _write(file, report, work, keep_lease, now)
        size, digest = measure(file)
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
        changed_since=None,
        last_error="",
    )
    if not won:
        # Two processes wrote the report: neither file can be trusted, so it is written once more.
        ReportDay.objects.filter(pk=report.pk).update(needs_merge=True, changed_since=None)
        raise LeaseLost(path.name)
    work.remove_merged(report, now)


def _write(
    file: BinaryIO,
    report: ReportDay,
    work: _WorkFiles,
    keep_lease: Callable[[], bool],
    now: datetime,
) -> int:
    """Write the report and return its number of orders."""
    path = names.path_of(report)
    # Read under the lease: `report` may be older than the last mark.
    report.refresh_from_db(fields=["changed_since"])
    if report.changed_since is not None:
        try:
            with path.open("rb") as before:
                copied = lines.changed_lines(report, before, work.found)
                return _write_lines(file, report, copied, keep_lease, now)
        except (lines.CannotCopy, FileNotFoundError) as error:
            logger.info("All lines of %s are written: %s", path.name, error)
            file.seek(0)
            file.truncate()
    count = _write_lines(file, report, lines.all_lines(report, work.found), keep_lease, now)
    file.seek(0)
    missing_orders.keep_if_it_knows_more(path, written=file, report=report, now=now)
    return count


def _write_lines(
    file: BinaryIO,
    report: ReportDay,
    orders: Iterable[bytes],
    keep_lease: Callable[[], bool],
    now: datetime,
) -> int:
    head = {
        "schemaVersion": SCHEMA_VERSION,
        "reportType": report.report_type,
        "siteId": report.site_id,
        "date": report.date.isoformat(),
        "timeZone": report.site.time_zone,
        "revision": report.revision + 1,
        "generatedAt": iso(now),
    }
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]
    file.write(f'{opening},"orderCount":'.encode())
    place_of_count = file.tell()
    # The count is known only at the end, and JSON allows padding with spaces.
    file.write(b" " * _COUNT_PLACES + b',"orders":[')
    count = 0
    for line in orders:
        file.write(b",\n" if count else b"\n")
        file.write(line)
        count += 1
        if count % CHUNK == 0 and not keep_lease():
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


class _WorkFiles:
    """The work files of a report: which are there, and which of them a merge has read."""

    def __init__(self, report: ReportDay) -> None:
        self._kind, self._site = ReportType(report.report_type), report.site
        folder = names.work_folder()
        self._left: set[str] = set()
        self._merged: list[str] = []
        if folder.is_dir():
            atomic_files.remove_left_overs(folder)
            of_day = names.work_names_of(report)
            self._left = {one.name for one in folder.iterdir() if one.name.startswith(of_day)}

    def found(self, order: OrderRow) -> None:
        """Note that the new file has this order as the database has it."""
        if not self._left:
            return
        name = names.work_name(
            self._kind, order_no=order.order_no, captured_at=order.captured_at, site=self._site
        )
        if name in self._left:
            self._left.remove(name)
            self._merged.append(name)

    def remove_merged(self, report: ReportDay, now: datetime) -> None:
        """Remove the files of merged orders; those of missing orders stay, and are noted."""
        for name in self._merged:
            (names.work_folder() / name).unlink(missing_ok=True)
        left = [names.work_folder() / name for name in self._left]
        missing_orders.note_work_files(left, day=report.date, now=now)


def orders_in(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the orders of a daily report from its file, one line at a time."""
    for line in file:
        # All lines except the head and the end are orders.
        if line.startswith(missing_orders.ORDER_LINE):
            yield json.loads(line.rstrip(b",\n"))


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

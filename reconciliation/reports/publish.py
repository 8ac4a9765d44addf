"""Publish reports: work files from the outbox, then daily reports.

The events of an order are the outbox (`OrderEvent.projected`). One process at a time writes the
reports of a site, under a lease. Every step can be repeated: files are written from the current
rows, and an event counts as projected only when its order's files are in place.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from orders.models import EventKind, Order, OrderEvent, Site
from reconciliation.models import ReportDay, ReportType
from reconciliation.queue import enqueue, intervals, leases
from reconciliation.reasons import columns
from reconciliation.reports import atomic_files, daily, missing_orders, names
from reconciliation.reports.file_faults import reason_of
from reconciliation.reports.report_types import kinds_of, orders_of
from reconciliation.reports.serializers import in_chunks, members_of, work_file

logger = logging.getLogger(__name__)

# After these events less may be reserved of an order.
_GIVES_BACK = (EventKind.GIVEN_BACK, EventKind.ADJUSTMENT_DONE)
_EVENTS = 500
_LEASE_SECONDS = 60.0
# Rewriting a day takes time in proportion to its orders, so long days are written less often.
_ORDERS_A_SECOND = 4_000
# These days' files are checked each time; older ones by `merge_reports` and downloads.
_WATCHED = timedelta(days=3)


@dataclass(slots=True)
class Done:
    """The result: work files, daily reports, and sites with unwritable files."""

    work_files: int = 0
    reports: int = 0
    failed: int = 0
    busy: int = 0


def project(*, now: datetime) -> Done:
    """Write the work files of changed orders; merge the days that have waited long enough."""
    return _each_site(Site.objects.order_by("pk"), _due, now)


def project_and_merge(*, now: datetime) -> Done:
    """Write the work files of changed orders and merge every day that is behind or damaged."""
    return _each_site(Site.objects.order_by("pk"), _behind, now)


def rebuild(
    *, now: datetime, site: Site | None = None, day: date | None = None, deep: bool = True
) -> Done:
    """Rebuild missing, torn or outdated reports, of one site or day or of all.

    With `day`, that day's reports are rebuilt from the orders, whatever their rows say.
    """
    sites = Site.objects.order_by("pk") if site is None else Site.objects.filter(pk=site.pk)

    def choose(one: Site, _: datetime) -> Iterable[ReportDay]:
        if day is not None:
            _mark_from_orders(one, day)
        reports = _reports_of(one) if day is None else _reports_of(one).filter(date=day)
        return [r for r in reports if r.needs_merge or daily.fault_of(r, deep=deep)]

    return _each_site(sites, choose, now)


def rebuild_one(report: ReportDay, *, now: datetime) -> Done:
    """Rewrite one report's file, unless another process is writing the site's reports."""
    return _each_site(Site.objects.filter(pk=report.site_id), lambda *_: [report], now)


def ask_for_day(*, site: Site, day: date) -> int:
    """Queue a rebuild of a day's reports from the orders; return how many.

    Idempotent: a queued report is written once.
    """
    reports = ReportDay.objects.filter(site=site, date=day)
    with transaction.atomic():
        _mark_from_orders(site, day)
        reports.update(needs_merge=True, changed_since=None)
        enqueue.soon("merge_reports")
    return reports.count()


def _mark_from_orders(site: Site, day: date) -> None:
    kinds = {(day, kind) for kind in ReportType if orders_of(kind, site=site, day=day).exists()}
    daily.mark(site=site, kinds=kinds)


def _reports_of(site: Site) -> QuerySet[ReportDay]:
    reports = ReportDay.objects.filter(site=site).select_related("site")
    return reports.order_by("date", "report_type")


def _behind(site: Site, now: datetime) -> Iterable[ReportDay]:
    """Choose outdated reports, and missing or torn ones of the last days."""
    watched = names.day_of(now - _WATCHED, site)
    return [
        report
        for report in _reports_of(site)
        if report.needs_merge or (report.date >= watched and daily.fault_of(report, deep=False))
    ]


def _due(site: Site, now: datetime) -> Iterable[ReportDay]:
    """Choose reports that have been outdated for long enough."""
    chosen = []
    pause = intervals.interval_of(intervals.MERGE).seconds
    for report in ReportDay.objects.filter(site=site, needs_merge=True).select_related("site"):
        seconds = max(pause, report.order_count / _ORDERS_A_SECOND)
        if report.generated_at is None or report.generated_at <= now - timedelta(seconds=seconds):
            chosen.append(report)
    return chosen


def _each_site(
    sites: Iterable[Site],
    choose: Callable[[Site, datetime], Iterable[ReportDay]],
    now: datetime,
) -> Done:
    done = Done()
    for site in sites:
        if not _has_work(site) and not list(choose(site, now)):
            continue
        lease = f"reports:{site.pk}"
        holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

        def keep_lease(lease: str = lease, holder: str = holder) -> bool:
            return leases.take(
                name=lease, holder=holder, seconds=_LEASE_SECONDS, now=timezone.now()
            )

        if not keep_lease():
            done.busy += 1
            continue
        try:
            _write_site(site, choose, keep_lease, now, done)
        except daily.LeaseLost as lost:
            logger.warning("The lease on the reports of %s was lost at %s.", site.pk, lost)
            done.busy += 1
        finally:
            leases.give_back(name=lease, holder=holder, now=timezone.now())
    return done


def _has_work(site: Site) -> bool:
    return OrderEvent.objects.filter(projected=False, order__site=site).exists()


def _write_site(
    site: Site,
    choose: Callable[[Site, datetime], Iterable[ReportDay]],
    keep_lease: Callable[[], bool],
    now: datetime,
    done: Done,
) -> None:
    if not _project_site(site, keep_lease, done):
        return
    for report in choose(site, now):
        try:
            daily.merge(report, keep_lease=keep_lease, now=now)
            done.reports += 1
        except OSError as error:
            done.failed += 1
            _note_failure([report.pk], error)
            return


def _project_site(site: Site, keep_lease: Callable[[], bool], done: Done) -> bool:
    """Empty the site's outbox into work files; False if they can't be written."""
    while events := list(
        OrderEvent.objects.filter(projected=False, order__site=site)
        .order_by("id")
        .values_list("pk", "order", "kind")[:_EVENTS]
    ):
        changed = Order.objects.filter(pk__in={order_id for _, order_id, _ in events})
        given_back = {pk for _, pk, kind in events if kind in _GIVES_BACK}
        for orders in in_chunks(changed):
            kinds = {
                (names.day_of(order.captured_at, site), kind)
                for order in orders
                for kind in kinds_of(order)
            }
            # Before the files: an unnecessary mark only costs one more write.
            since = events[0][0]
            daily.mark(site=site, kinds=kinds, since=since)
            left = [one for one in orders if one.pk in given_back and one.captured_offline]
            days = {names.day_of(one.captured_at, site) for one in left}
            daily.mark_left(site=site, days=days, since=since)
            erased = {pk for _, pk, event in events if event == EventKind.ERASED}
            try:
                _erase_in_kept_files(site, [one for one in orders if one.pk in erased])
                _remove_what_they_left(left)
                done.work_files += _write_work_files(orders)
            except OSError as error:
                done.failed += 1
                behind = ReportDay.objects.filter(site=site, date__in={day for day, _ in kinds})
                _note_failure(behind.values_list("pk", flat=True), error)
                return False
        if not keep_lease():
            raise daily.LeaseLost("work files")
        OrderEvent.objects.filter(pk__in=[pk for pk, _, _ in events]).update(projected=True)
    return True


def _remove_what_they_left(given_back: Iterable[Order]) -> None:
    """Remove work files that no merge would find, because their orders are no longer reserved."""
    for order in given_back:
        if ReportType.RESERVED not in kinds_of(order):
            names.work_path(ReportType.RESERVED, order).unlink(missing_ok=True)


def _erase_in_kept_files(site: Site, erased: Iterable[Order]) -> None:
    if numbers := {order.order_no for order in erased}:
        missing_orders.erase_customers(site=site, order_nos=numbers)


def _write_work_files(orders: list[Order]) -> int:
    written = 0
    for order, members in zip(orders, members_of(orders), strict=True):
        for kind in kinds_of(order):
            with atomic_files.replacing(names.work_path(kind, order)) as file:
                file.write(work_file(kind, members))
            written += 1
    return written


def _note_failure(report_ids: Iterable[int], error: OSError) -> None:
    fault = reason_of(error)
    logger.error("Reports cannot be written: %s", fault)
    ReportDay.objects.filter(pk__in=list(report_ids)).update(
        **columns("last_error", fault, limit=500), needs_merge=True
    )

"""Pages about one daily report: its content, and rebuilding its day."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from coc_admin.console.access import console_page
from coc_admin.console.reports.forms import ReportLineForm
from coc_admin.console.reports.queries import lines_of, open_orders, report_or_404
from coc_admin.pager import Column, Keyset, Page
from orders.reasons import in_words
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import daily, downloads, names, publish
from reconciliation.reports.reader import Found, look

PAGE = 50
# A place in the file of one revision: the byte where an order begins.
_IN_FILE = Keyset(Column("revision"), Column("place"))


@console_page("reconciliation.download_report")
def report_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the orders in a report's file beside their current state.

    Reports a missing or torn file; viewing writes nothing.
    """
    form = ReportLineForm(request.GET)
    form.is_valid()
    report, file = downloads.open_as_written(report_or_404(request, pk))
    begin = _IN_FILE.place_or_start(request.GET.get("cursor", ""))
    revision, place = begin.values if begin else (0, 0)
    found, fault = Found([], None), ""
    if file is None:
        fault = in_words(daily.fault_of(report, deep=True)) if report.revision else ""
    elif not form.errors:
        with file:
            place = place if revision == report.revision else 0
            found = look(file, wanted=form.wanted, place=place, size=PAGE)
    next_place = (report.revision, found.next_place)
    further = _IN_FILE.cursor(next_place) if found.next_place else ""
    context: dict[str, Any] = {
        "report": report,
        "name": names.name_of(report),
        "has_file": file is not None,
        "fault": fault,
        "form": form,
        "is_narrowed": form.wanted.is_narrow,
        "lines": lines_of(report, found.orders),
        "was_cut": found.was_cut,
        "page": Page(found.orders, further, is_first=not place),
        "is_newer": bool(revision) and revision != report.revision,
        "open": open_orders(report) if report.report_type == ReportType.OVERSOLD else None,
        "siblings": _siblings(report),
        "may_rebuild": request.user.has_perm("reconciliation.start_run"),
    }
    return render(request, "console/reports/report.html", context)


def _siblings(report: ReportDay) -> list[ReportDay]:
    day = ReportDay.objects.filter(site=report.site_id, date=report.date)
    return list(day.exclude(pk=report.pk).order_by("report_type"))


@console_page("reconciliation.start_run", methods=("POST",))
def rebuild(request: HttpRequest, pk: int) -> HttpResponse:
    """Rebuild the reports of this report's site and day. Idempotent."""
    report = report_or_404(request, pk)
    publish.ask_for_day(site=report.site, day=report.date)
    messages.success(
        request,
        _(
            "The reports of this day are being rebuilt from the orders. The list shows when they"
            " are ready."
        ),
    )
    query = urlencode({"site": report.site_id, "date": report.date.isoformat()})
    return redirect(f"{reverse('reports')}?{query}")

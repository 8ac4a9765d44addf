"""Pages about the daily reports: the list, and downloading one as JSON, CSV or XLSX."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from coc_admin.accounts import audit_log
from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.access import console_page
from coc_admin.console.forms import ReportFilterForm
from coc_admin.console.reports.queries import report_or_404, shown_reports
from coc_admin.pager import Column, Keyset
from coc_admin.report_responses import FORMS, report_response
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import names
from reconciliation.reports.downloads import ReportUnavailable

PAGE = 60
_LATEST_FIRST = Keyset(
    Column("date", date, True), Column("site_id", str), Column("report_type", str)
)


def latest_days(number: int, *, access: SiteAccess) -> list[tuple[date, list[ReportDay]]]:
    """Return the latest `number` days that have reports, with their reports; two queries."""
    found = shown_reports(access)
    days = list(found.order_by("-date").values_list("date", flat=True).distinct()[:number])
    reports = found.filter(date__in=days).order_by("-date", "site", "report_type")
    return [(day, list(group)) for day, group in groupby(reports, key=lambda report: report.date)]


@console_page("reconciliation.download_report")
def report_list(request: HttpRequest) -> HttpResponse:
    """List the daily reports by site, kind and day."""
    return render(request, "console/reports/reports.html", _list_context(request))


@console_page("reconciliation.download_report")
def reports_live(request: HttpRequest) -> HttpResponse:
    """Return the moving part of the list."""
    return render(request, "console/reports/reports_live.html", _list_context(request))


def _list_context(request: HttpRequest) -> dict[str, Any]:
    access = site_access(request)
    form = ReportFilterForm(request.GET)
    form.is_valid()
    site, kind, day = (form.cleaned_data.get(name) for name in ("site", "kind", "date"))
    found = shown_reports(access)
    site = site if site and access.permits(site.pk) else None
    if site:
        found = found.filter(site=site)
    if kind:
        found = found.filter(report_type=kind)
    if day:
        found = found.filter(date=day)
    return {
        "page": _LATEST_FIRST.page(found, request.GET.get("cursor", ""), size=PAGE),
        "form": form,
        "sites": access.sites,
        "site": site,
        "kind": kind,
        "kinds": ReportType.choices,
        "is_filtered": bool(site or kind or day),
    }


@console_page("reconciliation.download_report")
def download(request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
    """Send one report as the JSON file itself, as CSV or as XLSX."""
    if form not in FORMS:
        raise Http404
    report = report_or_404(request, pk)
    try:
        answer = report_response(report, form)
    except ReportUnavailable as fault:
        messages.error(request, str(fault))
        return redirect("reports")
    audit_log.record(
        request=request,
        action="report.downloaded",
        target=f"report:{names.name_of(report)}",
        detail={"form": form},
    )
    return answer

"""Pages about the daily reports: the list, and downloading one as JSON, CSV or XLSX."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.downloads import (
    PER_SITE,
    form_or_404,
    stamped,
    table_response,
    tables_response,
)
from coc_admin.console.formats import format_quantity
from coc_admin.console.forms import ReportFilterForm
from coc_admin.console.reports.queries import report_or_404, shown_reports
from coc_admin.pager import Column, Keyset
from coc_admin.report_responses import report_response
from orders.tables import Form
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import names
from reconciliation.reports.downloads import ReportUnavailable, joint_table, report_table

PAGE = 60
_LATEST_FIRST = Keyset(
    Column("date", date, True), Column("site_id", str), Column("report_type", str)
)
MOST_REPORTS = 1_000


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
    """Return the live part of the list."""
    return render(request, "console/reports/reports_live.html", _list_context(request))


def _list_context(request: HttpRequest) -> dict[str, Any]:
    access = site_access(request)
    form, found = _filtered(request)
    chosen = form.cleaned_data
    site = chosen.get("site")
    site = site if site and access.permits(site.pk) else None
    return {
        "page": _LATEST_FIRST.page(found, request.GET.get("cursor", ""), size=PAGE),
        "form": form,
        "sites": access.sites,
        "site": site,
        "kind": chosen.get("kind"),
        "kinds": ReportType.choices,
        "is_filtered": bool(site or chosen.get("kind") or chosen.get("date")),
    }


def _filtered(request: HttpRequest) -> tuple[ReportFilterForm, QuerySet[ReportDay]]:
    """Return the filters of the list and the matching reports, the latest day first."""
    access = site_access(request)
    form = ReportFilterForm(request.GET)
    form.is_valid()
    site, kind, day = (form.cleaned_data.get(name) for name in ("site", "kind", "date"))
    found = shown_reports(access).order_by("-date", "site", "report_type")
    if site and access.permits(site.pk):
        found = found.filter(site=site)
    if kind:
        found = found.filter(report_type=kind)
    return form, found.filter(date=day) if day else found


@console_page("reconciliation.download_report")
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send the reports that match the list's filters, in a Form: all in one table.

    `per_site=1` sends a file for each of them. More than MOST_REPORTS are refused.
    """
    chosen = form_or_404(form)
    _form, found = _filtered(request)
    reports = list(
        found.filter(revision__gt=0).order_by("date", "site", "report_type")[: MOST_REPORTS + 1]
    )
    if len(reports) > MOST_REPORTS:
        messages.error(
            request,
            _("More than %(number)s reports match. Choose a day, a site or a kind first.")
            % {"number": format_quantity(MOST_REPORTS)},
        )
        return redirect(f"{reverse('reports')}?{request.GET.urlencode()}")
    try:
        if request.GET.get(PER_SITE) == "1":
            tables = ((names.stem_of(report), report_table([report])) for report in reports)
            answer = tables_response(tables, chosen, stem=stamped("reports"), now=timezone.now())
        else:
            answer = table_response(joint_table(reports), chosen, stem=stamped("reports"))
    except ReportUnavailable as fault:
        messages.error(request, str(fault))
        return redirect("reports")
    audit.record(
        request=request,
        action="report.downloaded",
        target="report",
        detail={"form": form, "reports": len(reports)} | request.GET.dict(),
    )
    return answer


def _answer(report: ReportDay, form: str) -> HttpResponseBase:
    # For programs, identical to the API's answer.
    if form in ("json", Form.CSV):
        return report_response(report, form)
    return table_response(report_table([report]), form_or_404(form), stem=names.stem_of(report))


@console_page("reconciliation.download_report")
def download(request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
    """Send one report as the JSON file itself, or its items in a Form."""
    report = report_or_404(request, pk)
    try:
        answer = _answer(report, form)
    except ReportUnavailable as fault:
        messages.error(request, str(fault))
        return redirect("reports")
    audit.record(
        request=request,
        action="report.downloaded",
        target=f"report:{names.name_of(report)}",
        detail={"form": form},
    )
    return answer

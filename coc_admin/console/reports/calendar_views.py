"""The daily reports as a month: the kinds of reports on each day, with their orders."""

from __future__ import annotations

import calendar as months
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page
from coc_admin.console.reports.forms import EARLIEST, LATEST, CalendarForm
from coc_admin.console.reports.queries import shown_reports
from reconciliation.models import ReportDay, ReportType


@dataclass(frozen=True, slots=True)
class KindOfDay:
    """The reports of one kind and day, of all shown sites."""

    kind: ReportType
    orders: int
    sites: int
    faulty: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar; days outside the month are empty."""

    day: date
    is_inside: bool
    kinds: Sequence[KindOfDay]


@console_page("reconciliation.download_report")
def calendar(request: HttpRequest) -> HttpResponse:
    """Show a month of reports, of all shown sites or of one of them."""
    access = site_access(request)
    form = CalendarForm(request.GET)
    form.is_valid()
    reports = shown_reports(access)
    site_id = form.cleaned_data.get("site", "")
    site = next((one for one in access.sites if one.pk == site_id), None)
    if site is not None:
        reports = reports.filter(site=site)
    latest = reports.aggregate(day=Max("date"))["day"]
    month = form.cleaned_data.get("month") or (latest or timezone.now().date()).replace(day=1)
    context: dict[str, Any] = {
        "form": form,
        "month": month,
        "weeks": weeks_of(month, reports),
        "previous": (month - timedelta(days=1)).replace(day=1) if month > EARLIEST else None,
        "next": (month + timedelta(days=31)).replace(day=1) if month < LATEST else None,
        "latest": latest,
        "today": timezone.now().date(),
        "site": site,
        "sites": [] if access.chosen else access.sites,
    }
    return render(request, "console/reports/report_calendar.html", context)


def weeks_of(month: date, reports: QuerySet[ReportDay]) -> list[list[Day]]:
    """Return the weeks with days of `month`, from Monday to Sunday; one query."""
    weeks = months.Calendar().monthdatescalendar(month.year, month.month)
    known = _kinds(month, reports)
    return [
        [
            Day(
                day,
                day.month == month.month,
                known.get(day, ()) if day.month == month.month else (),
            )
            for day in week
        ]
        for week in weeks
    ]


def _kinds(month: date, reports: QuerySet[ReportDay]) -> Mapping[date, Sequence[KindOfDay]]:
    rows = (
        reports.filter(date__year=month.year, date__month=month.month)
        .order_by("date", "report_type")
        .values("date", "report_type")
        .annotate(
            orders=Sum("order_count"),
            sites=Count("site"),
            faulty=Count("pk", filter=~Q(last_error="")),
        )
    )
    known: dict[date, list[KindOfDay]] = defaultdict(list)
    for row in rows:
        kind = ReportType(row["report_type"])
        known[row["date"]].append(KindOfDay(kind, row["orders"], row["sites"], row["faulty"]))
    return known

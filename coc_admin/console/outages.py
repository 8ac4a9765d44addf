"""Pages about outages: the list, and one with its times, orders, runs, alerts and reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from coc_admin.console import outage_stories
from coc_admin.console.access import console_page
from coc_admin.console.charts import polyline, rounded_up
from coc_admin.console.outage_figures import (
    JUST_BEFORE,
    Figures,
    Point,
    counts_of_outages,
    course_of,
    figures_of,
)
from coc_admin.console.queries import counts_of_runs
from orders.models import Site
from reconciliation.models import Alert, AlertState, Outage, ReportDay, Run
from reconciliation.reports.names import day_of

PAGE = 25
MOST_RUNS = 50
MOST_ALERTS = 20
MOST_SITES = 100
MOST_REPORTS = 120


@console_page("reconciliation.view_run")
def outage_list(request: HttpRequest) -> HttpResponse:
    """List outages, the newest first, with what was captured and oversold."""
    before = request.GET.get("before", "")
    outages = Outage.objects.order_by("-pk")
    if before.isdecimal() and len(before) < 19:
        outages = outages.filter(pk__lt=int(before))
    rows = list(outages[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    counts = counts_of_outages(rows)
    context = {
        "rows": [(outage, counts[outage.pk]) for outage in rows],
        "next_before": rows[-1].pk if more else None,
        "is_first": not before,
    }
    return render(request, "console/outages.html", context)


@console_page("reconciliation.view_run")
def outage_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one outage: when, what was captured, what became of it, and a text to send."""
    outage = get_object_or_404(Outage, pk=min(pk, 2**63 - 1))
    user, now = request.user, timezone.now()
    figures = figures_of(outage)
    runs = list(Run.objects.filter(outage=outage).order_by("-pk")[:MOST_RUNS])
    counts = counts_of_runs([run.pk for run in runs])
    may_download = user.has_perm("reconciliation.download_report")
    reports = _reports(outage, figures, now) if may_download else []
    context: dict[str, Any] = {
        "outage": outage,
        "figures": figures,
        "story": outage_stories.timeline(outage),
        "length": outage_stories.span(outage.lost_at, outage.drained_at or now),
        "to_detect": outage_stories.span(outage.lost_at, outage.detected_at),
        "away": outage_stories.span(outage.lost_at, outage.recovered_at or now),
        "to_reconcile": outage_stories.span(outage.recovered_at, outage.drained_at),
        "chart": _chart(course_of(outage, now=now)) if figures.orders else None,
        "runs": [(run, counts[run.pk]) for run in runs],
        "alerts": _alerts(outage, runs, now) if user.has_perm("reconciliation.view_alert") else [],
        "reports": reports,
        "text": outage_stories.summary(
            outage, figures=figures, runs=runs, reports=reports, now=now
        ),
    }
    return render(request, "console/outage.html", context)


@dataclass(frozen=True, slots=True)
class _Chart:
    """Two lines over time, the points that they go through, and the top and middle of the axis."""

    points: list[Point]
    captured: str
    drained: str
    highest: int

    @property
    def middle(self) -> float:
        return self.highest / 2


def _chart(points: list[Point]) -> _Chart:
    highest = rounded_up(max(point.captured for point in points))
    return _Chart(
        points=points,
        captured=polyline([point.captured for point in points], highest=highest),
        drained=polyline([point.drained for point in points], highest=highest),
        highest=highest,
    )


def _alerts(outage: Outage, runs: list[Run], now: datetime) -> list[Alert]:
    """Return alerts that were true during the outage or tell of its runs, the newest first.

    An alert is one row that is told anew, so those of an outage long ago are gone.
    """
    during = Q(since__lte=outage.drained_at or now) & (
        Q(state=AlertState.OPEN) | Q(resolved_at__gte=outage.lost_at)
    )
    of_its_runs = Q(context__in=[f"run:{run.pk}" for run in runs])
    return list(Alert.objects.filter(during | of_its_runs).order_by("-since", "-pk")[:MOST_ALERTS])


def _reports(outage: Outage, figures: Figures, now: datetime) -> list[ReportDay]:
    """Return the reports of the days, in each site's zone, on which orders were captured."""
    end = outage.drained_at or now
    days = [
        Q(
            site=site,
            date__gte=day_of(outage.lost_at - JUST_BEFORE, site),
            date__lte=day_of(end, site),
        )
        for site in Site.objects.filter(pk__in=figures.sites[:MOST_SITES])
    ]
    if not days:
        return []
    reports = ReportDay.objects.filter(reduce(or_, days))
    return list(reports.order_by("date", "site", "report_type")[:MOST_REPORTS])

"""Pages about outages: the list, and one with its times, orders, runs, alerts and reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page
from coc_admin.console.alerts.queries import inbox_of
from coc_admin.console.charts import polyline, rounded_up
from coc_admin.console.frame import frame_of
from coc_admin.console.outages import timeline
from coc_admin.console.outages.refused import refusal_word, refused_rows
from coc_admin.console.outages.report_views import MOST_RUNS, reports_of_outage
from coc_admin.console.runs.queries import seen_runs, shown_runs
from coc_admin.pager import NEWEST_FIRST
from reconciliation.models import Alert, AlertState, Outage, PlannedOutage, Run
from reconciliation.outages.cost import cost_of
from reconciliation.outages.figures import (
    Point,
    counts_of_outages,
    course_of,
    figures_of,
)

PAGE = 25
MOST_ALERTS = 20
MOST_PLANNED = 10
MOST_REPORTS = 120
MOST_REFUSED = 20


@console_page("reconciliation.view_run")
def outage_list(request: HttpRequest) -> HttpResponse:
    """List outages, newest first, with captured and oversold orders."""
    page = NEWEST_FIRST.page(Outage.objects.all(), request.GET.get("cursor", ""), size=PAGE)
    counts = counts_of_outages(page.rows, site_ids=site_access(request).site_ids)
    context = {
        "rows": [(outage, counts[outage.pk]) for outage in page.rows],
        "page": page,
        "planned": PlannedOutage.objects.all()[:MOST_PLANNED],
    }
    return render(request, "console/outages/outages.html", context)


@console_page("reconciliation.view_run")
def outage_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one outage: times, captured orders, their outcome, and a text to send."""
    outage = get_object_or_404(Outage, pk=min(pk, 2**63 - 1))
    user, access, now = request.user, site_access(request), timezone.now()
    figures = figures_of(outage, site_ids=access.site_ids)
    runs = list(shown_runs(access).filter(outage=outage).order_by("-pk")[:MOST_RUNS])
    seen = seen_runs(runs, access)
    may_download = user.has_perm("reconciliation.download_report")
    found = reports_of_outage(outage, access=access, now=now)
    reports = list(found[:MOST_REPORTS]) if may_download else []
    cost = cost_of(outage, site_ids=access.site_ids, figures=figures)
    refused = cost.refused
    context: dict[str, Any] = {
        "outage": outage,
        "figures": figures,
        "cost": cost,
        "demand": cost.demand,
        "refused_by": [(refusal_word(name), n) for name, n in refused.by_why.items()],
        "refused": refused_rows(outage, access=access, most=MOST_REFUSED) if refused.orders else [],
        "story": timeline.timeline(outage, frame_of(request).connection),
        "length": timeline.span(outage.lost_at, outage.drained_at or now),
        "to_detect": timeline.span(outage.lost_at, outage.detected_at),
        "away": timeline.span(outage.lost_at, outage.recovered_at or now),
        "to_reconcile": timeline.span(outage.recovered_at, outage.drained_at),
        "chart": _chart(course_of(outage, site_ids=access.site_ids, now=now))
        if figures.orders
        else None,
        "runs": seen,
        "alerts": inbox_of(request).shown_to_person(_alerts(outage, runs, now))
        if user.has_perm("reconciliation.view_alert")
        else [],
        "reports": reports,
        "text": timeline.summary(outage, figures=figures, runs=runs, reports=reports, now=now),
    }
    return render(request, "console/outages/outage.html", context)


@dataclass(frozen=True, slots=True)
class _Chart:
    """Two lines over time, their points, and the top and middle of the axis."""

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


def _alerts(outage: Outage, runs: list[Run], now: datetime) -> QuerySet[Alert]:
    """Return alerts that were open during the outage or concern its runs, the newest first.

    A row is reused for the next occurrence, so alerts of old outages are not listed.
    """
    during = Q(since__lte=outage.drained_at or now) & (
        Q(state=AlertState.OPEN) | Q(resolved_at__gte=outage.lost_at)
    )
    of_its_runs = Q(data__run__in=[run.pk for run in runs])
    return Alert.objects.filter(during | of_its_runs).order_by("-since", "-pk")[:MOST_ALERTS]

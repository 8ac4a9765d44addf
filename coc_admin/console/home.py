"""The home page: how the connection is, what waits, what happened, what needs somebody."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page
from coc_admin.console.alerts.queries import inbox_of
from coc_admin.console.frame import frame_of
from coc_admin.console.labels import money_by_currency
from coc_admin.console.reports.views import latest_days
from coc_admin.console.runs.queries import seen_runs, shown_runs

RUNS = 5
ALERTS = 8
REPORT_DAYS = 3


@console_page("orders.view_order")
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page."""
    return render(request, "console/home.html", _context(request))


@console_page("orders.view_order")
def home_live(request: HttpRequest) -> HttpResponse:
    """Return the moving part of the home page."""
    return render(request, "console/home_live.html", _context(request))


@console_page("orders.view_order")
def frame_live(request: HttpRequest) -> HttpResponse:
    """Return what moves on every other page: the banner and the bell."""
    return render(request, "includes/frame_live.html")


def _context(request: HttpRequest) -> dict[str, Any]:
    status = frame_of(request).status
    user, access = request.user, site_access(request)
    runs = list(shown_runs(access)[:RUNS]) if user.has_perm("reconciliation.view_run") else []
    open_alerts = (
        inbox_of(request).unhandled(ALERTS + 1)
        if user.has_perm("reconciliation.view_alert")
        else []
    )
    may_download = user.has_perm("reconciliation.download_report")
    return {
        "status": status,
        "waiting_value": money_by_currency(status.waiting),
        "runs": seen_runs(runs, access),
        "alerts": open_alerts[:ALERTS],
        "more_alerts": len(open_alerts) > ALERTS,
        "report_days": latest_days(REPORT_DAYS, access=access) if may_download else [],
    }

"""The home page: a headline with one action, the last outage, alerts, runs and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from coc_admin import first_run
from coc_admin.accounts.site_access import profile_of, site_access
from coc_admin.console.access import console_page
from coc_admin.console.alerts.queries import inbox_of
from coc_admin.console.frame import frame_of
from coc_admin.console.home.curve import curve_of
from coc_admin.console.home.facts import facts_of
from coc_admin.console.home.headline import headline_of
from coc_admin.console.home.parts import Headline, Rights
from coc_admin.console.labels import money_by_currency
from coc_admin.console.outages.last_cost import last_cost
from coc_admin.console.reports.views import latest_days
from coc_admin.console.runs.queries import Seen, seen_runs, shown_runs
from coc_admin.models import Profile
from coc_admin.set_up import Missing
from reconciliation.models import EntryState
from reconciliation.runs.status import LastRun

# The permission to add each part of the set-up.
_TO_ADD = {
    Missing.LIST: "orders.add_inventorylist",
    Missing.SITE: "orders.add_site",
    Missing.STOCK: "orders.change_inventorylist",
    Missing.TOKEN: "coc_admin.add_apitoken",
}
RUNS = 5
ALERTS = 8
REPORT_DAYS = 3


@console_page("orders.view_order")
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page."""
    context = _context(request)
    if request.user.has_perm("reconciliation.view_run"):
        context["last_outage"] = last_cost(site_access(request))
    steps = context["first_run"] = _first_run(request)
    # A shop that already sells sees its headline first.
    context["has_orders"] = any(step.key == "order" and step.is_done for step in steps)
    return render(request, "console/home/home.html", context)


@console_page("orders.add_site", methods=("POST",), every_site=True)
def first_run_hide(request: HttpRequest) -> HttpResponse:
    """Hide the set-up list from this person; others keep theirs."""
    Profile.objects.update_or_create(
        user_id=int(request.user.pk or 0), defaults={"first_run_hidden_at": timezone.now()}
    )
    return redirect("home")


def _first_run(request: HttpRequest) -> list[first_run.Step]:
    """Return the set-up list for people who can complete it, until everything is done."""
    profile, access = profile_of(request), site_access(request)
    if not request.user.has_perm("orders.add_site") or access.is_limited:
        return []
    if profile is not None and profile.first_run_hidden_at is not None:
        return []
    steps = first_run.steps()
    return steps if not all(step.is_done for step in steps) else []


@console_page("orders.view_order")
def home_live(request: HttpRequest) -> HttpResponse:
    """Return the live part of the home page."""
    return render(request, "console/home/home_live.html", _context(request))


@console_page("orders.view_order")
def frame_live(request: HttpRequest) -> HttpResponse:
    """Return the live parts of all other pages: the banner and the bell."""
    return render(request, "includes/frame_live.html")


def _context(request: HttpRequest) -> dict[str, Any]:
    status = frame_of(request).status
    user, access = request.user, site_access(request)
    may_see_runs = user.has_perm("reconciliation.view_run")
    runs = seen_runs(list(shown_runs(access)[:RUNS]), access) if may_see_runs else []
    open_alerts = (
        inbox_of(request).unhandled(ALERTS + 1)
        if user.has_perm("reconciliation.view_alert")
        else []
    )
    may_download = user.has_perm("reconciliation.download_report")
    return {
        "status": status,
        "headline": _headline(request, runs),
        "curve": curve_of(access, status.outage, now=timezone.now()),
        "waiting_value": money_by_currency(status.waiting),
        "runs": runs,
        "alerts": open_alerts[:ALERTS],
        "more_alerts": len(open_alerts) > ALERTS,
        "report_days": latest_days(REPORT_DAYS, access=access) if may_download else [],
    }


def _headline(request: HttpRequest, runs: Sequence[Seen]) -> Headline:
    user = request.user
    active = [
        LastRun(run=run, counts={EntryState(name): n for name, n in counts.items()})
        for run, counts in runs
        if run.is_active
    ]
    facts = facts_of(frame_of(request), active[0] if active else None, now=timezone.now())
    rights = Rights(
        view_runs=user.has_perm("reconciliation.view_run"),
        start_runs=user.has_perm("reconciliation.start_run"),
        set_up=_addable(request),
        change_limits=user.has_perm("orders.change_site"),
    )
    return headline_of(facts, rights=rights, now=timezone.now())


def _addable(request: HttpRequest) -> list[Missing]:
    """Return the parts of the set-up that the reader may add."""
    if site_access(request).is_limited:
        return []
    return [part for part, name in _TO_ADD.items() if request.user.has_perm(name)]

"""Pages about reconciliations: the list, and one run with its progress."""

from __future__ import annotations

from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.access import console_page
from coc_admin.console.orders.timeline import attempt_words
from coc_admin.console.runs.detail_views import (
    CHANGED,
    RunFilterForm,
    changed_since_before,
    with_outcome_before,
)
from coc_admin.console.runs.dry_run_views import dry_runs_of
from coc_admin.console.runs.queries import (
    run_or_404,
    seen_run,
    seen_runs,
    shown_runs,
)
from coc_admin.pager import NEWEST_FIRST, Column, Keyset, Page
from orders.desk.shortages import Sums, sums_of
from orders.models import Order
from orders.units import units_of_orders
from reconciliation.models import Attempt, AttemptOutcome, EntryState, Run, RunEntry
from reconciliation.runs import lifecycle

PAGE = 25
ENTRIES = 50
FAULTS = 20
_BY_POSITION = Keyset(Column("position"), Column("pk"))


@console_page("reconciliation.view_run")
def run_list(request: HttpRequest) -> HttpResponse:
    """List reconciliations, newest first, with their outcomes."""
    access = site_access(request)
    form = RunFilterForm(request.GET)
    page = NEWEST_FIRST.page(
        form.narrow(shown_runs(access), access), request.GET.get("cursor", ""), size=PAGE
    )
    context = {
        "rows": seen_runs(page.rows, access),
        "page": page,
        "form": form,
        "is_limited": access.is_limited,
        "dry_runs": dry_runs_of(request),
    }
    return render(request, "console/runs/runs.html", context)


@console_page("reconciliation.view_run")
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one reconciliation: progress, counts, its orders, and failed calls."""
    return render(request, "console/runs/run.html", _run_context(request, pk))


@console_page("reconciliation.view_run")
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the live part of a run's page."""
    return render(request, "console/runs/run_live.html", _run_context(request, pk))


def _run_context(request: HttpRequest, pk: int) -> dict[str, Any]:
    access = site_access(request)
    run, counts = seen_run(run_or_404(request, pk), access)
    progress = lifecycle.progress_of(counts)
    state = request.GET.get("outcome", "")
    entries = access.permitted(RunEntry.objects.filter(run=run), "order__site")
    entries = entries.select_related("order")
    entries = with_outcome_before(entries)
    if state in EntryState.values:
        entries = entries.filter(state=state)
    elif state == CHANGED:
        entries = changed_since_before(entries)
    else:
        state = ""
    page: Page[RunEntry] = _BY_POSITION.page(entries, request.GET.get("cursor", ""), size=ENTRIES)
    units = units_of_orders([entry.order for entry in page.rows])
    return {
        "run": run,
        "is_limited": access.is_limited,
        "counts": counts,
        "progress": progress,
        "entries": [(entry, units[entry.order_id]) for entry in page.rows],
        "page": page,
        "view": "orders",
        "outcome": state,
        "outcomes": [(s.value, s.label, counts[s]) for s in EntryState if counts.get(s)],
        "still_open": _still_open(run, access) if progress.short else None,
        "faults": [(fault, attempt_words(fault)) for fault in _faults(run, access)],
        "may_rerun": not run.is_active
        and (progress.short or progress.offline)
        and request.user.has_perm("reconciliation.start_run"),
    }


def _still_open(run: Run, access: SiteAccess) -> Sums:
    """Return the shortages that a run left and that are still open, as the oversold desk counts."""
    left = RunEntry.objects.filter(run=run, state__in=[EntryState.PARTIAL, EntryState.NOTHING])
    mine = access.permitted(left, "order__site").order_by().values("order")
    return sums_of(Order.objects.oversold().filter(pk__in=mine))


def _faults(run: Run, access: SiteAccess) -> list[Attempt]:
    """Return the latest calls of a run that brought no answer, one for each order."""
    failed = (
        access.permitted(Attempt.objects.filter(run=run), "order__site")
        .exclude(
            outcome__in=[
                "",
                AttemptOutcome.COMPLETE,
                AttemptOutcome.PARTIAL,
                AttemptOutcome.NOTHING,
            ]
        )
        .order_by()
        .values("order")
        .annotate(last=Max("pk"))
        .order_by("-last")
        .values_list("last", flat=True)
    )
    return list(
        Attempt.objects.filter(pk__in=list(failed[:FAULTS])).select_related("order").order_by("-pk")
    )

"""Pages about reconciliations: the list, one run while it works, and starting one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.forms import ReasonForm, ScopeForm
from coc_admin.console.queries import counts_of_runs, totals_of
from coc_admin.console.stories import attempt_words
from orders.actors import person
from orders.models import ReservationState
from reconciliation import runs as reconciliations
from reconciliation.dry_run import dry_run
from reconciliation.models import Attempt, AttemptOutcome, EntryState, Run, RunEntry, Trigger

PAGE = 25
ENTRIES = 50
FAULTS = 20
MOST_PAGES = 400


@console_page("reconciliation.view_run")
def run_list(request: HttpRequest) -> HttpResponse:
    """List reconciliations, the newest first, with what they came to."""
    before = request.GET.get("before", "")
    runs = Run.objects.order_by("-id")
    if before.isdecimal() and len(before) < 19:
        runs = runs.filter(pk__lt=int(before))
    rows = list(runs[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    counts = counts_of_runs([run.pk for run in rows])
    context = {
        "rows": [(run, counts[run.pk]) for run in rows],
        "next_before": rows[-1].pk if more else None,
        "is_first": not before,
    }
    return render(request, "console/runs.html", context)


@console_page("reconciliation.view_run")
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one reconciliation: progress, counts, its orders, and calls that went wrong."""
    return render(request, "console/run.html", _run_context(request, pk))


@console_page("reconciliation.view_run")
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the moving part of a run's page."""
    return render(request, "console/run_live.html", _run_context(request, pk))


def _run_context(request: HttpRequest, pk: int) -> dict[str, Any]:
    run = get_object_or_404(Run, pk=min(pk, 2**63 - 1))
    counts = counts_of_runs([run.pk])[run.pk]
    progress = reconciliations.progress(run)
    state = request.GET.get("outcome", "")
    entries = RunEntry.objects.filter(run=run).select_related("order").order_by("position")
    if state in EntryState.values:
        entries = entries.filter(state=state)
    else:
        state = ""
    paginator = Paginator(entries, ENTRIES)
    page = paginator.get_page(min(_number(request.GET.get("page", "")), MOST_PAGES))
    totals = totals_of([entry.order for entry in page.object_list])
    return {
        "run": run,
        "counts": counts,
        "progress": progress,
        "entries": [(entry, totals.get(entry.order_id)) for entry in page.object_list],
        "page": page,
        "outcome": state,
        "outcomes": [(s.value, s.label, counts[s]) for s in EntryState if counts.get(s)],
        "faults": [(fault, attempt_words(fault)) for fault in _faults(run)],
        "may_rerun": not run.is_active
        and (progress.short or progress.offline)
        and request.user.has_perm("reconciliation.start_run"),
    }


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 1


def _faults(run: Run) -> list[Attempt]:
    """Return the latest calls of a run that brought no answer, one for each order."""
    failed = (
        Attempt.objects.filter(run=run)
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


@console_page("reconciliation.start_run", methods=READ_AND_POST)
def preview(request: HttpRequest) -> HttpResponse:
    """Say what a rerun would do (GET), then start it (POST); a second click finds the first run."""
    form = ScopeForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        return render(request, "console/run_new.html", {"form": form}, status=400)
    reason = ReasonForm(request.POST if request.method == "POST" else None)
    refused = ""
    if request.method == "POST" and reason.is_valid():
        try:
            run = reconciliations.start_run(
                trigger=Trigger.PERSON,
                actor=person(request.user.get_username()),
                scope=form.cleaned_data["scope"],
                scope_data=form.scope_data,
                reason=reason.cleaned_data["reason"],
                now=timezone.now(),
            )
        except reconciliations.RunRefused as error:
            if error.active_run is not None:
                messages.info(request, "A reconciliation is already under way; this is it.")
                return redirect("run", pk=error.active_run.pk)
            refused = error.detail
        else:
            messages.success(request, "The reconciliation has been started.")
            return redirect("run", pk=run.pk)
    context = _preview_context(form) | {"form": form, "reason": reason, "refused": refused}
    return render(request, "console/run_new.html", context, status=409 if refused else 200)


def _preview_context(form: ScopeForm) -> dict[str, Any]:
    would = dry_run(
        scope=form.cleaned_data["scope"], scope_data=form.scope_data, now=timezone.now()
    )
    return {
        "would": would,
        "active": reconciliations.active_run(),
        "forecast": [(s.value, s.label, would.by_outcome.get(s, 0)) for s in _FORECAST],
    }


_FORECAST = (ReservationState.COMPLETE, ReservationState.PARTIAL, ReservationState.NOTHING)

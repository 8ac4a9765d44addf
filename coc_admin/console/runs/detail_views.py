"""Details of a reconciliation: its batches, its calls to OCI, and changed outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.access import console_page
from coc_admin.console.orders.timeline import attempt_words
from coc_admin.console.runs.queries import run_or_404, seen_run
from coc_admin.pager import NEWEST_FIRST, Column, Keyset, Page
from reconciliation.models import (
    Attempt,
    AttemptOutcome,
    Batch,
    EntryState,
    Run,
    RunEntry,
    RunState,
    Scope,
    Trigger,
)

PAGE = 50
CHANGED = "changed"
_BY_ROUND = Keyset(Column("lane"), Column("sequence"))

# An order that a run skipped, or has not reached, has no outcome to compare.
_NO_OUTCOME = (EntryState.PENDING, EntryState.SKIPPED)
_ENDED_WELL = (RunState.COMPLETED, RunState.SHORTAGES)


class RunFilterForm(forms.Form):
    """Filters of the list of reconciliations; invalid values are ignored."""

    trigger = forms.ChoiceField(required=False, choices=[("", _("Anything")), *Trigger.choices])
    state = forms.ChoiceField(required=False, choices=[("", _("Any outcome")), *RunState.choices])
    scope = forms.ChoiceField(required=False, choices=[("", _("Any orders")), *Scope.choices])
    person = forms.CharField(required=False, max_length=150, strip=True)

    def narrow(self, runs: QuerySet[Run], access: SiteAccess) -> QuerySet[Run]:
        """Return the `runs` that match.

        A filter never reveals facts that a run's page hides: names, and whether an order of another
        site was short.
        """
        self.is_valid()
        values = self.cleaned_data
        for name in ("trigger", "scope"):
            if values.get(name):
                runs = runs.filter(**{name: values[name]})
        state = values.get("state")
        if state:
            alike = _ENDED_WELL if access.is_limited and state in _ENDED_WELL else (state,)
            runs = runs.filter(state__in=alike)
        if values.get("person") and not access.is_limited:
            runs = runs.filter(actor__iexact=values["person"])
        return runs

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter is set."""
        return any(self.data.get(name) for name in self.fields)


def with_outcome_before(entries: QuerySet[RunEntry]) -> QuerySet[RunEntry]:
    """Add to each entry the outcome and the run of the attempt before, if there was one.

    `before_state` and `before_run` are those of the latest earlier run that touched the order.
    """
    earlier = (
        RunEntry.objects.filter(order=OuterRef("order"), pk__lt=OuterRef("pk"))
        .exclude(state__in=_NO_OUTCOME)
        .order_by("-pk")
    )
    return entries.annotate(
        before_state=Subquery(earlier.values("state")[:1]),
        before_run=Subquery(earlier.values("run")[:1]),
    )


def changed_since_before(entries: QuerySet[RunEntry]) -> QuerySet[RunEntry]:
    """Narrow `with_outcome_before` to orders with another outcome than in the run before."""
    return (
        entries.exclude(state__in=_NO_OUTCOME)
        .filter(before_state__isnull=False)  # type: ignore[misc]  # an annotation
        .exclude(state=F("before_state"))
    )


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch and how many of its orders are in each state."""

    batch: Batch
    counts: dict[str, int]


@console_page("reconciliation.view_run")
def batches(request: HttpRequest, pk: int) -> HttpResponse:
    """List the batches of a run by round, with the outcomes of their orders."""
    run, _counts_seen = seen_run(run_or_404(request, pk), site_access(request))
    found = Batch.objects.filter(run=run)
    page: Page[Batch] = _BY_ROUND.page(found, request.GET.get("cursor", ""), size=PAGE)
    counts = _counts([batch.pk for batch in page.rows], site_access(request))
    context: dict[str, Any] = {
        "run": run,
        "page": page,
        "rows": [BatchRow(batch, counts[batch.pk]) for batch in page.rows],
        "view": "batches",
    }
    return render(request, "console/runs/run_batches.html", context)


def _counts(batch_ids: Collection[int], access: SiteAccess) -> dict[int, dict[str, int]]:
    entries = access.permitted(RunEntry.objects.filter(batch__in=batch_ids), "order__site")
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = entries.order_by().values_list("batch", "state").annotate(number=Count("pk"))
    for batch_id, state, number in rows:
        counts[batch_id][state] = number
    return counts


@console_page("reconciliation.view_run")
def attempts(request: HttpRequest, pk: int) -> HttpResponse:
    """List a run's calls to OCI, the newest first, with their results."""
    run, _counts_seen = seen_run(run_or_404(request, pk), site_access(request))
    calls = Attempt.objects.filter(run=run).select_related("order")
    found = site_access(request).permitted(calls, "order__site")
    outcome = request.GET.get("outcome", "")
    if outcome in AttemptOutcome.values:
        found = found.filter(outcome=outcome)
    else:
        outcome = ""
    page = NEWEST_FIRST.page(found, request.GET.get("cursor", ""), size=PAGE)
    context: dict[str, Any] = {
        "run": run,
        "page": page,
        "rows": [(attempt, attempt_words(attempt)) for attempt in page.rows],
        "outcome": outcome,
        "outcomes": AttemptOutcome.choices,
        "view": "attempts",
    }
    return render(request, "console/runs/run_attempts.html", context)

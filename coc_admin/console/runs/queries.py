"""Which reconciliations a person sees, and which part of one for several sites.

A run is visible to people who see one of its orders or one of the sites it was started for. Its
counts cover the sites that the person sees. Reasons and names of people are shown only if the run
was for no other sites.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.queries import counts_of_runs, short_of
from reconciliation.models import EntryState, Run, RunEntry, RunState, Trigger

Seen = tuple[Run, dict[str, int]]

_BY_SOMEBODY = (Trigger.PERSON, Trigger.API)


def shown_runs(access: SiteAccess) -> QuerySet[Run]:
    """Return the runs that a list shows now."""
    return _runs_of(access.site_ids)


def run_or_404(request: HttpRequest, pk: int) -> Run:
    """Return a run that the person may open, or raise Http404."""
    return get_object_or_404(permitted_runs(site_access(request)), pk=min(pk, 2**63 - 1))


def permitted_runs(access: SiteAccess) -> QuerySet[Run]:
    """Return the runs that the person may open, whichever site is chosen."""
    return _runs_of(access.allowed)


def seen_runs(runs: Sequence[Run], access: SiteAccess) -> list[Seen]:
    """Return rows of a list as the person sees them, with their counts; one query."""
    counts = counts_of_runs([run.pk for run in runs], sites=access.site_ids)
    return [(_as_seen(run, counts[run.pk], access), counts[run.pk]) for run in runs]


def seen_run(run: Run, access: SiteAccess) -> Seen:
    """Return an opened run as the person sees it, with its counts."""
    counts = counts_of_runs([run.pk], sites=access.allowed)[run.pk]
    return _as_seen(run, counts, access), counts


def _runs_of(sites: Collection[str] | None) -> QuerySet[Run]:
    runs = Run.objects.all()
    if sites is None:
        return runs
    taken = RunEntry.objects.filter(run=OuterRef("pk"), order__site__in=sites)
    meant = Q(scope_data__site__in=sites) | Q(scope_data__sites=sorted(sites))
    return runs.filter(Exists(taken) | meant)


def _as_seen(run: Run, counts: dict[str, int], access: SiteAccess) -> Run:
    """Limit `run` to the person's sites; it must not be saved afterwards."""
    if not access.is_limited:
        return run
    if not _is_for(run, access):
        run.reason = ""
        if run.trigger in _BY_SOMEBODY:
            run.actor = _("not shown")
    if run.state == RunState.SHORTAGES and not (
        short_of(counts) or counts.get(EntryState.NEEDS_REVIEW)
    ):
        run.state = RunState.COMPLETED
    return run


def _is_for(run: Run, access: SiteAccess) -> bool:
    """Whether the run was started only for sites that the person sees."""
    data = run.scope_data
    meant = [data["site"]] if data.get("site") else data.get("sites", [])
    return bool(meant) and all(access.permits(site) for site in meant)

"""The index of maintenance, and the pages of jobs done by a worker."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.maintenance.pages import maintenance_page
from coc_admin.console.settings.interval_views import shown
from reconciliation.maintenance import jobs
from reconciliation.maintenance.job_kinds import AUDIT_DAYS
from reconciliation.maintenance.oci_audit import Difference
from reconciliation.maintenance.schedule_status import schedule_status
from reconciliation.models import JobKind, JobState, MaintenanceJob
from reconciliation.queue import intervals

_HISTORY = 10

# The name of each difference, and its remedy.
_DIFFERENCES: dict[str, tuple[Any, Any]] = {
    Difference.MISSING_THERE: (
        gettext_lazy("missing at OCI"),
        gettext_lazy(
            "OCI holds nothing for this reservation. Open the order and give the reservation back;"
            " its units become short, and you can reserve them again."
        ),
    ),
    Difference.UNKNOWN_HERE: (
        gettext_lazy("unknown here"),
        gettext_lazy(
            "OCI holds units under an id that we never stored. If no other system uses this order"
            " number, cancel the reservation in OCI."
        ),
    ),
    Difference.OTHER_QUANTITY: (
        gettext_lazy("other quantity"),
        gettext_lazy(
            "Open the order and compare. To make both sides equal, give the reservation back and"
            " reserve again."
        ),
    ),
    Difference.OVER_HERE: (
        gettext_lazy("still held at OCI"),
        gettext_lazy(
            "The order has no claim to these units any more. Run the integrity check and apply its"
            " repair, or cancel the reservation in OCI."
        ),
    ),
}


@console_page("orders.change_site", every_site=True)
def index(request: HttpRequest) -> HttpResponse:
    """List the pages of maintenance, with the last result of each job."""
    context = {"check": jobs.last_job(JobKind.CHECK), "audit": jobs.last_job(JobKind.AUDIT)}
    return maintenance_page(request, "index.html", context)


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def check_page(request: HttpRequest) -> HttpResponse:
    """Show the findings of the integrity check, with a repair of each row; POST starts a check."""
    if request.method == "POST":
        return _start(request, JobKind.CHECK, "maintenance_check")
    return maintenance_page(request, "check.html", _context(JobKind.CHECK))


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def audit_page(request: HttpRequest) -> HttpResponse:
    """Show the differences between OCI and our documents, with remedies; POST starts an audit."""
    if request.method == "POST":
        return _start(request, JobKind.AUDIT, "maintenance_audit")
    context = _context(JobKind.AUDIT)
    entries = schedule_status(timezone.now())
    [entry] = [one for one in entries if one.interval.kind.name == intervals.AUDIT]
    rows = context["result"].rows if context["result"] else []
    context |= {
        "row": shown(entry),
        "days": AUDIT_DAYS,
        "findings": [(finding, *_words_of(finding)) for finding in rows],
    }
    return maintenance_page(request, "audit.html", context)


@console_page("orders.change_site", every_site=True)
def job_live(request: HttpRequest, kind: str) -> HttpResponse:
    """Return the progress of the latest job of a kind."""
    if kind not in JobKind.values:
        raise Http404
    return render(request, "console/maintenance/job_live.html", _progress(JobKind(kind)))


def _progress(kind: JobKind) -> dict[str, Any]:
    """Return the latest jobs of a kind, without their findings."""
    latest = list(MaintenanceJob.objects.filter(kind=kind).defer("rows").order_by("-pk")[:_HISTORY])
    open_states = (JobState.QUEUED, JobState.RUNNING)
    return {
        "kind": kind,
        "job": latest[0] if latest else None,
        "is_open": bool(latest) and latest[0].state in open_states,
        "history": latest,
    }


def _context(kind: JobKind) -> dict[str, Any]:
    done = jobs.last_job(kind, done=True)
    return _progress(kind) | {
        "result": done,
        "has_repairs": done is not None and any(row.get("id") for row in done.rows),
        "is_cut": done is not None and done.found > len(done.rows),
    }


def _start(request: HttpRequest, kind: JobKind, page: str) -> HttpResponse:
    actor = actor_of(request)
    try:
        with transaction.atomic():
            job = jobs.start(kind=kind, actor=actor, now=timezone.now())
            audit.record(request=request, action=f"maintenance.{kind}", target=f"job:{job.pk}")
    except jobs.AlreadyOpen:
        messages.info(request, _("It has been started already. This page shows how far it is."))
    else:
        messages.success(request, _("Started. You can leave this page; the result is kept here."))
    return redirect(page)


def _words_of(finding: dict[str, Any]) -> tuple[str, str]:
    name, advice = _DIFFERENCES.get(finding["difference"], (finding["difference"], ""))
    return str(name), str(advice)

"""The page before a rerun: its dry run, at once or in the background, and the button to start."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.forms import ReasonForm, ScopeForm
from coc_admin.console.runs.queries import permitted_runs
from orders.models import ReservationState
from reconciliation.maintenance import dry_run_jobs, jobs
from reconciliation.maintenance.dry_run_jobs import Question
from reconciliation.models import BackgroundDryRun, JobState, Run, Trigger
from reconciliation.runs import lifecycle, scopes
from reconciliation.runs.dry_run import DryRun, dry_run

_LISTED = 5
_FORECAST = (ReservationState.COMPLETE, ReservationState.PARTIAL, ReservationState.NOTHING)


@console_page("reconciliation.start_run", methods=READ_AND_POST)
def preview(request: HttpRequest) -> HttpResponse:
    """Show a rerun's forecast (GET), then start it (POST); a second click finds the first run."""
    access, form = site_access(request), _form(request)
    if not form.is_valid():
        return render(request, "console/runs/run_new.html", {"form": form}, status=400)
    reason = ReasonForm(request.POST if request.method == "POST" else None)
    refused = ""
    if request.method == "POST" and reason.is_valid():
        try:
            run = _start_run(request, form, reason.cleaned_data["reason"])
        except lifecycle.RunRefused as error:
            if _is_permitted(error.active_run, access):
                messages.info(
                    request, _("A reconciliation is already running. This page shows it.")
                )
                return redirect("run", pk=error.active_run.pk)  # type: ignore[union-attr]
            refused = error.detail
        else:
            messages.success(request, _("The reconciliation has been started."))
            return redirect("run", pk=run.pk)
    active = lifecycle.active_run()
    context = _preview_context(form, access) | {
        "form": form,
        "reason": reason,
        "refused": refused,
        "active": active,
        "active_is_permitted": _is_permitted(active, access),
    }
    return render(request, "console/runs/run_new.html", context, status=409 if refused else 200)


@console_page("reconciliation.start_run", methods=("POST",))
def dry_run_start(request: HttpRequest) -> HttpResponse:
    """Queue the dry run for a worker; a second click finds the open one."""
    form = _form(request)
    if form.is_valid():
        actor = actor_of(request)
        try:
            with transaction.atomic():
                job = dry_run_jobs.start(
                    question=_question(form, site_access(request)), actor=actor, now=timezone.now()
                )
                _note(request, form, "run.dry_run", f"job:{job.pk}")
        except jobs.AlreadyOpen:
            messages.info(request, _("It has been started already. This page shows how far it is."))
        else:
            messages.success(
                request, _("Started. You can leave this page; the result is kept here.")
            )
    return redirect(_address(form))


@console_page("reconciliation.start_run", methods=("POST",))
def dry_run_stop(request: HttpRequest) -> HttpResponse:
    """Stop the dry run that waits or runs."""
    form = _form(request)
    if form.is_valid():
        question = _question(form, site_access(request))
        with transaction.atomic():
            job = dry_run_jobs.stop(question=question, now=timezone.now())
            if job is not None:
                _note(request, form, "run.dry_run_stopped", f"job:{job.pk}")
        if job is not None:
            messages.success(request, _("The dry run was stopped. Nothing was changed."))
        else:
            messages.info(request, _("The dry run had ended already."))
    return redirect(_address(form))


@console_page("reconciliation.start_run")
def dry_run_live(request: HttpRequest) -> HttpResponse:
    """Return the progress of a background dry run."""
    form = _form(request)
    if not form.is_valid():
        raise Http404
    context = _progress(form, _question(form, site_access(request))) | {"is_live": True}
    return render(request, "console/runs/dry_run_live.html", context)


def dry_runs_of(request: HttpRequest) -> list[tuple[BackgroundDryRun, str]]:
    """Return the latest background dry runs visible to the person, with their queries."""
    if not request.user.has_perm("reconciliation.start_run"):
        return []
    allowed = site_access(request).allowed
    found = dry_run_jobs.recent(allowed, now=timezone.now(), most=_LISTED)
    return [(one, urlencode(_query(one))) for one in found]


def _query(asked: BackgroundDryRun) -> dict[str, Any]:
    """Return the fields of ScopeForm that lead to this dry run again."""
    data = asked.scope_data
    named = {name: data[name] for name in ("run", "sku", "list") if name in data}
    if "orders" in data:
        named["order"] = ",".join(map(str, data["orders"]))
    return {"scope": asked.scope, "site": data.get("site", "")} | named


def _form(request: HttpRequest) -> ScopeForm:
    access = site_access(request)
    asked = request.POST if request.method == "POST" else request.GET
    return ScopeForm(asked, access=access, runs=permitted_runs(access))


def _address(form: ScopeForm) -> str:
    asked = form.query if form.is_valid() else {"scope": form.data.get("scope", "")}
    return f"{reverse('run_new')}?{urlencode(asked)}"


def _question(form: ScopeForm, access: SiteAccess) -> Question:
    return Question(form.cleaned_data["scope"], form.scope_data, access.allowed)


def _note(
    request: HttpRequest, form: ScopeForm, action: str, target: str, reason: str = ""
) -> None:
    audit.record(
        request=request,
        action=action,
        target=target,
        detail={"scope": form.cleaned_data["scope"]} | form.scope_data,
        reason=reason,
    )


def _start_run(request: HttpRequest, form: ScopeForm, reason: str) -> Run:
    with transaction.atomic():
        run = lifecycle.start_run(
            trigger=Trigger.PERSON,
            actor=actor_of(request),
            scope=form.cleaned_data["scope"],
            scope_data=form.scope_data,
            reason=reason,
            now=timezone.now(),
        )
        _note(request, form, "run.started", f"run:{run.pk}", reason)
    return run


def _is_permitted(run: Run | None, access: SiteAccess) -> bool:
    return run is not None and permitted_runs(access).filter(pk=run.pk).exists()


def _preview_context(form: ScopeForm, access: SiteAccess) -> dict[str, Any]:
    question = _question(form, access)
    try:
        would = dry_run(
            scope=question.scope,
            scope_data=question.scope_data,
            told=question.sites,
            now=timezone.now(),
            at_most=scopes.ROUND,
        )
    except scopes.TooMany:
        return _background_context(form, question)
    return {"would": would, "forecast": _forecast(would), "may_start": bool(would.orders)}


def _background_context(form: ScopeForm, question: Question) -> dict[str, Any]:
    """Return the facts of the latest job; without one, that a dry run can be started."""
    context = _progress(form, question) | {
        "is_background": True,
        "most": scopes.ROUND,
        "may_start": True,
    }
    found = dry_run_jobs.latest_result(question, now=timezone.now())
    if found is not None:
        done, would = found
        context |= {"done": done, "would": would, "forecast": _forecast(would)}
    return context


def _progress(form: ScopeForm, question: Question) -> dict[str, Any]:
    job = dry_run_jobs.latest(question, now=timezone.now())
    return {
        "form": form,
        "address": urlencode(form.query),
        "job": job,
        "is_limited": question.sites is not None,
        "is_open": job is not None and job.state in (JobState.QUEUED, JobState.RUNNING),
    }


def _forecast(would: DryRun) -> list[tuple[str, Any, int]]:
    return [(s.value, s.label, would.by_outcome.get(s, 0)) for s in _FORECAST]

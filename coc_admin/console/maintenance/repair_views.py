"""Repair rows named by the integrity check: a preview first, then a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.forms import ReasonForm
from coc_admin.console.maintenance.pages import maintenance_page
from reconciliation.maintenance import jobs, repair
from reconciliation.models import JobKind

MOST_REPAIRS = 50


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def repair_page(request: HttpRequest) -> HttpResponse:
    """Show the chosen repairs of the latest check (GET), or apply them (POST).

    Each repair checks its row again; rows that changed meanwhile are left out and named.
    """
    asked = request.POST if request.method == "POST" else request.GET
    chosen = _chosen(asked.getlist("id")[:MOST_REPAIRS])
    if not chosen:
        messages.info(request, _("Choose at least one repair. If it is gone, check again."))
        return redirect("maintenance_check")
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        _repair(request, [one["id"] for one in chosen], form.cleaned_data["reason"])
        return redirect("maintenance_check")
    return maintenance_page(request, "repair.html", {"chosen": chosen, "form": form})


def _chosen(ids: list[str]) -> list[dict[str, Any]]:
    """Return the chosen proposals of the latest check, in its order."""
    result = jobs.last_job(JobKind.CHECK, done=True)
    rows = result.rows if result else []
    return [row for row in rows if row["id"] and row["id"] in ids]


def _repair(request: HttpRequest, ids: list[str], reason: str) -> None:
    actor, now = actor_of(request), timezone.now()
    done = [
        one for one in ids if repair.apply(proposal_id=one, actor=actor, reason=reason, now=now)
    ]
    left = [one for one in ids if one not in done]
    audit.record(
        request=request,
        action="maintenance.repaired",
        target="repair",
        detail={"done": done, "left out": left},
        reason=reason,
    )
    if done:
        messages.success(
            request,
            ngettext("%(number)d row was repaired.", "%(number)d rows were repaired.", len(done))
            % {"number": len(done)},
        )
    if left:
        messages.error(
            request,
            _("Left out, because the row has changed since the check: %(ids)s. Check again.")
            % {"ids": ", ".join(left)},
        )

"""A practice outage: preview, start, and end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.practice_words import refusal_words
from orders.models import Site
from reconciliation.maintenance import practice
from reconciliation.models import Outage
from reconciliation.stock_mirror import age

_LENGTH = gettext_lazy("Choose 5 to 30 minutes.")


class PracticeForm(forms.Form):
    """How long the practice lasts."""

    minutes = forms.IntegerField(
        initial=practice.USUAL,
        min_value=practice.SHORTEST,
        max_value=practice.LONGEST,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), _LENGTH),
    )


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def begin(request: HttpRequest) -> HttpResponse:
    """Ask for the length, show what the practice does, then begin it."""
    form = PracticeForm(request.POST or None)
    refusals = practice.refusals(minutes=practice.SHORTEST, now=timezone.now())
    context: dict[str, Any] = {"form": form, "running": practice.running()}
    if request.method == "POST" and form.is_valid():
        minutes = form.cleaned_data["minutes"]
        refusals = practice.refusals(minutes=minutes, now=timezone.now())
        if not refusals and request.POST.get("previewed") == str(minutes):
            try:
                _begin(request, minutes)
            except practice.PracticeRefused as refused:
                refusals = list(refused.refusals)
            else:
                return redirect("home")
        if not refusals:
            context |= _preview(minutes)
    context["refusals"] = [refusal_words(one) for one in refusals]
    return render(request, "console/outages/practice.html", context)


@console_page("reconciliation.force_offline", methods=("POST",), every_site=True)
def end(request: HttpRequest) -> HttpResponse:
    """End the running practice. Idempotent."""
    with transaction.atomic():
        changed = practice.end(
            actor=actor_of(request),
            now=timezone.now(),
        )
        if changed:
            _note(request, "outage.practice_ended", "")
    if changed:
        messages.success(request, _("The practice has ended. The connection is being checked."))
    else:
        messages.info(request, _("The practice was over already."))
    outage = Outage.objects.filter(is_open=True).first()
    if request.POST.get("back") == "outage" and outage is not None:
        return redirect("outage", outage.pk)
    return redirect("home")


def _begin(request: HttpRequest, minutes: int) -> None:
    with transaction.atomic():
        practice.begin(minutes=minutes, actor=actor_of(request), now=timezone.now())
        _note(request, "outage.practice_begun", f"{minutes} min")
    messages.success(request, _("The practice has begun. Place an order in the storefront now."))


def _preview(minutes: int) -> dict[str, Any]:
    now = timezone.now()
    sites = list(Site.objects.order_by("pk").values_list("pk", flat=True))
    ages = age.of_sites(sites, now)
    return {
        "previewed": minutes,
        "ends_at": now + timedelta(minutes=minutes),
        "sites": sites,
        "oldest": max((one.p95 for one in ages), default=None),
        "orders_of_last_day": practice.orders_of_last_day(now),
    }


def _note(request: HttpRequest, action: str, reason: str) -> None:
    audit.record(request=request, action=action, target="connection", reason=reason)

"""Plan an outage with a preview of its effect on each site; extend and end one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.formats import format_time
from coc_admin.console.forms import ReasonForm
from orders.members import iso
from reconciliation.models import PlannedOutage
from reconciliation.outages import planned

_REFUSALS = {
    "order": gettext_lazy("The end must be later than the start."),
    "past": gettext_lazy("The window has begun already or is over. Choose a later time."),
    "overlap": gettext_lazy("Another planned outage overlaps these times. Choose other times."),
    "over": gettext_lazy("The planned outage is over."),
    "shorter": gettext_lazy("Enter a time after the present end."),
    "moved": gettext_lazy("Another person has just changed the end time. Check the new time."),
}
_NEEDS_TIME = gettext_lazy("Enter a date and a time.")


class PlanForm(forms.Form):
    """The window, in the time zone of the person."""

    starts_at = forms.DateTimeField(error_messages={"required": _NEEDS_TIME})
    ends_at = forms.DateTimeField(error_messages={"required": _NEEDS_TIME})
    owner = forms.CharField(
        max_length=100, error_messages={"required": gettext_lazy("Enter who is responsible.")}
    )
    note = forms.CharField(
        max_length=300, error_messages={"required": gettext_lazy("Enter a note for the staff.")}
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a window that can't be planned."""
        values = super().clean() or {}
        starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
        if starts_at and ends_at:
            # Otherwise Python compares and adds times of one zone by their clock faces.
            values["starts_at"] = starts_at = starts_at.astimezone(UTC)
            values["ends_at"] = ends_at = ends_at.astimezone(UTC)
            try:
                planned.check(starts_at=starts_at, ends_at=ends_at, now=timezone.now())
            except planned.WindowRefused as refusal:
                self.add_error("ends_at", str(_REFUSALS[refusal.why]))
        return values


class ExtendForm(ReasonForm):
    """The later end of a window, in the time zone of the person, and why."""

    ends_at = forms.DateTimeField(error_messages={"required": _NEEDS_TIME})

    def __init__(self, data: QueryDict | None, *, window: PlannedOutage) -> None:
        shown = timezone.localtime(window.ends_at)
        super().__init__(data, initial={"ends_at": f"{shown:%Y-%m-%dT%H:%M}"})
        self._window = window

    def clean_ends_at(self) -> datetime:
        """Refuse an invalid end of the window."""
        ends_at: datetime = self.cleaned_data["ends_at"].astimezone(UTC)
        try:
            planned.check_extension(self._window, ends_at=ends_at, now=timezone.now())
        except planned.WindowRefused as refusal:
            raise forms.ValidationError(_REFUSALS[refusal.why]) from None
        return ends_at


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def plan(request: HttpRequest) -> HttpResponse:
    """Ask for a window, show its effect, then save what was shown."""
    form = PlanForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "zone": timezone.get_current_timezone_name()}
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        shown = _digest(values["starts_at"], values["ends_at"])
        if request.POST.get("previewed") == shown and _save(request, form):
            return redirect("outages")
        if not form.errors:
            context["previewed"] = shown
            context["effects"] = planned.effects(
                starts_at=values["starts_at"], ends_at=values["ends_at"]
            )
            context["window"] = values
    return render(request, "console/outages/plan.html", context)


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a later end, show its effect, then save what was shown."""
    window = get_object_or_404(PlannedOutage, pk=min(pk, 2**63 - 1), is_practice=False)
    form = ExtendForm(request.POST or None, window=window)
    context: dict[str, Any] = {
        "form": form,
        "window": window,
        "zone": timezone.get_current_timezone_name(),
    }
    if request.method == "POST" and form.is_valid():
        ends_at = form.cleaned_data["ends_at"]
        shown = _digest(window.ends_at, ends_at)
        if request.POST.get("previewed") == shown and _save_extension(request, window, form):
            return redirect("outages")
        if not form.errors:
            context["previewed"] = shown
            context["ends_at"] = ends_at
            context["effects"] = planned.effects(starts_at=window.starts_at, ends_at=ends_at)
    return render(request, "console/outages/extend_planned.html", context)


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a running window early or cancel a future one. Idempotent."""
    window = get_object_or_404(PlannedOutage, pk=min(pk, 2**63 - 1))
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        with transaction.atomic():
            changed = planned.end(
                window.pk,
                actor=actor_of(request),
                reason=reason,
                now=timezone.now(),
            )
            if changed:
                audit.record(
                    request=request, action="outage.plan_ended", target=str(window), reason=reason
                )
        if changed:
            messages.success(request, _("The planned outage was ended."))
        else:
            messages.info(request, _("The planned outage was over already."))
        return redirect("outages")
    context = {
        "form": form,
        "window": window,
        "is_idle": window.ended_at is not None,
        "back": reverse("outages"),
    }
    return render(request, "console/outages/end_planned.html", context)


def _save(request: HttpRequest, form: PlanForm) -> bool:
    try:
        with transaction.atomic():
            window = planned.plan(
                **form.cleaned_data,
                actor=actor_of(request),
                now=timezone.now(),
            )
            audit.record(
                request=request, action="outage.planned", target=str(window), reason=window.note
            )
    except planned.WindowRefused as refusal:
        form.add_error("ends_at", str(_REFUSALS[refusal.why]))
        return False
    messages.success(request, _("The outage was planned."))
    return True


def _save_extension(request: HttpRequest, window: PlannedOutage, form: ExtendForm) -> bool:
    ends_at, reason = form.cleaned_data["ends_at"], form.cleaned_data["reason"]
    try:
        with transaction.atomic():
            planned.extend(window.pk, ends_at=ends_at, seen=window.ends_at, now=timezone.now())
            audit.record(
                request=request,
                action="outage.plan_extended",
                target=str(window),
                detail={"before": iso(window.ends_at), "after": iso(ends_at)},
                reason=reason,
            )
    except planned.WindowRefused as refusal:
        window.refresh_from_db()
        form.add_error("ends_at", str(_REFUSALS[refusal.why]))
        return False
    words = _("The planned outage now ends at %(time)s.")
    messages.success(request, words % {"time": format_time(ends_at)})
    return True


def _digest(*times: datetime) -> str:
    return " ".join(time.isoformat() for time in times)

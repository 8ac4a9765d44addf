"""Forms about alerts: filters of the inbox, and actions on alerts."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from coc_admin.console.alerts.queries import OPEN, STATES, Wanted
from coc_admin.pager import LONGEST_CURSOR
from reconciliation.alerts.actions import LONGEST_SNOOZE
from reconciliation.alerts.rules import choices
from reconciliation.models import Priority

MOST_CHOSEN = 100
_MORNING = time(8)

ACTIONS = (
    ("acknowledge", _("Acknowledge")),
    ("snooze", _("Snooze")),
    ("assign", _("Assign")),
    ("open", _("Open again")),
    ("resolve", _("Resolve")),
)
SNOOZES = (
    ("hour", _("For an hour")),
    ("morning", _("Until tomorrow morning")),
    ("custom", _("Until…")),
)
_NAMED_SNOOZES = ("hour", "morning")


class InboxForm(forms.Form):
    """Filters of the inbox; invalid values are ignored."""

    state = forms.ChoiceField(choices=STATES, required=False)
    priority = forms.ChoiceField(choices=[("", _("Any")), *Priority.choices], required=False)
    descriptor = forms.ChoiceField(choices=[("", _("Any")), *choices()], required=False)
    assignee = forms.CharField(required=False, max_length=150, strip=True)
    q = forms.CharField(required=False, max_length=100, strip=True)
    hidden = forms.BooleanField(required=False)
    cursor = forms.CharField(required=False, max_length=LONGEST_CURSOR)

    @property
    def wanted(self) -> Wanted:
        """Return the valid part of the request."""
        self.is_valid()
        values = self.cleaned_data
        return Wanted(
            state=values.get("state") or OPEN,
            priority=values.get("priority", ""),
            descriptor=values.get("descriptor", ""),
            assignee=values.get("assignee", ""),
            text=values.get("q", ""),
            hidden=values.get("hidden", False),
        )


class HandleForm(forms.Form):
    """An action on one alert or several; each is named as `key.handled`, as it was shown."""

    action = forms.ChoiceField(
        choices=ACTIONS, error_messages={"required": _("Choose what to do.")}
    )
    alert = forms.CharField(max_length=4000, error_messages={"required": _("Choose an alert.")})
    snooze = forms.ChoiceField(choices=SNOOZES, required=False)
    until = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
        error_messages={"invalid": _("Use a time like 2026-02-28 08:00.")},
    )
    assignee = forms.CharField(required=False, max_length=150, strip=True)
    reason = forms.CharField(required=False, max_length=500, strip=True)

    def clean_alert(self) -> list[tuple[int, int]]:
        """Return the chosen alerts: key, and count of handlings as shown."""
        chosen = []
        for part in self.cleaned_data["alert"].split(","):
            key, _dot, seen = part.partition(".")
            if not (key.isdecimal() and seen.isdecimal() and len(part) < 30):
                raise ValidationError(_("This is not a list of alerts."))
            chosen.append((int(key), int(seen)))
        if len(chosen) > MOST_CHOSEN or any(key >= 2**63 for key, _seen in chosen):
            raise ValidationError(_("Choose fewer alerts."))
        return sorted(set(chosen))

    def clean_assignee(self) -> str:
        """Return the name of an existing person, or ""."""
        name: str = self.cleaned_data["assignee"]
        if name and not User.objects.filter(username=name, is_active=True).exists():
            raise ValidationError(_("No person has that user name."))
        return name

    def clean(self) -> dict[str, Any]:
        """Check that the action has its required fields."""
        values = super().clean() or self.cleaned_data
        if values.get("action") == "resolve" and not values.get("reason"):
            self.add_error("reason", _("Enter a reason."))
        named = values.get("snooze")
        if values.get("action") == "snooze" and values.get("until") and named in _NAMED_SNOOZES:
            self.add_error("until", _("Choose “Until the time below”, or clear the time."))
        elif values.get("action") == "snooze" and "until" not in self.errors:
            until = _until(values, timezone.now())
            if until is None:
                self.add_error("until", _("Choose an end time."))
            elif not _is_soon(until, timezone.now()):
                self.add_error("until", _("Choose a time within the next 30 days."))
            values["until"] = until
        return values


def _is_soon(until: datetime, now: datetime) -> bool:
    # The year first: not every time zone supports arithmetic with the first and last ones.
    return 2000 < until.year < 2200 and now < until <= now + LONGEST_SNOOZE


def _until(values: dict[str, Any], now: datetime) -> datetime | None:
    """Return the end of a snooze, by the person's own clock."""
    if values.get("snooze") == "custom" or values.get("until"):
        custom: datetime | None = values.get("until")
        return custom
    if values.get("snooze") == "morning":
        tomorrow = timezone.localtime(now).date() + timedelta(days=1)
        return timezone.make_aware(datetime.combine(tomorrow, _MORNING))
    return now + timedelta(hours=1)

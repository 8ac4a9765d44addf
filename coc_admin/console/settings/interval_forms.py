"""Forms of scheduled tasks: how often, or at which time of day."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coc_admin.console.settings.edit_forms import EditForm
from coc_admin.personal import zone_names
from reconciliation.queue.intervals import MINUTE, Kind


def every(number: float, unit: int) -> str:
    """Return an interval in words: `every minute`, `every 20 seconds`."""
    if unit == MINUTE and number != int(number):
        number, unit = number * MINUTE, 1
    shown, few = f"{number:g}", 1 if number == 1 else 2
    if unit == MINUTE:
        return ngettext("every minute", "every %(number)s minutes", few) % {"number": shown}
    return ngettext("every second", "every %(number)s seconds", few) % {"number": shown}


class EveryForm(EditForm):
    """The number of seconds or minutes between two runs."""

    kind: Kind
    edited = ("every",)

    every = forms.IntegerField(
        required=False, widget=forms.TextInput(attrs={"inputmode": "numeric", "maxlength": "5"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field, kind = self.fields["every"], self.kind
        in_minutes = kind.unit == MINUTE
        field.label = _("Minutes between two runs") if in_minutes else _("Seconds between two runs")
        limits = {"low": kind.low, "high": kind.high}
        field.help_text = _(
            "A whole number from %(low)d to %(high)d. Leave empty for the value of the"
            " environment, %(default)s."
        ) % (limits | {"default": every(kind.default / kind.unit, kind.unit)})
        field.error_messages["invalid"] = _("Use a whole number, or leave it empty.")

    def clean_every(self) -> int | None:
        """Return the number, within the limits of this interval."""
        number: int | None = self.cleaned_data["every"]
        if number is not None and not self.kind.low <= number <= self.kind.high:
            limits = {"low": self.kind.low, "high": self.kind.high}
            words = _("Use a whole number from %(low)d to %(high)d, or leave it empty.")
            raise forms.ValidationError(words % limits)
        return number


class DailyForm(EditForm):
    """Once a day, at a time in a time zone, or paused."""

    kind: Kind
    edited = ("at", "zone", "paused")

    at = forms.TimeField(
        label=gettext_lazy("Time of day"),
        required=False,
        help_text=gettext_lazy("Leave empty to run once a day, when the day before is over."),
        widget=forms.TimeInput(attrs={"type": "time"}),
        error_messages={"invalid": gettext_lazy("Use a time like 03:00, or leave it empty.")},
    )
    zone = forms.ChoiceField(label=gettext_lazy("In the time zone"), required=False)
    paused = forms.BooleanField(
        label=gettext_lazy("Paused until a person resumes it"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.kind.off_without_time:
            self.fields["at"].help_text = _("Empty: off.")
        if self.seen is not None and not self.seen["zone"]:
            own = timezone.get_current_timezone_name()
            self.initial["zone"] = own if own in zone_names() else "UTC"
        kept = {(self.seen or {}).get("zone") or "UTC"}
        names = [(name, name) for name in sorted(zone_names() | kept)]
        self.fields["zone"].choices = names  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Return the values; a time zone has no meaning without a time."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and values.get("at") is None:
            values["zone"] = ""
        elif not self.errors and not values.get("zone"):
            self.add_error("zone", _("Choose a time zone for the time."))
        return values

    def word(self, name: str, text: str) -> str:
        """Return a value in words; a time without its seconds."""
        return super().word(name, text[:5] if name == "at" else text)


def form_of(kind: Kind) -> type[EditForm]:
    """Return the form that changes the interval of `kind`."""
    base = DailyForm if kind.daily else EveryForm
    return type(base.__name__, (base,), {"kind": kind})

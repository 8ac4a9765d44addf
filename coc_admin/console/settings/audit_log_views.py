"""The page of the audit log, and the log as a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import BadRequest
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.downloads import form_or_404, stamped, table_response
from coc_admin.console.settings.activity import (
    KINDS,
    Activity,
    Wanted,
    activities,
    page_of_activities,
)
from coc_admin.console.settings.audit_labels import action_words, kind_words
from coc_admin.console.settings.edit_forms import StyledForm
from coc_admin.console.settings.views import settings_page
from coc_admin.pager import LONGEST_CURSOR
from coc_admin.templatetags.console import day_value
from orders.tables import Column, Kind, Table

MOST_ROWS = 50_000
COLUMNS = (
    Column("at", gettext_lazy("Time"), Kind.MOMENT),
    Column("person", gettext_lazy("Person")),
    Column("action", gettext_lazy("Action")),
    Column("object", gettext_lazy("Object")),
    Column("detail", gettext_lazy("Details")),
    Column("reason", gettext_lazy("Reason")),
    Column("requestId", gettext_lazy("Request")),
)
_PAGES = {"site": "settings_site", "list": "settings_list", "run": "run", "outage": "outage"}


class _DayInput(forms.DateInput):
    """A date field that only ever contains a day, because browsers reject any other text."""

    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"})

    def format_value(self, value: Any) -> str:
        """Return the day in the browser's format, or "" if it is invalid."""
        return day_value(value)


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        widget=_DayInput(),
        validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2200, 1, 1))],
        error_messages={"invalid": gettext_lazy("Use a date like 2026-02-28.")},
    )


class AuditFilterForm(StyledForm):
    """Filters of the audit log; days are in UTC."""

    person = forms.CharField(label=gettext_lazy("Person"), required=False, max_length=150)
    kind = forms.ChoiceField(label=gettext_lazy("About"), required=False, choices=lambda: _kinds())
    target = forms.CharField(
        label=gettext_lazy("Object"),
        required=False,
        max_length=300,
        widget=forms.TextInput(
            attrs={"placeholder": gettext_lazy("Order number, site, user name")}
        ),
    )
    since = _day(gettext_lazy("From"))
    until = _day(gettext_lazy("To"))
    cursor = forms.CharField(required=False, max_length=LONGEST_CURSOR, widget=forms.HiddenInput)

    @property
    def wanted(self) -> Wanted:
        """Return the valid filters."""
        values = self.cleaned_data
        return Wanted(
            person=values["person"],
            kind=values["kind"],
            target=values["target"],
            since=_midnight(values["since"]),
            until=_midnight(values["until"], days=1),
        )


def _kinds() -> list[tuple[str, str]]:
    return [("", _("Everything")), *((kind, kind_words(kind)) for kind in KINDS)]


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    return None if day is None else datetime.combine(day + timedelta(days), time.min, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """An activity in words, with the page of its target."""

    activity: Activity
    action: str
    kind: str
    key: str
    url: str
    details: list[tuple[str, str]]


@console_page("coc_admin.view_auditentry", every_site=True)
def audit_list(request: HttpRequest) -> HttpResponse:
    """Show people's actions, the newest first; three queries at most for the timeline."""
    form = AuditFilterForm(request.GET)
    lines: list[Line] = []
    page = None
    if form.is_valid():
        page = page_of_activities(form.wanted, cursor=form.cleaned_data["cursor"])
        lines = [line_of(activity) for activity in page.rows]
    names = ("person", "kind", "target", "since", "until")
    context = {
        "form": form,
        "page": page,
        "lines": lines,
        "is_narrowed": any(request.GET.get(name) for name in names),
    }
    return settings_page(request, "audit.html", context)


@console_page("coc_admin.view_auditentry", every_site=True)
def audit_export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send the matches of the page's filters in a Form, the newest MOST_ROWS at most."""
    chosen = form_or_404(form)
    wanted = AuditFilterForm(request.GET)
    if not wanted.is_valid():
        raise BadRequest(_("The filters of this export are not valid."))
    audit.record(
        request=request,
        action="audit.exported",
        target="audit",
        detail={name: request.GET[name] for name in wanted.fields if request.GET.get(name)},
    )
    found = islice(activities(wanted.wanted, most=MOST_ROWS), MOST_ROWS)
    table = Table(gettext_lazy("Audit log"), COLUMNS, map(_row, found))
    return table_response(table, chosen, stem=stamped("audit"))


def _row(activity: Activity) -> list[Any]:
    detail = activity.detail
    return [
        activity.at,
        activity.actor,
        activity.action,
        activity.target,
        json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else "",
        activity.reason,
        activity.request_id,
    ]


def line_of(activity: Activity) -> Line:
    """Return an activity in words."""
    kind, _mark, key = activity.target.partition(":")
    return Line(
        activity=activity,
        action=activity.action if activity.order else action_words(activity.action),
        kind=kind_words(kind),
        key=activity.order.order_no if activity.order else key,
        url=_url_of(activity, kind, key),
        details=[(str(name), _value_words(value)) for name, value in activity.detail.items()],
    )


def _url_of(activity: Activity, kind: str, key: str) -> str:
    if activity.order:
        return reverse("order", args=[activity.order.pk])
    if kind == "order" and key.isdecimal():
        return reverse("order", args=[key])
    if kind == "user" and key:
        return f"{reverse('settings_people')}?{urlencode({'q': key})}"
    try:
        return reverse(_PAGES[kind], args=[key]) if kind in _PAGES and key else ""
    except NoReverseMatch:
        return ""


def _value_words(value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        before, after = (_value_words(value[name]) for name in ("before", "after"))
        return _("from %(before)s to %(after)s") % {"before": before, "after": after}
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    text = _("nothing") if value in (None, "") else str(value)
    return text.replace("\n", ", ")

"""The page that changes the interval of one scheduled job."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin import interval_changes
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.settings.interval_forms import form_of
from coc_admin.console.settings.interval_labels import (
    ABOUT,
    STANDINGS,
    interval_words,
)
from coc_admin.console.settings.views import report_result, settings_page, try_to
from coc_admin.edits import texts_of
from reconciliation.maintenance.schedule_status import Entry, schedule_status
from reconciliation.models import IntervalSetting
from reconciliation.queue.intervals import KINDS, Interval


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def interval_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one scheduled task, and a form to change how often it runs."""
    if name not in KINDS:
        raise Http404
    kind = KINDS[name]
    form_class = form_of(kind)
    row = IntervalSetting.objects.filter(pk=name).first() or IntervalSetting(pk=name)
    form = form_class(_input(request, form_class.edited), seen=texts_of(row, form_class.edited))
    change = partial(interval_changes.change_interval, name=name, actor=actor_of(request))
    outcome = try_to(form, change)
    if outcome.done:
        words = _("%(what)s: changed.") % {"what": ABOUT[name].name}
        report_result(request, outcome, changed=words)
        return redirect("settings_interval", name=name)
    [entry] = [one for one in schedule_status(timezone.now()) if one.interval.kind.name == name]
    context = outcome.context | {
        "row": shown(entry),
        "about": ABOUT[name],
        "default": interval_words(Interval(kind, kind.default)),
    }
    return settings_page(request, "interval.html", context, status=outcome.status)


def _input(request: HttpRequest, edited: tuple[str, ...]) -> Any:
    """Return the input; the default button replaces it by the environment's interval."""
    if "default" not in request.POST:
        return request.POST or None
    data = request.POST.copy()
    for name in edited:
        data.pop(name, None)
    return data


def shown(entry: Entry) -> dict[str, Any]:
    """Return the values that pages show of a scheduled task."""
    kind = entry.interval.kind
    tone, standing = STANDINGS[entry.standing]
    return {
        "key": kind.name,
        "name": ABOUT[kind.name].name,
        "interval": interval_words(entry.interval),
        "is_changed": entry.interval.is_changed,
        "variable": kind.variable,
        "last_at": entry.last_at,
        "next_at": entry.next_at,
        "tone": tone,
        "standing": standing,
    }

"""The page that changes the interval of one scheduled job."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin import interval_changes
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.settings.interval_forms import form_of
from coc_admin.console.settings.interval_labels import (
    ABOUT,
    STANDINGS,
    default_words,
    interval_words,
)
from coc_admin.console.settings.views import settings_page, try_to
from coc_admin.edits import texts_of
from orders.actors import person
from reconciliation.maintenance.schedule_status import Entry, schedule_status
from reconciliation.models import IntervalSetting
from reconciliation.queue.intervals import KINDS


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def interval_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one scheduled task, and a form to change how often it runs."""
    if name not in KINDS:
        raise Http404
    form_class = form_of(KINDS[name])
    row = IntervalSetting.objects.filter(pk=name).first() or IntervalSetting(pk=name)
    form = form_class(_input(request, form_class.edited), seen=texts_of(row, form_class.edited))
    outcome = try_to(
        form,
        lambda: interval_changes.change_interval(
            name=name,
            was=form.was_texts,
            values=form.values,
            actor=person(request.user.get_username()),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        ),
    )
    if outcome.done:
        if outcome.result:
            messages.success(request, _("%(what)s: changed.") % {"what": ABOUT[name].name})
        else:
            messages.info(request, _("You made no changes, so nothing was saved."))
        return redirect("settings_interval", name=name)
    [entry] = [one for one in schedule_status(timezone.now()) if one.interval.kind.name == name]
    context = outcome.context | {
        "row": shown(entry),
        "about": ABOUT[name],
        "default": default_words(entry.interval),
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

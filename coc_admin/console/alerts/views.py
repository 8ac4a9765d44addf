"""Pages of alerts: the inbox, one alert with its history, and actions on alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import ngettext

from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.alerts.forms import HandleForm, InboxForm
from coc_admin.console.alerts.queries import STATES, Inbox, fingerprint_of, inbox_of, state_of
from coc_admin.console.audit import actor_of
from coc_admin.console.channels.access import deliveries_of
from coc_admin.console.outages.last_cost import last_cost
from reconciliation.alerts import actions
from reconciliation.alerts.rules import choices
from reconciliation.alerts.text import note_of
from reconciliation.models import Alert, AlertEvent, Priority

# Alerts after an outage; their pages show its cost.
_AFTER_RECOVERY = ("reconciliation_finished", "reconciliation_shortages")
MOST_EVENTS = 100
MOST_DELIVERIES = 50


@console_page("reconciliation.view_alert")
def alert_list(request: HttpRequest) -> HttpResponse:
    """List alerts by the filters of InboxForm."""
    form = InboxForm(request.GET)
    inbox, wanted = inbox_of(request), form.wanted
    page = inbox.page(wanted, str(form.cleaned_data.get("cursor", "")))
    context = {
        "form": form,
        "wanted": wanted,
        "page": page,
        "seen": fingerprint_of(page.rows),
        "now": timezone.now(),
        "states": STATES,
        "priorities": Priority.choices,
        "descriptors": choices(),
        "hidden_kinds": len(inbox.hidden),
        "is_filtered": any((wanted.priority, wanted.descriptor, wanted.assignee, wanted.text)),
    }
    return render(request, "console/alerts/alerts.html", context)


@console_page("reconciliation.view_alert")
def alert_list_live(request: HttpRequest) -> HttpResponse:
    """Return the frame, and whether the list has changed since the page was shown."""
    form = InboxForm(request.GET)
    page = inbox_of(request).page(form.wanted, str(form.cleaned_data.get("cursor", "")))
    return _live(request, page.rows)


@console_page("reconciliation.view_alert")
def alert_page_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the frame, and whether the alert has changed since the page was shown."""
    return _live(request, _permitted(inbox_of(request), [pk]))


def _live(request: HttpRequest, alerts: Sequence[Alert]) -> HttpResponse:
    has_changed = request.GET.get("seen", "") != fingerprint_of(alerts)
    return render(request, "console/alerts/alerts_live.html", {"has_changed": has_changed})


@console_page("reconciliation.view_alert")
def alert_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one alert: its text, its history, and who was notified."""
    alert = _permitted(inbox_of(request), [pk])[0]
    return render(request, "console/alerts/alert.html", _page_context(request, alert))


@console_page("reconciliation.change_alert", methods=("POST",))
def handle(request: HttpRequest) -> HttpResponse:
    """Act on the chosen alerts; if others acted meanwhile, show their changes first."""
    data = request.POST.copy()
    data["alert"] = ",".join(request.POST.getlist("alert"))
    form = HandleForm(data)
    if not form.is_valid():
        return _ask_again(request, form, status=400)
    chosen = form.cleaned_data["alert"]
    _permitted(inbox_of(request), [key for key, _seen in chosen])
    moved = []
    for key, seen in chosen:
        try:
            _do(request, form.cleaned_data, key, seen)
        except actions.AlertMoved as error:
            moved.append(error.alert.pk)
    done = len(chosen) - len(moved)
    if done:
        text = ngettext("%(number)d alert was updated.", "%(number)d alerts were updated.", done)
        messages.success(request, text % {"number": done})
    if moved:
        return _ask_again(request, form, moved=moved, status=409)
    return redirect(_back(request))


def _do(request: HttpRequest, values: dict[str, Any], key: int, seen: int) -> None:
    """Act on one alert and record it in the audit log, unless that state is already set."""
    actor, user_id = actor_of(request), int(request.user.pk or 0)
    common: dict[str, Any] = {"alert_id": key, "seen": seen, "actor": actor, "now": timezone.now()}
    verbs: dict[str, Callable[[], Alert]] = {
        "acknowledge": lambda: actions.acknowledge(**common),
        "snooze": lambda: actions.snooze(until=values["until"], user_id=user_id, **common),
        "assign": lambda: actions.assign(assignee=values["assignee"], **common),
        "open": lambda: actions.open_again(user_id=user_id, **common),
        "resolve": lambda: actions.resolve_by_hand(reason=values["reason"], **common),
    }
    action = values["action"]
    detail_names = {"snooze": ("until",), "assign": ("assignee",)}.get(action, ())
    with transaction.atomic():
        mine = AlertEvent.objects.filter(alert=key, actor=actor.name)
        before = mine.count()
        verbs[action]()
        if mine.count() != before:
            audit.record(
                request=request,
                action=f"alert.{action}",
                target=f"alert:{key}",
                detail={name: values[name] for name in detail_names},
                reason=values["reason"] if action == "resolve" else "",
            )


def _permitted(inbox: Inbox, keys: list[int]) -> list[Alert]:
    """Return alerts as this person may see them; others' alerts count as missing."""
    wanted = {min(key, 2**63 - 1) for key in keys}
    found = inbox.shown_to_person(
        Alert.objects.filter(pk__in=wanted).order_by("pk"), permitted=True
    )
    if len(found) != len(wanted):
        raise Http404
    return found


def _ask_again(
    request: HttpRequest, form: HandleForm, *, status: int, moved: list[int] | None = None
) -> HttpResponse:
    """Show the chosen alerts as they are now, with the input unchanged."""
    keys = moved or [key for key, _seen in form.cleaned_data.get("alert", [])]
    alerts = _permitted(inbox_of(request), keys) if keys else []
    last = {
        event.alert_id: event
        for event in AlertEvent.objects.filter(alert__in=[alert.pk for alert in alerts])
    }
    snoozed = inbox_of(request).snoozed
    context = {
        "form": form,
        "chosen": [
            (alert, dict(STATES)[state_of(alert, snoozed)], last.get(alert.pk)) for alert in alerts
        ],
        "moved": bool(moved),
        "back": _back(request),
    }
    return render(request, "console/alerts/alert_handle.html", context, status=status)


def _back(request: HttpRequest) -> str:
    """Return the page the person came from, if it is a page of alerts."""
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return back if safe and back.startswith("/alerts/") else resolve_url("alerts")


def _note(event: AlertEvent, alert: Alert) -> str:
    return note_of(event, descriptor=alert.descriptor)


def _page_context(request: HttpRequest, alert: Alert) -> dict[str, Any]:
    events = list(AlertEvent.objects.filter(alert=alert).order_by("-pk")[:MOST_EVENTS])
    # Notes may mention sites that this person must not see.
    limited, name = site_access(request).is_limited, request.user.get_username()
    snoozed = inbox_of(request).snoozed
    state = state_of(alert, snoozed)
    may_tell = request.user.has_perm("reconciliation.change_channel")
    return {
        "alert": alert,
        "state": state,
        "seen": fingerprint_of([alert]),
        "now": timezone.now(),
        "snoozed_until": snoozed.get(alert.pk),
        "state_label": dict(STATES)[state],
        "events": [
            (event, "" if limited and event.actor != name else _note(event, alert))
            for event in events
        ],
        "deliveries": list(deliveries_of(request).filter(alert=alert)[:MOST_DELIVERIES])
        if may_tell
        else [],
        "may_see_deliveries": may_tell,
        "last_outage": last_cost(site_access(request))
        if alert.descriptor in _AFTER_RECOVERY and request.user.has_perm("reconciliation.view_run")
        else None,
    }

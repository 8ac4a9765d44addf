"""The page with a person's preferences for alerts."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.alerts.queries import inbox_of
from coc_admin.models import AlertPreference
from reconciliation.alerts.rules import RULES, choices
from reconciliation.models import Priority


@console_page("reconciliation.view_alert", methods=READ_AND_POST)
def preferences(request: HttpRequest) -> HttpResponse:
    """Show and save hidden alerts and own priorities. Saving is idempotent."""
    if request.method == "POST":
        _save(request)
        messages.success(request, _("Your view of the alerts was saved."))
        return redirect("alerts")
    mine = inbox_of(request).preferences
    rows = [(value, label, mine.get(value)) for value, label in choices()]
    context = {"rows": rows, "priorities": Priority.choices}
    return render(request, "console/alerts/alert_preferences.html", context)


def _save(request: HttpRequest) -> None:
    """Save the choices. Raises BadRequest for one not offered by the page."""
    hidden = set(request.POST.getlist("hidden"))
    priorities = {name: request.POST.get(f"priority-{name}", "") for name in RULES}
    if hidden - set(RULES) or set(priorities.values()) - {"", *Priority.values}:
        raise BadRequest("The page offers no such choice.")
    user_id = int(request.user.pk or 0)
    with transaction.atomic():
        for descriptor in sorted(priorities):
            AlertPreference.objects.update_or_create(
                user_id=user_id,
                descriptor=descriptor,
                defaults={
                    "hidden": descriptor in hidden,
                    "priority": priorities[descriptor],
                },
            )

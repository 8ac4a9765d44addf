"""Force the connection offline and release it, each with a reason."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.formats import format_time
from coc_admin.console.forms import ReasonForm
from coc_admin.console.frame import frame_of
from orders.models import Site
from reconciliation import connection
from reconciliation.models import ConnectionState, PlannedOutage
from reconciliation.outages import planned


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def force(request: HttpRequest) -> HttpResponse:
    """Explain forcing offline, then do it; a second click changes nothing."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            changed = connection.force_offline(
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
            if changed:
                _note(request, "connection.forced_offline", form)
        if changed:
            messages.success(request, _("The connection was forced offline."))
        else:
            messages.info(request, _("The connection was already forced offline."))
        return redirect("home")
    is_forced = _is_forced(request)
    context = {
        "form": form,
        "is_idle": is_forced,
        "back": reverse("release_offline" if is_forced else "home"),
        "refusing": list(Site.objects.filter(offline_capture=False)),
    }
    return render(request, "console/force_offline.html", context)


@console_page("reconciliation.force_offline", methods=READ_AND_POST, every_site=True)
def release(request: HttpRequest) -> HttpResponse:
    """Explain the release, then do it; a second click changes nothing."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            ended = planned.release(
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
            if ended is not None:
                _note(request, "connection.released", form)
            for window in ended or ():
                _note(request, "outage.plan_ended", form, target=str(window))
        if ended is not None:
            messages.success(request, _("The connection was released and is being checked."))
        else:
            messages.info(request, _("The connection was not forced offline any more."))
        return redirect("home")
    context = {
        "form": form,
        "is_idle": not _is_forced(request),
        "windows": [_ends_with_it(window) for window in planned.running()],
        "back": reverse("home"),
    }
    return render(request, "console/release.html", context)


def _ends_with_it(window: PlannedOutage) -> str:
    return _("The planned outage (%(owner)s: %(note)s) ends now instead of at %(time)s.") % {
        "owner": window.owner,
        "note": window.note,
        "time": format_time(window.ends_at),
    }


def _note(
    request: HttpRequest, action: str, form: ReasonForm, *, target: str = "connection"
) -> None:
    reason = form.cleaned_data["reason"]
    audit.record(request=request, action=action, target=target, reason=reason)


def _is_forced(request: HttpRequest) -> bool:
    return frame_of(request).connection.state == ConnectionState.FORCED_OFFLINE

"""The page of scheduled jobs: schedules, intervals, and the last sign of life of each."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.settings.interval_views import shown
from coc_admin.console.settings.views import settings_page
from reconciliation.alerts.rules.silent_monitor import MONITOR_SILENT
from reconciliation.alerts.rules.silent_worker import is_worker_silent
from reconciliation.maintenance import schedules
from reconciliation.maintenance.schedule_status import schedule_status
from reconciliation.maintenance.schedules import Fault
from reconciliation.models import Heartbeat
from reconciliation.queue import enqueue, heartbeats

# Each of these looks for due work, and may run twice or never without harm.
RUNNABLE = {
    "sweep": gettext_lazy("Recover abandoned work, and retry waiting orders"),
    "merge_reports": gettext_lazy("Write overdue daily reports"),
    "finish_cancellations": gettext_lazy("Continue pending cancellations"),
}
_GONE = timedelta(days=1)
_MOST_BEATS = 50


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def schedule_page(request: HttpRequest) -> HttpResponse:
    """Show the schedules; POST runs a job now, or repairs the schedules."""
    if request.method == "POST":
        return _act(request)
    now = timezone.now()
    states = schedules.states(now)
    context = {
        "schedules": [(state, _fault_words(state.fault)) for state in states],
        "is_broken": any(state.fault in _REPAIRABLE for state in states),
        "stops_all": any(state.fault == Fault.UNREADABLE for state in states),
        "runnable": [(name, str(words)) for name, words in RUNNABLE.items()],
        "rows": [shown(entry) for entry in schedule_status(now)],
        "beats": beats_now(now),
        "queued": enqueue.queued(),
    }
    return settings_page(request, "schedules.html", context)


def beats_now(now: datetime) -> list[tuple[Heartbeat, bool]]:
    """Return the processes' signs of life, and whether each of them is silent."""
    beats = Heartbeat.objects.order_by("component", "-beat_at")[:_MOST_BEATS]
    return [(beat, _is_silent(beat, now)) for beat in beats]


def _is_silent(beat: Heartbeat, now: datetime) -> bool:
    quiet = now - beat.beat_at
    if beat.component == heartbeats.WORKER:
        return is_worker_silent(quiet)
    return quiet > (MONITOR_SILENT if beat.component == heartbeats.MONITOR else _GONE)


_REPAIRABLE = (Fault.MISSING, Fault.CHANGED, Fault.UNREADABLE)


def _act(request: HttpRequest) -> HttpResponse:
    act, name = request.POST.get("act", ""), request.POST.get("name", "")
    if act == "run" and name in RUNNABLE:
        with transaction.atomic():
            enqueue.soon(name)
            _note(request, "schedule.run", name)
        messages.success(request, _("The task is queued. A worker will start it shortly."))
    elif act == "repair":
        with transaction.atomic():
            schedules.ensure()
            _note(request, "schedule.repaired", "all")
        messages.success(request, _("The schedules were repaired."))
    elif act == "remove" and name.isdecimal() and len(name) < 19:
        with transaction.atomic():
            removed = schedules.remove_foreign(int(name))
            if removed:
                _note(request, "schedule.removed", name)
        if removed:
            messages.success(request, _("The schedule was removed."))
        else:
            messages.info(request, _("The schedule was already removed."))
    else:
        messages.error(request, _("Nothing was done. This task cannot be run here."))
    return redirect("settings_schedules")


def _note(request: HttpRequest, action: str, name: str) -> None:
    audit.record(request=request, action=action, target=f"schedule:{name}")


def _fault_words(fault: Fault) -> str:
    """Return the fault and the remedy in words; "" without a fault."""
    return {
        Fault.NONE: "",
        Fault.MISSING: _("The schedule is missing, so it never runs. Repair the schedules."),
        Fault.CHANGED: _("The schedule was changed. Repair the schedules to restore it."),
        Fault.UNREADABLE: _(
            "The queue cannot read this schedule and runs no schedule because of it. Repair the"
            " schedules. If this one is still listed afterwards, remove it."
        ),
        Fault.LATE: _("It is overdue. Check below whether a worker runs."),
        Fault.FOREIGN: _("It does not belong to this product. Remove it if it is not needed."),
    }[fault]

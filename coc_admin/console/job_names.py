"""The names of background jobs in the reader's language; stored and sent to the API in English."""

from __future__ import annotations

import re
from typing import Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import ActorKind

_NAMES = {
    "adjustments": gettext_lazy("adjustments"),
    "alert rules": gettext_lazy("alert rules"),
    "command line": gettext_lazy("command line"),
    "connection": gettext_lazy("connection"),
    "dry run": gettext_lazy("dry run"),
    "monitor": gettext_lazy("monitor"),
    "releases": gettext_lazy("releases"),
    "replacements": gettext_lazy("replacements"),
    "retention": gettext_lazy("retention"),
    "schedule": gettext_lazy("schedule"),
    "sweep": gettext_lazy("sweep"),
}
# The names that end in the number of a PlannedOutage or of a Run.
_WINDOW = re.compile(r"planned outage (\d+)")
_RUN = re.compile(r"reconciliation run (\d+)")


class Done(Protocol):
    """A row with the name of the person or job that acted."""

    actor_kind: str
    actor: str


def job_name(name: str) -> str:
    """Return the name of a job in the active language; an unknown one stays unchanged."""
    if window := _WINDOW.fullmatch(name):
        return _("planned outage %(number)s") % {"number": window[1]}
    if run := _RUN.fullmatch(name):
        return _("reconciliation run %(number)s") % {"number": run[1]}
    return str(_NAMES.get(name, name))


def who(row: Done) -> str:
    """Return who acted: people and API clients by name, jobs in words."""
    return job_name(row.actor) if row.actor_kind == ActorKind.JOB else row.actor

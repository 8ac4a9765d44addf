"""No worker reports."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reconciliation.alerts.rule import Data, Text, moment_of, span_of
from reconciliation.alerts.silence import SilenceRule
from reconciliation.queue import heartbeats, intervals

WORKER_SILENT = timedelta(seconds=90)  # with the quickest sweep
# How long after a sweep that should have come a worker counts as silent.
SWEEP_LATE = timedelta(seconds=30)


def is_worker_silent(quiet: timedelta) -> bool:
    """Whether a worker without a heartbeat for so long is silent: the sweep makes it beat."""
    if quiet <= WORKER_SILENT:
        return False
    return quiet > intervals.interval_of(intervals.SWEEP).length + SWEEP_LATE


class SilentWorker(SilenceRule):
    """Open until a worker reports again."""

    title = gettext_lazy("Worker is silent")
    component = heartbeats.WORKER
    quiet = WORKER_SILENT

    def is_silent(self, quiet: timedelta) -> bool:
        """Whether no worker reported for too long."""
        return is_worker_silent(quiet)

    def text(self, data: Data) -> Text:
        """Describe since when, the consequences, and the process to start."""
        remedy = _("Restart the worker (manage.py qcluster).")
        if data["never"]:
            message = _(
                "No worker has reported yet. Orders are captured, but none is reconciled and no"
                " report is written."
            )
            return Text(message, remedy)
        message = _(
            "No worker has reported since %(time)s. Orders are captured, but none is reconciled"
            " and no report is written."
        )
        return Text(message % {"time": moment_of(data)}, remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("No worker reported from %(time)s to %(until)s.") % span_of(data)


RULE = SilentWorker()

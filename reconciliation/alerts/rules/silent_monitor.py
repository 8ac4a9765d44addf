"""No monitor reports."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reconciliation.alerts.rule import Data, Text, moment_of, span_of
from reconciliation.alerts.silence import SilenceRule
from reconciliation.queue import heartbeats

MONITOR_SILENT = timedelta(seconds=10)


class SilentMonitor(SilenceRule):
    """Open until a monitor reports again."""

    title = gettext_lazy("Monitor is silent")
    component = heartbeats.MONITOR
    quiet = MONITOR_SILENT

    def is_silent(self, quiet: timedelta) -> bool:
        """Whether no monitor reported for too long."""
        return quiet > MONITOR_SILENT

    def text(self, data: Data) -> Text:
        """Describe since when, the consequences, and the process to start."""
        remedy = _("Restart the monitor (manage.py watch_oci).")
        if data["never"]:
            message = _(
                "No monitor has reported yet. Loss and return of OCI are noticed late, and"
                " reconciliation doesn't start automatically."
            )
            return Text(message, remedy)
        message = _(
            "No monitor has reported since %(time)s. Loss and return of OCI are noticed late, and"
            " reconciliation doesn't start automatically."
        )
        return Text(message % {"time": moment_of(data)}, remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("No monitor reported from %(time)s to %(until)s.") % span_of(data)


RULE = SilentMonitor()

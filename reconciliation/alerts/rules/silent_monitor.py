"""No monitor reports."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, Priority
from reconciliation.queue import heartbeats

MONITOR_SILENT = timedelta(seconds=10)


class SilentMonitor(Rule):
    """Open until a monitor reports again."""

    title = gettext_lazy("Monitor is silent")
    button = gettext_lazy("Open the home page")
    is_about_silence = True

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield it if no monitor has beaten for too long, once any process has reported."""
        monitor = heartbeats.last_beat(heartbeats.MONITOR)
        # One that has never reported is missed as soon as the other process works.
        expected = monitor is not None or heartbeats.last_beat(heartbeats.WORKER) is not None
        quiet = facts.now - max(monitor or facts.watching_since, facts.watching_since)
        if expected and quiet > MONITOR_SILENT:
            yield Found(
                priority=Priority.ACTION,
                link="/",
                data={"never": monitor is None},
                since=monitor,
            )

    def text(self, data: Data) -> Text:
        """Say since when, what is noticed late, and what to start."""
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
        """Say from when to when."""
        return _("No monitor reported from %(time)s to %(until)s.") % span_of(data)

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Say the same to everybody: all sites share the monitor."""
        return self.text_for_all(alert)


RULE = SilentMonitor()

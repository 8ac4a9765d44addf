"""No worker reports."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, Priority
from reconciliation.queue import heartbeats, intervals

WORKER_SILENT = timedelta(seconds=90)  # with the quickest sweep
# How long after a sweep that should have come a worker counts as silent.
SWEEP_LATE = timedelta(seconds=30)


def is_worker_silent(quiet: timedelta) -> bool:
    """Whether a worker without a heartbeat for so long is silent: the sweep makes it beat."""
    if quiet <= WORKER_SILENT:
        return False
    return quiet > intervals.interval_of(intervals.SWEEP).length + SWEEP_LATE


class SilentWorker(Rule):
    """Open until a worker reports again."""

    title = gettext_lazy("Worker is silent")
    button = gettext_lazy("Open the home page")
    is_about_silence = True

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield it if nothing has beaten for too long, once any process has reported."""
        worker = heartbeats.last_beat(heartbeats.WORKER)
        # One that has never reported is missed as soon as the other process works.
        expected = worker is not None or heartbeats.last_beat(heartbeats.MONITOR) is not None
        quiet = facts.now - max(worker or facts.watching_since, facts.watching_since)
        if expected and is_worker_silent(quiet):
            yield Found(
                priority=Priority.ACTION,
                link="/",
                data={"never": worker is None},
                since=worker,
            )

    def text(self, data: Data) -> Text:
        """Say since when, what stands still, and what to start."""
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
        """Say from when to when."""
        return _("No worker reported from %(time)s to %(until)s.") % span_of(data)

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Say the same to everybody: all sites share the workers."""
        return self.text_for_all(alert)


RULE = SilentWorker()

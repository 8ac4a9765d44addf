"""Scheduled jobs in plain words: their purpose, and the effect of another interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console.settings.interval_forms import every
from reconciliation.maintenance.schedule_status import Standing
from reconciliation.queue import intervals
from reconciliation.queue.intervals import Interval


@dataclass(frozen=True, slots=True)
class About:
    """Name, purpose, effect of a longer interval, and why it can't be paused."""

    name: Any
    does: Any
    longer: Any
    never_paused: Any = ""


ABOUT = {
    intervals.RETRY: About(
        gettext_lazy("Retry of waiting orders"),
        gettext_lazy(
            "Starts a reconciliation of the orders that still wait for their reservation, oldest"
            " first, while Omnichannel Inventory answers and no other reconciliation is running."
            " The backlog of an outage is always reconciled as soon as the outage ends."
        ),
        gettext_lazy(
            "Orders that a reconciliation could not settle wait longer for their next attempt,"
            " and their stock stays held longer. Omnichannel Inventory gets fewer calls. A"
            " person can start a reconciliation at any time."
        ),
        gettext_lazy(
            "It cannot be paused, because orders would wait indefinitely. To stop calls to"
            " Omnichannel Inventory, force the connection offline. Every page then shows it."
        ),
    ),
    intervals.SWEEP: About(
        gettext_lazy("Recovery of abandoned work"),
        gettext_lazy(
            "Finds work that a stopped or killed process left behind: half-captured orders,"
            " stalled reconciliations and cancellations, overdue reports and messages. It also"
            " starts the retries and shows that the workers are running."
        ),
        gettext_lazy(
            "After a crash it takes longer until another process takes over, and a retry can be"
            " late by the same time. A silent worker is noticed later too."
        ),
        gettext_lazy(
            "It cannot be paused, because it recovers lost work. It can be slowed down to five"
            " minutes."
        ),
    ),
    intervals.PROBE: About(
        gettext_lazy("Probe of Omnichannel Inventory"),
        gettext_lazy(
            "Probes Omnichannel Inventory, whether or not orders come. This is how loss and"
            " return are detected."
        ),
        gettext_lazy(
            "Loss and return are detected later, by several times the interval. Above one"
            " second, a loss is no longer detected within five seconds. Until a loss is"
            " detected, each shopper waits for an answer that does not come."
        ),
        gettext_lazy("It cannot be paused, because the end of an outage would not be detected."),
    ),
    intervals.MERGE: About(
        gettext_lazy("Merge of the daily reports"),
        gettext_lazy(
            "Collects the changes of a day’s report for this long before the file is rewritten."
        ),
        gettext_lazy(
            "Report files lag further behind the database and are written less often. Nothing is"
            " lost: the console always shows the current state."
        ),
        gettext_lazy("It cannot be paused, because report files would fall behind the database."),
    ),
    intervals.RETENTION: About(
        gettext_lazy("Erasure of personal data"),
        gettext_lazy(
            "Erases customers and payloads of finished orders after the number of days set in"
            " the environment (COC_RETAIN_CUSTOMER_DAYS, COC_RETAIN_PAYLOAD_DAYS)."
        ),
        gettext_lazy(
            "While it is paused, personal data is kept longer than promised. It catches up when"
            " it resumes. A new time applies from its next occurrence."
        ),
    ),
    intervals.AUDIT: About(
        gettext_lazy("Audit with OCI"),
        gettext_lazy(
            "Exports OCI’s reservation documents of the last 30 days, compares them with ours,"
            " and raises an alert if they differ. It changes nothing. It is off until you choose"
            " a time of day, ideally one with few orders. It needs a scope of its own"
            " (COC_OCI_AUDIT_SCOPE)."
        ),
        gettext_lazy(
            "While it is paused, differences are found only when a person starts an audit."
        ),
    ),
}

STANDINGS = {
    Standing.LATE: ("warn", gettext_lazy("late")),
    Standing.BROKEN: ("bad", gettext_lazy("broken")),
    Standing.PAUSED: ("warn", gettext_lazy("paused")),
    Standing.IDLE: ("quiet", gettext_lazy("nothing to do")),
    Standing.RUNNING: ("info", gettext_lazy("running")),
    Standing.AWAY: ("warn", gettext_lazy("waits for the connection")),
    Standing.OFF: ("quiet", gettext_lazy("off")),
    Standing.GOOD: ("ok", gettext_lazy("on time")),
}


def interval_words(interval: Interval) -> str:
    """Return an interval in words: `every minute`, `once a day at 03:00 (Europe/Berlin)`."""
    if interval.at is not None:
        values = {"time": f"{interval.at:%H:%M}", "zone": interval.zone}
        return _("once a day at %(time)s (%(zone)s)") % values
    if interval.kind.off_without_time:
        return _("off")
    if interval.kind.daily:
        return _("once a day")
    return every(interval.seconds / interval.kind.unit, interval.kind.unit)

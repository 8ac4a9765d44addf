"""Scheduled jobs in plain words: what each does, and what another interval means."""

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
    """Name, what it does, what a longer interval means, and why it cannot be paused."""

    name: Any
    does: Any
    longer: Any
    never_paused: Any = ""


ABOUT = {
    intervals.RETRY: About(
        gettext_lazy("Retry of what waits"),
        gettext_lazy(
            "Starts a reconciliation of the orders that still wait for their reservation, oldest"
            " first, while Omnichannel Inventory answers and no other reconciliation is under way."
            " What an outage leaves behind is reconciled at once when it is over, whatever is set"
            " here."
        ),
        gettext_lazy(
            "Orders that a reconciliation could not settle wait longer for their next try, their"
            " customers too, and their stock stays held meanwhile. Omnichannel Inventory gets fewer"
            " calls. A person can start a reconciliation at any time."
        ),
        gettext_lazy(
            "It cannot be paused: orders would wait without end. To let Omnichannel Inventory rest,"
            " force the connection offline, which every page then tells."
        ),
    ),
    intervals.SWEEP: About(
        gettext_lazy("Look for work that nobody does"),
        gettext_lazy(
            "Finds what a stopped or killed process has left: orders half captured, reconciliations"
            " and cancellations that stand still, reports and messages that are behind. It also"
            " starts the retries and shows that the workers work."
        ),
        gettext_lazy(
            "After a crash it takes longer until somebody takes over, and a retry can come late by"
            " as much. That a worker is silent is noticed later too."
        ),
        gettext_lazy(
            "It cannot be paused: it is what makes lost work harmless. It can be slowed down to"
            " five minutes."
        ),
    ),
    intervals.PROBE: About(
        gettext_lazy("Look whether Omnichannel Inventory answers"),
        gettext_lazy(
            "Asks Omnichannel Inventory for a sign of life, whether or not orders come. That it is"
            " lost, and that it is back, is noticed by this."
        ),
        gettext_lazy(
            "Loss and return are noticed later, by several times the interval: with more than one"
            " second no longer within five seconds. Until a loss is noticed each shopper waits for"
            " an answer that does not come."
        ),
        gettext_lazy("It cannot be paused: nobody would notice that an outage is over."),
    ),
    intervals.MERGE: About(
        gettext_lazy("Merge of the daily reports"),
        gettext_lazy(
            "Gathers the changes of a day’s report for so long before the file is written anew."
        ),
        gettext_lazy(
            "Report files lag further behind the database, and are written less often. Nothing is"
            " lost: the console always shows what is true now."
        ),
        gettext_lazy("It cannot be paused: files would stay behind the database for ever."),
    ),
    intervals.RETENTION: About(
        gettext_lazy("Erasing of personal data"),
        gettext_lazy(
            "Erases customers and payloads of finished orders once they have been kept for as many"
            " days as the environment says (COC_RETAIN_CUSTOMER_DAYS, COC_RETAIN_PAYLOAD_DAYS)."
        ),
        gettext_lazy(
            "While it is paused, personal data is kept longer than was promised. It is made good"
            " when it goes on. A new time counts from the next time that comes."
        ),
    ),
    intervals.AUDIT: About(
        gettext_lazy("Audit with OCI"),
        gettext_lazy(
            "Exports OCI’s reservation documents of the last 30 days, compares them with ours, and"
            " raises an alert if they differ. It changes nothing. It is off until you choose a time"
            " of day, best one with few orders; it needs a scope of its own (COC_OCI_AUDIT_SCOPE)."
        ),
        gettext_lazy(
            "While it is paused, a difference is found only when somebody starts an audit."
        ),
    ),
}

STANDINGS = {
    Standing.LATE: ("warn", gettext_lazy("late")),
    Standing.BROKEN: ("bad", gettext_lazy("broken")),
    Standing.PAUSED: ("warn", gettext_lazy("paused")),
    Standing.IDLE: ("quiet", gettext_lazy("nothing to do")),
    Standing.RUNNING: ("info", gettext_lazy("under way")),
    Standing.AWAY: ("warn", gettext_lazy("waits for the connection")),
    Standing.OFF: ("quiet", gettext_lazy("off")),
    Standing.GOOD: ("ok", gettext_lazy("on time")),
}


def interval_words(interval: Interval) -> str:
    """Return an interval in words: `every minute`, `once a day at 03:00 (Europe/Berlin)`."""
    if interval.at is not None:
        told = {"time": f"{interval.at:%H:%M}", "zone": interval.zone}
        return _("once a day at %(time)s (%(zone)s)") % told
    if interval.kind.off_without_time:
        return _("off")
    if interval.kind.daily:
        return _("once a day")
    return every(interval.seconds / interval.kind.unit, interval.kind.unit)


def default_words(interval: Interval) -> str:
    """Return the environment's interval in words."""
    return interval_words(Interval(interval.kind, interval.kind.default))

"""What an alert says to those who may see some sites only, in the figures of these alone.

The alerts count the orders of all sites, and some name people. A site must not learn of another
one's orders, so each rule has a text for some sites, `SITE_TEXTS`; a rule without one shows them
nothing. A fixed number of queries, however many alerts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from functools import cached_property

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.models import Order
from orders.models.orders import OrderQuerySet
from reconciliation.alerts import phrases as words
from reconciliation.alerts.text import said_by
from reconciliation.models import (
    Alert,
    AlertState,
    Channel,
    Descriptor,
    EntryState,
    ReportDay,
    Run,
    RunEntry,
)
from reconciliation.runs import status


def tellings(alerts: Iterable[Alert], *, site_ids: Collection[str]) -> dict[int, str]:
    """Return what each alert says to people of these sites, by key.

    The others do not concern them, or have no text for some sites. Without a site there is none.
    """
    rows = list(alerts) if site_ids else []
    sites = _Sites(rows, sorted(site_ids))
    told = {}
    for alert in rows:
        site_text = SITE_TEXTS.get(alert.descriptor)
        message = None if site_text is None else site_text(sites, alert)
        if message is not None:
            told[alert.pk] = message
    return told


class _Sites:
    """Figures of some sites; each is asked of the database at most once, and only when needed."""

    def __init__(self, alerts: list[Alert], site_ids: list[str]) -> None:
        self._runs = {alert.data["run"] for alert in alerts if "run" in alert.data}
        self._channels = {alert.data["channel"] for alert in alerts if "channel" in alert.data}
        self.ids = site_ids

    def _orders(self) -> OrderQuerySet:
        return Order.objects.all().filter(site__in=self.ids)

    @cached_property
    def waiting(self) -> status.Waiting:
        return status.sum_up(self._orders().waiting())

    @cached_property
    def review(self) -> int:
        return self._orders().needing_review().count()

    @cached_property
    def failed_reports(self) -> int:
        return ReportDay.objects.filter(site__in=self.ids).exclude(last_error="").count()

    @cached_property
    def runs(self) -> dict[int, Run]:
        """Runs that may have touched orders of the sites."""
        found = Run.objects.filter(pk__in=self._runs)
        mine = [None, *self.ids]
        return {run.pk: run for run in found if run.scope_data.get("site") in mine}

    @cached_property
    def outcomes(self) -> dict[int, dict[EntryState, int]]:
        """How many orders of the sites are in each state, by run."""
        counts: dict[int, dict[EntryState, int]] = defaultdict(dict)
        rows = self._entries().values_list("run", "state").annotate(number=Count("pk"))
        for run, state, number in rows:
            counts[run][EntryState(state)] = number
        return counts

    @cached_property
    def short(self) -> dict[int, int]:
        """How many orders of the sites are still short, by the run that left them so last."""
        short = status.open_shortages(self._orders()).filter(run__in=self._runs)
        return dict(short.values_list("run").annotate(number=Count("pk")))

    def _entries(self) -> QuerySet[RunEntry]:
        return RunEntry.objects.filter(run__in=self._runs, order__site__in=self.ids).order_by()

    @cached_property
    def channels(self) -> set[int]:
        """Channels that tell of nothing but these sites."""
        rows = list(
            Channel.sites.through.objects.filter(
                channel__in=self._channels, channel__every_site=False
            ).values_list("channel", "site")
        )
        outside = {channel for channel, site in rows if site not in self.ids}
        return {channel for channel, _site in rows} - outside


def _is_open(alert: Alert) -> bool:
    return alert.state == AlertState.OPEN


def _offline(sites: _Sites, alert: Alert) -> str:
    since = {"time": words.moment(alert.since)}
    if not _is_open(alert):
        return _("Inventory service was offline from %(time)s.") % since
    told = _("Inventory service offline since %(time)s.") % since
    return f"{told} {words.at_stake(sites.waiting)}"


def _still_offline(sites: _Sites, alert: Alert) -> str | None:
    if not _is_open(alert) or not sites.waiting.orders:
        return None
    told = _(
        "A reconciliation ended at %(time)s because Omnichannel Inventory remains offline."
    ) % {"time": words.moment(alert.since)}
    return f"{told} {words.at_stake(sites.waiting)}"


def _run(sites: _Sites, alert: Alert) -> str | None:
    run = sites.runs.get(alert.data.get("run", 0))
    if run is None:
        return None
    message = _("Reconciliation %(run)s: %(state)s since %(time)s. %(outcomes)s.")
    return message % {
        "run": run.pk,
        "state": run.get_state_display(),
        "time": words.moment(alert.since),
        "outcomes": words.outcomes(sites.outcomes.get(run.pk, {})),
    }


def _shortages(sites: _Sites, alert: Alert) -> str | None:
    run = alert.data.get("run", 0)
    short = sites.short.get(run, 0)
    if not _is_open(alert) or not short:
        return None
    message = ngettext(
        "Reconciliation %(run)s finished at %(time)s with shortages: %(number)s order could not be"
        " reserved in full.",
        "Reconciliation %(run)s finished at %(time)s with shortages: %(number)s orders could not be"
        " reserved in full.",
        short,
    )
    return message % {
        "run": run,
        "time": words.moment(alert.since),
        "number": words.figure(short),
    }


def _needs_review(sites: _Sites, alert: Alert) -> str | None:
    if not _is_open(alert) or not sites.review:
        return None
    message = ngettext(
        "%(number)s order cannot go on without a person.",
        "%(number)s orders cannot go on without a person.",
        sites.review,
    )
    return message % {"number": words.figure(sites.review)}


def _report_failure(sites: _Sites, alert: Alert) -> str | None:
    if alert.context == "behind":
        return said_by(alert).message
    number = sites.failed_reports
    if not _is_open(alert) or not number:
        return None
    message = ngettext(
        "%(number)s daily report could not be written.",
        "%(number)s daily reports could not be written.",
        number,
    )
    return message % {"number": words.figure(number)}


def _vanished_orders(sites: _Sites, alert: Alert) -> str | None:
    return said_by(alert).message if alert.data.get("site") in sites.ids else None


def _channel(sites: _Sites, alert: Alert) -> str | None:
    return said_by(alert).message if alert.data.get("channel") in sites.channels else None


def _shared(sites: _Sites, alert: Alert) -> str | None:
    """Return the text of all sites: it names no site, no order and no person."""
    return said_by(alert).message


SITE_TEXTS: dict[str, Callable[[_Sites, Alert], str | None]] = {
    Descriptor.OCI_OFFLINE: _offline,
    Descriptor.STILL_OFFLINE: _still_offline,
    Descriptor.RECONCILIATION_RUNNING: _run,
    Descriptor.RECONCILIATION_FINISHED: _run,
    Descriptor.RECONCILIATION_SHORTAGES: _shortages,
    Descriptor.NEEDS_REVIEW: _needs_review,
    Descriptor.REPORT_FAILURE: _report_failure,
    Descriptor.VANISHED_ORDERS: _vanished_orders,
    Descriptor.CHANNEL_FAILING: _channel,
    # The credentials, the worker and the monitor are shared by all sites.
    Descriptor.CONFIGURATION_FAULT: _shared,
    Descriptor.SILENT_WORKER: _shared,
    Descriptor.SILENT_MONITOR: _shared,
}
"""What each rule says to people of some sites; None where it does not concern them."""

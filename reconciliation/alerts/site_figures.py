"""Figures of some sites, for the texts of the alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Count, QuerySet

from orders.desk.shortages import Sums, sums_of
from orders.models import Order, PermittedList, Site
from orders.models.orders import OrderQuerySet
from reconciliation.models import Alert, Channel, EntryState, ReportDay, Run, RunEntry
from reconciliation.runs import status


class Sites:
    """Figures of some sites; each is queried at most once, and only if a rule needs it."""

    def __init__(self, alerts: Sequence[Alert], site_ids: Sequence[str]) -> None:
        self._runs = {alert.data["run"] for alert in alerts if "run" in alert.data}
        self._channels = {alert.data["channel"] for alert in alerts if "channel" in alert.data}
        self.ids = site_ids

    def _orders(self) -> OrderQuerySet:
        return Order.objects.all().filter(site__in=self.ids)

    @cached_property
    def waiting(self) -> status.Waiting:
        """Orders of the sites that wait for a reservation."""
        return status.sum_up(self._orders().waiting())

    @cached_property
    def review(self) -> int:
        """How many orders of the sites need review."""
        return self._orders().needing_review().count()

    @cached_property
    def oversold(self) -> Sums:
        """Short orders of the sites that nobody has decided on."""
        return sums_of(self._orders().oversold())

    def orders_older_than(self, age: timedelta, *, now: datetime) -> int:
        """How many orders of the sites have waited or been undecided for so long."""
        old = self._orders().filter(captured_at__lte=now - age)
        return old.waiting().count() + old.oversold().count()

    @cached_property
    def failed_reports(self) -> int:
        """How many daily reports of the sites could not be written."""
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

    def _entries(self) -> QuerySet[RunEntry]:
        return RunEntry.objects.filter(run__in=self._runs, order__site__in=self.ids).order_by()

    @cached_property
    def lists(self) -> set[str]:
        """Inventory lists that the sites sell from."""
        own = Site.objects.filter(pk__in=self.ids).values_list("inventory_list", flat=True)
        more = PermittedList.objects.filter(site__in=self.ids)
        return {*own, *more.values_list("inventory_list", flat=True)}

    @cached_property
    def channels(self) -> set[int]:
        """Channels that are about nothing but these sites."""
        rows = list(
            Channel.sites.through.objects.filter(
                channel__in=self._channels, channel__every_site=False
            ).values_list("channel", "site")
        )
        outside = {channel for channel, site in rows if site not in self.ids}
        return {channel for channel, _site in rows} - outside

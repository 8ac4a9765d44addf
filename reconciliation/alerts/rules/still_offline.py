"""The newest reconciliation stopped because OCI remains offline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import Order
from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.relapse import (
    ANSWERS_SINCE,
    OFFLINE,
    OfOutage,
    answers_again,
    going_on,
    lost_again,
    open_of,
)
from reconciliation.alerts.rule import (
    Data,
    Facts,
    Found,
    Text,
    marked,
    moment_of,
    of_practice,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority, RunState


class StillOffline(OfOutage):
    """Open while orders wait for the next retry cycle, and through a relapse.

    While a retry cycle tries them, the outage that has stopped the last one goes on.
    """

    title = gettext_lazy("Inventory service offline again")
    button = gettext_lazy("Open the reconciliation")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the orders that wait."""
        return [Order.objects.waiting()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the newest run if OCI remained offline, and orders are waiting."""
        last, waiting = facts.status.last_run, facts.status.waiting
        if last is not None and last.run.state == RunState.OCI_OFFLINE and waiting.orders:
            at = last.run.finished_at or facts.now
            yield Found(
                priority=Priority.WARN,
                link=f"/runs/{last.run.pk}/",
                data={
                    "run": last.run.pk,
                    "at": at.isoformat(),
                    "outage": last.run.outage_id,
                    **phrases.waiting_data(waiting),
                    **of_practice(last.run.outage),
                },
                since=at,
            )
        elif waiting.orders and facts.status.connection in OFFLINE:
            yield from self._while_it_lasts(facts)
        else:
            yield from self.may_go_on(facts, fresh=phrases.waiting_data(waiting))

    def _while_it_lasts(self, facts: Facts) -> Iterable[Found]:
        """Yield the open alert of the outage while no run has stopped again; one small query."""
        outage = facts.status.outage
        for alert in open_of(self):
            if outage is not None and alert.data.get("outage") == outage.pk:
                fresh = phrases.waiting_data(facts.status.waiting)
                yield going_on(alert, {**lost_again(alert.data), **fresh})

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep two outages apart; one may stop several reconciliations."""
        return bool(before.get("outage", after["outage"]) == after["outage"])

    def text(self, data: Data) -> Text:
        """Name the stopped reconciliation, and describe the waiting orders."""
        stake = phrases.at_stake(phrases.waiting_of(data))
        if ANSWERS_SINCE in data:
            return Text(
                f"{self.past(data)} {answers_again(data)} {stake}",
                _("You don't need to do anything."),
            )
        message = _(
            "Reconciliation %(run)s stopped at %(time)s because Omnichannel Inventory remains"
            " offline."
        ) % {"run": data["run"], "time": moment_of(data, "at")}
        return Text(
            f"{message} {stake}",
            _(
                "You don't need to do anything. The next retry cycle tries the waiting orders"
                " again."
            ),
        )

    def past(self, data: Data) -> str:
        """Name the reconciliation that stopped last."""
        message = _(
            "Reconciliation %(run)s stopped at %(time)s because Omnichannel Inventory remained"
            " offline."
        )
        return message % {"run": data["run"], "time": moment_of(data, "at")}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return a text while orders of the sites are waiting."""
        if alert.state != AlertState.OPEN or not sites.waiting.orders:
            return None
        if ANSWERS_SINCE in alert.data:
            return f"{answers_again(alert.data)} {phrases.at_stake(sites.waiting)}"
        message = _(
            "A reconciliation stopped at %(time)s because Omnichannel Inventory remains offline."
        )
        stopped = message % {"time": phrases.moment(alert.since)}
        return marked(f"{stopped} {phrases.at_stake(sites.waiting)}", alert.data)


RULE = StillOffline()

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
from reconciliation.alerts.rule import (
    Data,
    Facts,
    Found,
    Rule,
    Text,
    marked,
    moment_of,
    of_practice,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority, RunState


class StillOffline(Rule):
    """Open while orders wait for the next retry cycle."""

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

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep two outages apart; one may stop several reconciliations."""
        return bool(before.get("outage", after["outage"]) == after["outage"])

    def text(self, data: Data) -> Text:
        """Name the stopped reconciliation, and describe the waiting orders."""
        message = _(
            "Reconciliation %(run)s stopped at %(time)s because Omnichannel Inventory remains"
            " offline."
        ) % {"run": data["run"], "time": moment_of(data, "at")}
        return Text(
            f"{message} {phrases.at_stake(phrases.waiting_of(data))}",
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
        message = _(
            "A reconciliation stopped at %(time)s because Omnichannel Inventory remains offline."
        )
        stopped = message % {"time": phrases.moment(alert.since)}
        return marked(f"{stopped} {phrases.at_stake(sites.waiting)}", alert.data)


RULE = StillOffline()

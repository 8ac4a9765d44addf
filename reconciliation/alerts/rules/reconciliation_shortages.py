"""Short orders that nobody has decided on: one alert for one desk, however many runs left them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.models import Order
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority, Run
from reconciliation.runs.status import Waiting, open_shortages, sum_up


class ReconciliationShortages(Rule):
    """Open until each short order is decided; another run with shortages needs attention again."""

    title = gettext_lazy("Oversold orders need a decision")
    button = gettext_lazy("Open the desk")

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the undecided orders: the same ones as the status and the desk count."""
        if not facts.status.oversold:
            return
        oversold = Order.objects.oversold()
        newest = open_shortages(Order.objects.all()).aggregate(run=Max("run"))["run"]
        run = None if newest is None else Run.objects.get(pk=newest)
        at = facts.now if run is None else run.finished_at or facts.now
        yield Found(
            priority=Priority.ACTION,
            link="/desk/",
            data={
                **_figures(sum_up(oversold)),
                "run": 0 if run is None else run.pk,
                "at": None if run is None else at.isoformat(),
            },
            since=at,
        )

    def carry(self, before: Data, after: Data) -> Data:
        """Keep the largest number seen: history must not shrink as orders are decided."""
        most = max(before.get("most", before.get("orders", 0)), after["orders"])
        return {**after, "most": most}

    def has_grown(self, before: Data, after: Data) -> bool:
        """Return whether a later reconciliation has left orders short."""
        return bool(after.get("run", 0) > before.get("run", 0))

    def text(self, data: Data) -> Text:
        """Describe how many, their value, and the reconciliation that could not reserve them."""
        remedy = _("Decide on each: replace, ask the customer, wait, or cancel.")
        cause = ""
        if data["run"]:
            words = {"run": data["run"], "time": moment_of(data, "at")}
            cause = _("Reconciliation %(run)s was the last with shortages, at %(time)s.") % words
        value = phrases.amounts_of(data["value"])
        return Text(f"{_oversold(data['orders'], value)} {cause}".rstrip(), remedy)

    def past(self, data: Data) -> str:
        """Describe how many there were, and that each is decided."""
        most = data.get("most", data["orders"])
        message = ngettext(
            "%(number)s order was oversold between %(time)s and %(until)s. It has been decided.",
            "%(number)s orders were oversold between %(time)s and %(until)s. All have been"
            " decided.",
            most,
        )
        return message % {"number": phrases.figure(most), **span_of(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Use the figures of the sites; None if none of their orders is short."""
        if alert.state != AlertState.OPEN or not sites.oversold.orders:
            return None
        return _oversold(sites.oversold.orders, sites.oversold.value)


def _figures(oversold: Waiting) -> dict[str, Any]:
    return {
        "orders": oversold.orders,
        "most": oversold.orders,
        "value": phrases.amounts_data(oversold.value),
    }


def _oversold(orders: int, value: Any) -> str:
    message = ngettext(
        "%(number)s order is oversold (%(value)s): OCI couldn't reserve it in full.",
        "%(number)s orders are oversold (%(value)s): OCI couldn't reserve them in full.",
        orders,
    )
    return message % {"number": phrases.figure(orders), "value": phrases.amounts(value)}


RULE = ReconciliationShortages()

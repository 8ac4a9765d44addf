"""Short orders that nobody has decided on: one alert for one desk, however many runs left them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.desk.shortages import Sums, sums_of
from orders.models import Order
from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority, Run
from reconciliation.runs.status import open_shortages


class ReconciliationShortages(Rule):
    """Open until each short order is decided; another run with shortages needs attention again."""

    title = gettext_lazy("Oversold orders need a decision")
    button = gettext_lazy("Open the desk")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the undecided orders."""
        return [Order.objects.oversold()]

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
                **_figures(sums_of(oversold, number=facts.status.oversold)),
                "run": 0 if run is None else run.pk,
                "at": None if run is None else at.isoformat(),
            },
            since=at,
        )

    def carry(self, before: Data, after: Data) -> Data:
        """Keep the largest number seen: history must not shrink as orders are decided."""
        most = before.get("most", before.get("orders", 0))
        if after["orders"] >= most or "mostShort" not in before:
            return {**after, "most": max(most, after["orders"])}
        return {**after, "most": most, "mostShort": before["mostShort"]}

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
        return Text(f"{_oversold(_short_of(data['short']))} {cause}".rstrip(), remedy)

    def past(self, data: Data) -> str:
        """Describe how many there were, and that each is decided."""
        most = data.get("most", data["orders"])
        message = ngettext(
            "%(number)s order was oversold between %(time)s and %(until)s. It has been decided.",
            "%(number)s orders were oversold between %(time)s and %(until)s. All have been"
            " decided.",
            most,
        )
        words = [message % {"number": phrases.figure(most), **span_of(data)}]
        if "mostShort" in data:
            words.append(f"{phrases.missing(_short_of(data['mostShort']))}.")
        return " ".join(words)

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Use the figures of the sites; None if none of their orders is short."""
        if alert.state != AlertState.OPEN or not sites.oversold.orders:
            return None
        return _oversold(sites.oversold)


def _figures(oversold: Sums) -> dict[str, Any]:
    short = {
        "orders": oversold.orders,
        "units": str(oversold.units),
        "value": phrases.amounts_data(oversold.value),
    }
    return {
        "orders": oversold.orders,
        "most": oversold.orders,
        "short": short,
        "mostShort": short,
    }


def _short_of(data: Data) -> Sums:
    return Sums(data["orders"], Decimal(data["units"]), phrases.amounts_of(data["value"]))


def _oversold(short: Sums) -> str:
    message = ngettext(
        "%(number)s order is oversold: OCI couldn't reserve it in full. %(short)s.",
        "%(number)s orders are oversold: OCI couldn't reserve them in full. %(short)s.",
        short.orders,
    )
    return message % {"number": phrases.figure(short.orders), "short": phrases.missing(short)}


RULE = ReconciliationShortages()

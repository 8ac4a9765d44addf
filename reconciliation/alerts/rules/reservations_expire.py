"""Orders that have waited or been undecided for so long that OCI will soon release them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.models import Order
from orders.standing_queries import Given
from reconciliation.alerts import named, phrases
from reconciliation.alerts.rule import Data, Facts, Found, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority

# OCI gives the reservations of an order back that stays unplaced for 30 days (contract 4).
WARNED_AFTER = timedelta(days=25)


class ReservationsExpire(named.NamingRule):
    """Open until each of them is reserved or decided."""

    title = gettext_lazy("Reservations will soon be released by OCI")
    button = gettext_lazy("Open the orders")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the waiting and the undecided orders that are old."""
        old = Order.objects.filter(captured_at__lte=Given("now", less=WARNED_AFTER))
        return [old.oversold(), old.waiting()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the waiting and the undecided orders that are older than WARNED_AFTER."""
        old = Order.objects.filter(captured_at__lte=facts.now - WARNED_AFTER)
        keys: list[int] = []
        number, since = 0, facts.now
        link = "/desk/"
        for orders, where in (
            (old.oversold(), "/desk/"),
            (old.waiting(), "/orders/?state=waiting"),
        ):
            found = orders.order_by().aggregate(number=Count("pk"), since=Min("captured_at"))
            if found["number"]:
                link = where
                number += found["number"]
                since = min(since, found["since"])
                keys += orders.values_list("pk", flat=True)[: named.MOST]
        if number:
            yield Found(
                priority=Priority.ACTION,
                link=link,
                data={"orders": number, "named": named.names(map(str, sorted(keys)), number)},
                since=since,
            )

    def text(self, data: Data) -> Text:
        """Describe how many, since when, and what to do."""
        message = ngettext(
            "%(number)s order has waited or been undecided since %(time)s. OCI releases"
            " reservations after 30 days.",
            "%(number)s orders have waited or been undecided for more than 25 days, the first since"
            " %(time)s. OCI releases reservations after 30 days.",
            data["orders"],
        )
        words = {"number": phrases.figure(data["orders"]), "time": moment_of(data)}
        return Text(
            message % words,
            _(
                "Decide on each, or reserve it again, and run the audit with OCI to see what it"
                " still holds."
            ),
        )

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("Orders were close to OCI's 30-day limit from %(time)s to %(until)s.") % span_of(
            data
        )

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Use the figures of the sites; None if none of their orders is that old."""
        if alert.state != AlertState.OPEN:
            return None
        number = sites.orders_older_than(WARNED_AFTER, now=alert.updated_at)
        if not number:
            return None
        message = ngettext(
            "%(number)s order has waited or been undecided for more than 25 days. OCI releases"
            " reservations after 30 days.",
            "%(number)s orders have waited or been undecided for more than 25 days. OCI releases"
            " reservations after 30 days.",
            number,
        )
        return message % {"number": phrases.figure(number)}


RULE = ReservationsExpire()

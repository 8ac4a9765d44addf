"""Orders in daily reports that the database no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.standing_queries import Given
from reconciliation.alerts import named, phrases
from reconciliation.alerts.rule import Data, Facts, Found, Text, moment_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, Priority
from reconciliation.reports.missing_orders import still_vanished

# Days that get an alert of their own, and orders that each of them names; coc_check names all.
MOST_DAYS = 20
MOST_NAMED = 10


class VanishedOrders(named.NamingRule):
    """One alert a site and day, until each order exists again or was given up."""

    title = gettext_lazy("Orders missing from the database")
    button = gettext_lazy("Open the reports")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the orders."""
        return [still_vanished()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield each site and day with vanished orders, the newest days first."""
        of_day = (
            still_vanished()
            .values("site_id", "date")
            .annotate(number=Count("pk"), first=Min("found_at"))
        )
        for row in of_day.order_by("-date", "site_id")[:MOST_DAYS]:
            day = f"{row['date']:%Y-%m-%d}"
            orders = still_vanished().filter(site_id=row["site_id"], date=row["date"])
            numbers = list(orders.values_list("order_no", flat=True)[: named.MOST])
            yield Found(
                context=f"{row['site_id']}:{day}",
                priority=Priority.ACTION,
                link=f"/reports/?{urlencode({'site': row['site_id'], 'date': day})}",
                data={
                    "site": row["site_id"],
                    "date": day,
                    "orders": row["number"],
                    "order_nos": numbers[:MOST_NAMED],
                    "named": named.names(numbers, row["number"]),
                },
                since=row["first"],
            )

    def text(self, data: Data) -> Text:
        """Name the orders, and the command that finds the files that still have them."""
        message = ngettext(
            "%(number)s order of %(site)s from %(date)s is in the daily reports but no longer in"
            " the database: %(orders)s.",
            "%(number)s orders of %(site)s from %(date)s are in the daily reports but no longer in"
            " the database: %(orders)s.",
            data["orders"],
        )
        words = {"site": data["site"], "date": data["date"], "orders": _listed(data)}
        return Text(
            message % {**words, "number": phrases.figure(data["orders"])},
            _(
                "Run manage.py coc_check: it names the files that still have these orders. Restore"
                " the orders from a backup, or place them again."
            ),
        )

    def past(self, data: Data) -> str:
        """Name the missing orders, and until when."""
        message = _(
            "Orders of %(site)s from %(date)s were missing from the database until %(until)s:"
            " %(orders)s."
        )
        words = {"site": data["site"], "date": data["date"], "orders": _listed(data)}
        return message % {**words, "until": moment_of(data, "until")}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the same text to people of the site."""
        return self.text_for_all(alert) if alert.data.get("site") in sites.ids else None


def _listed(data: Data) -> str:
    listed = ", ".join(data["order_nos"])
    if more := data["orders"] - len(data["order_nos"]):
        listed = _("%(orders)s and %(more)s more") % {
            "orders": listed,
            "more": phrases.figure(more),
        }
    return listed


RULE = VanishedOrders()

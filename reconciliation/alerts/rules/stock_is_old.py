"""Figures of stock are older than promised although OCI can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.relapse import going_on, open_of
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, ConnectionState, FeedState, Priority
from reconciliation.stock_mirror import age

# Lists that the sentence names.
MOST_NAMED = 5


class StockIsOld(Rule):
    """Open while a list that a site sells from breaks the promise of age."""

    title = gettext_lazy("Stock figures are old")
    button = gettext_lazy("Open the inventory")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the lists of which some figures are too old."""
        return [age.too_old(now)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the lists whose figures are too old, once OCI has been back for long enough.

        Until then an alert that is open goes on, if one of its lists is still too old.
        """
        status = facts.status
        old = age.broken(facts.now)
        # After an outage the figures need as long as promised to become young again.
        is_online = status.connection == ConnectionState.ONLINE
        if not is_online or facts.now - status.since <= age.promise():
            # Those that were old before the outage are no news after it.
            lists = {"lists": [one.list_id for one in old]}
            known = [alert for alert in open_of(self) if old and self.is_same(alert.data, lists)]
            yield from (going_on(alert, alert.data) for alert in known)
        elif old:
            yield Found(
                priority=Priority.WARN,
                link="/inventory/",
                data={
                    "number": len(old),
                    "lists": [one.list_id for one in old[:MOST_NAMED]],
                    "promise": int(age.promise().total_seconds()),
                    "not_offered": all(one.state == FeedState.NOT_OFFERED for one in old),
                },
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Return False if none of the lists was old before; unnamed lists may have been."""
        if before.get("number", 0) > MOST_NAMED:
            return True
        return bool(set(before.get("lists", ())) & set(after["lists"]))

    def text(self, data: Data) -> Text:
        """Describe since when, the lists, and what to do."""
        message = ngettext(
            "Since %(time)s stock figures of %(number)s list (%(lists)s) have been older than the"
            " %(promise)s seconds promised. If OCI fails now, offline orders sell from them.",
            "Since %(time)s stock figures of %(number)s lists (%(lists)s) have been older than the"
            " %(promise)s seconds promised. If OCI fails now, offline orders sell from them.",
            data["number"],
        ) % {
            "time": moment_of(data),
            "number": phrases.figure(data["number"]),
            "lists": _named(data),
            "promise": data["promise"],
        }
        if data["not_offered"]:
            remedy = _(
                "OCI offers no stock feed to this client. Give it the scope"
                " sfcc.inventory.impex-inventory, or raise COC_STOCK_MAX_AGE."
            )
        else:
            remedy = _("Open the inventory page: it shows the last error of each list's feed.")
        return Text(message, remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        message = _(
            "Stock figures (%(lists)s) were older than promised from %(time)s to %(until)s."
        )
        return message % {"lists": _named(data), **span_of(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Say it to people of the sites that sell from one of the lists, without naming lists."""
        if not sites.lists & set(alert.data.get("lists", ())):
            return None
        return _("Stock figures of a list that your site sells from are older than promised.")


def _named(data: Data) -> str:
    listed = ", ".join(data["lists"])
    if more := data["number"] - len(data["lists"]):
        return _("%(lists)s and %(more)s more") % {"lists": listed, "more": phrases.figure(more)}
    return listed


RULE = StockIsOld()

"""A site accepts no orders although OCI is away: capture is off, or a limit is reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.models import Site
from orders.offline_limits import Acceptance, SiteLimits, limits_of
from orders.standing_queries import Given
from reconciliation.alerts import matter, phrases
from reconciliation.alerts.relapse import ANSWERS_SINCE, OFFLINE, OfOutage, answers_again
from reconciliation.alerts.rule import (
    Data,
    Facts,
    Found,
    Text,
    moment_of,
    of_practice,
    span_of,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.connection.state import row
from reconciliation.models import Alert, Priority


class OrdersRefused(OfOutage):
    """One alert a site, from the moment that an outage turns into refused orders.

    It lives through a relapse, as the outage does.
    """

    title = gettext_lazy("Orders are refused")
    button = gettext_lazy("Open the site's limits")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the connection while it is offline."""
        return [row().filter(state__in=OFFLINE)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield each site that refuses orders now; three small queries at most."""
        status = facts.status
        if status.connection not in OFFLINE:
            yield from self.may_go_on(facts)
            return
        lost_at = status.offline_since or status.since
        limited = ~Q(cap_offline_minutes=None) | ~Q(cap_total_value=None)
        sites = list(Site.objects.filter(Q(offline_capture=False) | limited).order_by("pk"))
        found = limits_of(sites, offline_since=lost_at, now=facts.now)
        for site, limits in zip(sites, found, strict=True):
            cause = _cause(limits, site)
            if cause is not None:
                since = {
                    "off": lost_at,
                    "minutes": lost_at + timedelta(minutes=site.cap_offline_minutes or 0),
                }
                yield Found(
                    context=site.pk,
                    priority=Priority.ACTION,
                    link=f"/settings/sites/edit/{quote(site.pk, safe='')}/",
                    data={
                        "site": site.pk,
                        **cause,
                        **matter.outage_data(status),
                        **of_practice(status.outage),
                    },
                    since=since.get(cause["why"]),
                )

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep two outages apart, and a planned one from the one that follows."""
        return matter.is_same_outage(before, after)

    def carry(self, before: Data, after: Data) -> Data:
        """Keep the hold while the connection is checked after it."""
        return matter.carry_hold(before, after)

    def text(self, data: Data) -> Text:
        """Name the site, the time, and the limit."""
        if ANSWERS_SINCE in data:
            return Text(
                f"{self.past(self.final(data))} {answers_again(data)}",
                _("You don't need to do anything."),
            )
        words = {"site": data["site"], "time": moment_of(data)}
        if data["why"] == "off":
            message = _(
                "%(site)s has refused orders since %(time)s: OCI is offline and offline capture is"
                " switched off."
            )
            remedy = _(
                "Turn on offline capture if you accept the risk of overselling. Otherwise orders"
                " are accepted again when OCI answers."
            )
            return Text(message % words, remedy)
        remedy = _(
            "Raise the site's limit if you accept the risk of overselling. Otherwise orders are"
            " accepted again when OCI answers."
        )
        if data["why"] == "minutes":
            message = ngettext(
                "%(site)s has refused orders since %(time)s: OCI has been offline for more than"
                " %(minutes)s minute, the site's limit.",
                "%(site)s has refused orders since %(time)s: OCI has been offline for more than"
                " %(minutes)s minutes, the site's limit.",
                data["minutes"],
            )
            return Text(message % {**words, "minutes": phrases.figure(data["minutes"])}, remedy)
        message = _(
            "%(site)s has refused orders since %(time)s: the waiting orders have reached the site's"
            " limit of %(limit)s."
        )
        limit = phrases.amounts({data["currency"]: Decimal(data["limit"])})
        return Text(message % {**words, "limit": limit}, remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        message = _("%(site)s refused orders from %(time)s to %(until)s.")
        return message % {"site": data["site"], **span_of(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the same text to people of the site."""
        return self.text_for_all(alert) if alert.data.get("site") in sites.ids else None


def _cause(limits: SiteLimits, site: Site) -> Data | None:
    """Return why the site refuses orders, None if it takes them; as every page says it."""
    # Without figures it is set up only in part: the page and /status say so.
    if limits.acceptance != Acceptance.REFUSED or limits.why == "noStock":
        return None
    if limits.why == "duration":
        return {"why": "minutes", "minutes": site.cap_offline_minutes}
    if limits.why == "totalValue":
        return {"why": "value", "limit": str(site.cap_total_value), "currency": site.currency}
    return {"why": "off"}


RULE = OrdersRefused()

"""A site accepts no orders although OCI is away: capture is off, or a limit is reached."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

from django.db.models import Avg, Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.fields import ZERO
from orders.models import Order, Site
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, ConnectionState, Priority

_OFFLINE = (ConnectionState.OFFLINE, ConnectionState.FORCED_OFFLINE)


class OrdersRefused(Rule):
    """One alert a site, from the moment that an outage turns into refused orders."""

    title = gettext_lazy("Orders are refused")
    button = gettext_lazy("Open the site's limits")

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield each site that refuses orders now; one small query, and one a capped site."""
        status = facts.status
        if status.connection not in _OFFLINE:
            return
        lost_at = status.offline_since or status.since
        limited = ~Q(cap_offline_minutes=None) | ~Q(cap_total_value=None)
        for site in Site.objects.filter(Q(offline_capture=False) | limited).order_by("pk"):
            cause = _cause(site, away=facts.now - lost_at)
            if cause is not None:
                since = {
                    "off": lost_at,
                    "minutes": lost_at + timedelta(minutes=site.cap_offline_minutes or 0),
                }
                yield Found(
                    context=site.pk,
                    priority=Priority.ACTION,
                    link=f"/settings/sites/edit/{quote(site.pk, safe='')}/",
                    data={"site": site.pk, **cause},
                    since=since.get(cause["why"]),
                )

    def text(self, data: Data) -> Text:
        """Say which site, since when, and which limit."""
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
            message = _(
                "%(site)s has refused orders since %(time)s: OCI has been offline for more than"
                " %(minutes)s minutes, the site's limit."
            )
            return Text(message % {**words, "minutes": phrases.figure(data["minutes"])}, remedy)
        message = _(
            "%(site)s has refused orders since %(time)s: the waiting orders have reached the site's"
            " limit of %(limit)s."
        )
        limit = phrases.amounts({data["currency"]: Decimal(data["limit"])})
        return Text(message % {**words, "limit": limit}, remedy)

    def past(self, data: Data) -> str:
        """Say from when to when."""
        message = _("%(site)s refused orders from %(time)s to %(until)s.")
        return message % {"site": data["site"], **span_of(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Say the same to people of the site."""
        return self.text_for_all(alert) if alert.data.get("site") in sites.ids else None


def _cause(site: Site, *, away: timedelta) -> Data | None:
    """Return why the site refuses orders, None if it takes them; as capture decides."""
    minutes = site.cap_offline_minutes
    if not site.offline_capture:
        return {"why": "off"}
    if minutes is not None and away > timedelta(minutes=minutes):
        return {"why": "minutes", "minutes": minutes}
    if _is_full(site):
        return {"why": "value", "limit": str(site.cap_total_value), "currency": site.currency}
    return None


def _is_full(site: Site) -> bool:
    """Whether one more order of the usual value would pass the site's limit."""
    if site.cap_total_value is None:
        return False
    waiting = Order.objects.waiting().filter(site=site).order_by()
    sums = waiting.aggregate(all=Sum("order_total"), one=Avg("order_total"))
    return bool((sums["all"] or ZERO) + (sums["one"] or ZERO) > site.cap_total_value)


RULE = OrdersRefused()

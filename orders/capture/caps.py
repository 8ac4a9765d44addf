"""Limits of a site while it sells offline."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Sum

from orders.errors import OfflineCapExceeded
from orders.fields import ZERO
from orders.models import Order, Site
from orders.reasons import say


def check_caps(
    *,
    site: Site,
    units: Decimal,
    value: Decimal,
    offline_since: datetime | None,
    now: datetime,
) -> None:
    """Raise OfflineCapExceeded if an order exceeds the site's limits for offline selling.

    `units` and `value` are the order's. Call this inside the transaction that accepts the order:
    captures of a site with a cap on total value queue here, so two can't pass it together.
    """
    check_each(site=site, units=units, offline_since=offline_since, now=now)
    waiting = lock_waiting_value([site])
    check_total(site=site, waiting=waiting.get(site.pk, ZERO), value=value)


def check_each(
    *, site: Site, units: Decimal, offline_since: datetime | None, now: datetime
) -> None:
    """Raise OfflineCapExceeded for the caps on a single order."""
    if site.cap_units_per_order is not None and units > site.cap_units_per_order:
        raise OfflineCapExceeded(
            "unitsPerOrder",
            say("cap_units", units=f"{site.cap_units_per_order.normalize():f}"),
        )
    minutes = site.cap_offline_minutes
    if minutes is not None and offline_since and now - offline_since > timedelta(minutes=minutes):
        raise OfflineCapExceeded("duration", say("cap_minutes", minutes=minutes))


def check_total(*, site: Site, waiting: Decimal, value: Decimal) -> None:
    """Raise OfflineCapExceeded if `value` plus the `waiting` value exceeds the site's cap."""
    if site.cap_total_value is not None and waiting + value > site.cap_total_value:
        raise OfflineCapExceeded("totalValue", say("cap_value"))


def lock_waiting_value(sites: Collection[Site]) -> dict[str, Decimal]:
    """Return the value of waiting orders, for sites with a cap on it.

    Captures for such a site queue here, sorted by site, before they lock stock. The lock allows new
    rows that refer to the site, because a live order has already locked its stock.
    """
    capped = sorted({site.pk for site in sites if site.cap_total_value is not None})
    if not capped:
        return {}
    rows = Site.objects.filter(pk__in=capped).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    waiting = Order.objects.waiting().order_by().filter(site__in=capped)
    sums = waiting.values_list("site").annotate(value=Sum("order_total"))
    return dict.fromkeys(capped, ZERO) | dict(sums)

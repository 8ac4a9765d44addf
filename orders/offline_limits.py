"""What each site does with orders while Omnichannel Inventory is away, in figures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import Avg, Exists, Max, Min, OuterRef, Sum

from orders.fields import ZERO
from orders.models import (
    InventoryRecord,
    Order,
    PermittedList,
    RefusedOrder,
    Site,
    UnknownSkuPolicy,
)
from orders.refused_orders import still_refused


class Acceptance(StrEnum):
    """Whether a site takes orders while they can't be reserved."""

    ACCEPTED = "accepted"
    LIMITED = "limited"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """What one site takes now. `why` is what refuses its orders: `noStock` (no list that it sells
    from has a figure), or the limit that is reached: `off`, `duration`, `totalValue`.

    `ends_at` is when the minutes are over, `value_left` what may still wait beside what does, and
    `units_per_order` the most units of one order; None without such a limit. `refused_since` is
    when the site began to refuse every order, or None while it does not.
    """

    site_id: str
    currency: str
    acceptance: Acceptance
    why: str = ""
    ends_at: datetime | None = None
    value_left: Decimal | None = None
    units_per_order: Decimal | None = None
    refused_since: datetime | None = None

    def seconds_left(self, now: datetime) -> float | None:
        """Return how long orders are still taken; None without a limit of time."""
        return None if self.ends_at is None else max(0.0, (self.ends_at - now).total_seconds())


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What waits at a site: its value in all, and of one order on average."""

    value: Decimal = ZERO
    one: Decimal = ZERO

    def fills(self, left: Decimal, *, has_refused: bool) -> bool:
        """Whether a site is full of which so much is `left`.

        Nothing is left, or an order was refused and no usual one fits in. What is only likely to be
        refused is none: a small order may still be taken.
        """
        return left <= 0 or (has_refused and self.one > left)


def limits_of(
    sites: Collection[Site], *, offline_since: datetime | None, now: datetime
) -> list[SiteLimits]:
    """Return what each of `sites` takes, in their order; five queries at most.

    `offline_since` is when the outage began; without one only what waits counts against a limit.
    """
    capped = [site.pk for site in sites if site.cap_total_value is not None]
    waiting: dict[str, _Waiting] = {}
    first: dict[str, datetime] = {}
    if capped:
        rows = Order.objects.waiting().filter(site__in=capped).order_by().values_list("site")
        sums = rows.annotate(value=Sum("order_total"), one=Avg("order_total"))
        waiting = {site_id: _Waiting(value, one) for site_id, value, one in sums}
        first = _first_refusals(capped, offline_since)
    closed = [site.pk for site in sites if not site.offline_capture]
    last_taken = _last_taken(closed, offline_since) if closed else {}
    found = [
        _limits(
            site,
            last_taken=last_taken.get(site.pk),
            waiting=waiting.get(site.pk, _Waiting()),
            first_refusal=first.get(site.pk),
            offline_since=offline_since,
            now=now,
        )
        for site in sites
    ]
    empty = _without_stock([site.pk for site in sites])
    return [
        _without_figures(one.site_id, one.currency)
        if one.site_id in empty and one.acceptance != Acceptance.REFUSED
        else one
        for one in found
    ]


def live_limits_of(sites: Collection[Site]) -> list[SiteLimits]:
    """Return what each of `sites` takes while orders are reserved live; two queries at most."""
    empty = _without_stock([site.pk for site in sites])
    return [
        _without_figures(site.pk, site.currency)
        if site.pk in empty
        else SiteLimits(site.pk, site.currency, Acceptance.ACCEPTED)
        for site in sites
    ]


def _without_stock(site_ids: Collection[str]) -> set[str]:
    """Return the sites that refuse every order, since no list of theirs has a figure.

    One query; two if there is such a site.
    """
    figures = InventoryRecord.objects.order_by().filter(inventory_list=OuterRef("inventory_list"))
    sites = Site.objects.filter(pk__in=site_ids, unknown_sku_policy=UnknownSkuPolicy.REFUSE)
    empty = set(sites.exclude(Exists(figures)).values_list("pk", flat=True))
    if not empty:
        return empty
    permitted = PermittedList.objects.filter(Exists(figures), site__in=empty)
    return empty - set(permitted.values_list("site", flat=True))


def _without_figures(site_id: str, currency: str) -> SiteLimits:
    """Return what a site without any figure takes: nothing."""
    return SiteLimits(site_id, currency, Acceptance.REFUSED, why="noStock")


def _first_refusals(
    site_ids: Collection[str], offline_since: datetime | None
) -> dict[str, datetime]:
    if offline_since is None:
        return {}
    rows = RefusedOrder.objects.filter(site__in=site_ids, cap="totalValue", at__gte=offline_since)
    return dict(still_refused(rows).order_by().values_list("site").annotate(first=Min("at")))


def _last_taken(site_ids: Collection[str], offline_since: datetime | None) -> dict[str, datetime]:
    """Return when sites captured their last order of this outage: they were closed after it."""
    if offline_since is None:
        return {}
    taken = Order.objects.filter(
        site__in=site_ids, captured_at__gte=offline_since, captured_offline=True
    )
    return dict(taken.order_by().values_list("site").annotate(last=Max("captured_at")))


def _limits(
    site: Site,
    *,
    last_taken: datetime | None,
    waiting: _Waiting,
    first_refusal: datetime | None,
    offline_since: datetime | None,
    now: datetime,
) -> SiteLimits:
    ends_at = value_left = None
    if site.cap_offline_minutes is not None and offline_since is not None:
        ends_at = offline_since + timedelta(minutes=site.cap_offline_minutes)
    if site.cap_total_value is not None:
        value_left = max(ZERO, site.cap_total_value - waiting.value)
    acceptance, why, since = Acceptance.ACCEPTED, "", None
    if not site.offline_capture:
        acceptance, why, since = Acceptance.REFUSED, "off", last_taken or offline_since
    elif ends_at is not None and now > ends_at:
        acceptance, why, since = Acceptance.REFUSED, "duration", ends_at
    elif value_left is not None and waiting.fills(
        value_left, has_refused=first_refusal is not None
    ):
        acceptance, why, since = Acceptance.REFUSED, "totalValue", first_refusal
    elif any(one is not None for one in (ends_at, value_left, site.cap_units_per_order)):
        acceptance = Acceptance.LIMITED
    return SiteLimits(
        site_id=site.pk,
        currency=site.currency,
        acceptance=acceptance,
        why=why,
        ends_at=ends_at,
        value_left=value_left,
        units_per_order=site.cap_units_per_order,
        refused_since=since,
    )

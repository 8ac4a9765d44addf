"""Demand during an outage: requested = accepted + refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum

from orders.fields import ZERO
from orders.models import Order, RefusedOrder
from orders.refused_orders import Refused, still_refused, sum_up
from orders.units import ordered_of, unit_sums
from reconciliation.models import Outage

# The call whose silence began an outage was made for an order that had just been captured.
JUST_BEFORE = timedelta(seconds=2)


def orders_of(outage: Outage) -> Q:
    """Return the condition for orders captured offline from the loss until all was drained."""
    during = Q(captured_offline=True, captured_at__gte=outage.lost_at - JUST_BEFORE)
    if outage.drained_at is not None:
        during &= Q(captured_at__lt=outage.drained_at)
    return during


def with_outage(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` with `lost_at`, when the last outage before their capture began, if any."""
    began = Outage.objects.filter(lost_at__lte=OuterRef("captured_at") + JUST_BEFORE)
    return orders.annotate(lost_at=Subquery(began.order_by("-lost_at").values("lost_at")[:1]))


def captured_during(outage: Outage, *, site_ids: Collection[str] | None = None) -> QuerySet[Order]:
    """Return the orders of `orders_of`, at these sites or at all, not sorted."""
    orders = Order.objects.filter(orders_of(outage)).order_by()
    return orders if site_ids is None else orders.filter(site__in=site_ids)


def refused_of(outage: Outage) -> Q:
    """Return the condition for orders that were refused where others were captured offline."""
    during = Q(is_offline=True, at__gte=outage.lost_at - JUST_BEFORE)
    if outage.drained_at is not None:
        during &= Q(at__lt=outage.drained_at)
    return during


@dataclass(frozen=True, slots=True)
class Demand:
    """Orders, units and value by currency: accepted and refused."""

    accepted_orders: int
    accepted_units: Decimal
    accepted_value: Mapping[str, Decimal]
    refused: Refused

    @property
    def requested_orders(self) -> int:
        """Orders that shoppers placed."""
        return self.accepted_orders + self.refused.orders

    @property
    def requested_units(self) -> Decimal:
        """Units that shoppers asked for."""
        return self.accepted_units + self.refused.units

    @property
    def requested_value(self) -> dict[str, Decimal]:
        """Their value by currency."""
        codes = sorted(self.accepted_value.keys() | self.refused.value.keys())
        return {
            code: self.accepted_value.get(code, ZERO) + self.refused.value.get(code, ZERO)
            for code in codes
        }


def demand_of(outage: Outage, *, site_ids: Collection[str] | None = None) -> Demand:
    """Return what was asked for during `outage`, at these sites or at all; two queries.

    An order that was refused and accepted later, under the same number, is not refused.
    """
    orders = captured_during(outage, site_ids=site_ids).order_by()
    groups = list(
        orders.values("currency")
        .annotate(number=Count("pk"), value=Sum("order_total"), **unit_sums())
        .order_by("currency")
    )
    return Demand(
        accepted_orders=sum(group["number"] for group in groups),
        accepted_units=ordered_of(groups, orders=orders),
        accepted_value={group["currency"]: group["value"] for group in groups},
        refused=refused_during(outage, site_ids=site_ids),
    )


def refused_during(outage: Outage, *, site_ids: Collection[str] | None = None) -> Refused:
    """Return the orders refused during `outage` and not accepted later; one query."""
    rows = RefusedOrder.objects.filter(refused_of(outage))
    if site_ids is not None:
        rows = rows.filter(site__in=site_ids)
    return sum_up(still_refused(rows))

"""Which orders belong to which report (design 7)."""

from __future__ import annotations

from datetime import date

from django.db.models import Q

from orders.models import SHORT_STATES, Order, ReservationState, Site
from orders.models.orders import OrderQuerySet
from reconciliation.models import ReportType
from reconciliation.reports.names import bounds


def kinds_of(order: Order) -> list[ReportType]:
    """Return the reports that include `order`; none unless it was captured offline.

    A short order stays in *oversold*, and is also in *reserved* once it is reserved again. A
    cancelled order stays where its outcome put it, with its resolution.
    """
    if not order.captured_offline:
        return []
    kinds = [ReportType.OFFLINE]
    if order.reservation_state == ReservationState.COMPLETE:
        kinds.append(ReportType.RESERVED)
    if order.reservation_state in SHORT_STATES or order.short_at is not None:
        kinds.append(ReportType.OVERSOLD)
    return kinds


def orders_of(kind: ReportType | str, *, site: Site, day: date) -> OrderQuerySet:
    """Return the orders in the report `kind` of the site's `day`, by capture."""
    start, end = bounds(day, site)
    orders = Order.objects.filter(
        site=site, captured_offline=True, captured_at__gte=start, captured_at__lt=end
    ).order_by("captured_at", "id")
    if kind == ReportType.RESERVED:
        return orders.filter(reservation_state=ReservationState.COMPLETE)
    if kind == ReportType.OVERSOLD:
        was_short = Q(short_at__isnull=False)
        return orders.filter(Q(reservation_state__in=SHORT_STATES) | was_short)
    return orders

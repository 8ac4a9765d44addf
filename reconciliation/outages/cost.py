"""What an outage cost in orders, units and money, and how much of it people rescued."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from orders.desk.shortages import Sums, sums_of
from orders.fields import ZERO
from orders.first_shortage import rescued_of
from orders.models import Order
from orders.refused_orders import Refused
from reconciliation.models import Outage
from reconciliation.outages.demand import captured_during, orders_of, refused_during
from reconciliation.outages.figures import Figures, figures_of


@dataclass(frozen=True, slots=True)
class Cost:
    """The figures of an outage with what they say in money.

    `figures.short` is what its orders lacked at first. Of that, `rescued` was replaced or reserved
    later, and `still_open` is what the oversold desk shows now. `refused` was never accepted.
    """

    figures: Figures
    rescued: Mapping[str, Decimal]  # by currency
    still_open: Sums
    refused: Refused


def cost_of(
    outage: Outage, *, site_ids: Collection[str] | None = None, figures: Figures | None = None
) -> Cost:
    """Return what `outage` cost these sites, or all; four queries, two if nothing was short."""
    if figures is None:
        figures = figures_of(outage, site_ids=site_ids)
    rescued: Mapping[str, Decimal] = {}
    still_open = Sums(0, ZERO, {})
    if figures.oversold:
        rescued = rescued_of(captured_during(outage, site_ids=site_ids), figures.short)
        undecided = Order.objects.oversold().filter(orders_of(outage))
        if site_ids is not None:
            undecided = undecided.filter(site__in=site_ids)
        still_open = sums_of(undecided)
    return Cost(figures, rescued, still_open, refused_during(outage, site_ids=site_ids))

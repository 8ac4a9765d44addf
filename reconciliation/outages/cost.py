"""What an outage cost in orders, units and money, and how much of it people rescued."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orders.desk.shortages import Sums, sums_of
from orders.fields import ZERO
from orders.first_shortage import Missed
from orders.models import Order
from orders.refused_orders import Refused
from orders.shortage_ends import Became, became_of
from reconciliation.models import Outage
from reconciliation.outages.demand import Demand, captured_during, orders_of, refused_during
from reconciliation.outages.figures import Figures, figures_of

_NONE = Missed(ZERO, {})
_NOTHING = Became(_NONE, _NONE, _NONE, _NONE)


@dataclass(frozen=True, slots=True)
class Cost:
    """The figures of an outage with what they say in money.

    Requested orders were captured or `refused`. `figures.short` is what the captured ones lacked at
    first; `became` says what became of that, and `still_open` is what the oversold desk shows now.
    """

    figures: Figures
    became: Became
    still_open: Sums
    refused: Refused

    @property
    def demand(self) -> Demand:
        """What was requested: captured and refused."""
        captured = self.figures
        return Demand(captured.orders, captured.units, captured.value, self.refused)


def cost_of(
    outage: Outage, *, site_ids: Collection[str] | None = None, figures: Figures | None = None
) -> Cost:
    """Return what `outage` cost these sites, or all; six queries, two if nothing was short."""
    if figures is None:
        figures = figures_of(outage, site_ids=site_ids)
    became, still_open = _NOTHING, Sums(0, ZERO, {})
    if figures.oversold:
        undecided = Order.objects.oversold().filter(orders_of(outage))
        if site_ids is not None:
            undecided = undecided.filter(site__in=site_ids)
        still_open = sums_of(undecided)
        captured = captured_during(outage, site_ids=site_ids)
        became = became_of(captured, figures.short, still_open)
    return Cost(figures, became, still_open, refused_during(outage, site_ids=site_ids))

"""The cost of the newest finished outage for the person's sites."""

from __future__ import annotations

from typing import Any

from coc_admin.accounts.site_access import SiteAccess
from reconciliation.models import OWN_FAULTS, Outage
from reconciliation.outages.cost import cost_of


def last_cost(access: SiteAccess) -> dict[str, Any] | None:
    """Return `outage` and `cost` for includes/outage_cost.html; None without a closed outage.

    None also while another outage is open, whose figures it must not be taken for, and if wrong
    settings of ours were the cause and no order was concerned, as while an installation is set up.
    """
    outage = Outage.objects.order_by("-is_open", "-lost_at").first()
    if outage is None or outage.is_open:
        return None
    cost = cost_of(outage, site_ids=access.site_ids)
    if outage.cause in OWN_FAULTS and not cost.figures.orders and not cost.refused.orders:
        return None
    return {"outage": outage, "cost": cost}

"""The cost of the newest finished outage for the person's sites."""

from __future__ import annotations

from typing import Any

from coc_admin.accounts.site_access import SiteAccess
from reconciliation.models import Outage
from reconciliation.outages.cost import cost_of


def last_cost(access: SiteAccess) -> dict[str, Any] | None:
    """Return `outage` and `cost` for includes/outage_cost.html; None before the first outage."""
    outage = Outage.objects.filter(is_open=False).order_by("-lost_at").first()
    if outage is None:
        return None
    return {"outage": outage, "cost": cost_of(outage, site_ids=access.site_ids)}

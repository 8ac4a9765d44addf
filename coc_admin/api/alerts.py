"""Open alerts, in the figures of the token's site alone.

The console's alerts count the orders of all sites. A site must not learn of another one's orders,
so alerts with figures use the site's own here, and are left out where it has none.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.pages import refuse_unknown
from coc_admin.api.serializers import AlertList
from coc_admin.models import TokenScope
from orders.serializers import iso
from reconciliation.alerts import lifecycle
from reconciliation.alerts.rules import title_of
from reconciliation.alerts.site_text import site_texts

router = Router(tags=["Alerts"])

MOST = 200


@router.get(
    "/alerts",
    auth=BearerToken(TokenScope.ALERTS_READ),
    response=AlertList,
    operation_id="listAlerts",
)
def list_alerts(request: HttpRequest) -> Any:
    """List the open alerts, the most urgent first, in the figures of the token's site."""
    refuse_unknown(request)
    found = list(lifecycle.open_alerts()[:MOST])
    texts = site_texts(found, site_ids=sites_of(token_of(request)))
    rows = [
        {
            "descriptor": alert.descriptor,
            "context": alert.context,
            "priority": alert.priority,
            "title": title_of(alert.descriptor),
            "message": texts[alert.pk],
            "remedy": alert.remedy,
            "since": iso(alert.since),
            "updatedAt": iso(alert.updated_at),
        }
        for alert in found
        if alert.pk in texts
    ]
    return {"alerts": rows}

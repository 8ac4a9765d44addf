"""Open alerts, with figures of the token's site only.

The console's alerts count the orders of all sites. A site must not learn of another one's orders,
so alerts with figures use the site's own here, and are left out if it has none.
"""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.pages import refuse_unknown
from coc_admin.models import TokenScope
from orders.members import Members, Moment, Read
from reconciliation.alerts import lifecycle
from reconciliation.alerts.rules import RULES, title_of
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import Priority

router = Router(tags=["Alerts"])

MOST = 200


class AlertAnswer(Members):
    """An open alert."""

    descriptor: Annotated[str, Field(json_schema_extra={"enum": sorted(RULES)})]
    context: str
    priority: Priority
    title: Annotated[str, Read(lambda alert: title_of(alert.descriptor))]
    message: str
    remedy: str
    since: Moment
    updatedAt: Moment


class AlertList(Schema):
    """Open alerts: ACTION first, then WARN, then INFO."""

    alerts: list[AlertAnswer]


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
    rows = [AlertAnswer.of(alert, message=texts[alert.pk]) for alert in found if alert.pk in texts]
    return {"alerts": rows}

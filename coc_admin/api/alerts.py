"""What is true now, in words and figures of the token's site alone.

The console's alerts count the orders of all sites. A site must not learn of another one's orders,
so those with figures are told here by the site's own, and left out where it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from ninja import Router

from coc_admin.api.access import BearerToken, token_of
from coc_admin.api.pages import refuse_unknown
from coc_admin.api.runs import runs_of_site
from coc_admin.api.shapes import AlertList
from coc_admin.models import TokenScope
from orders.answers import iso
from orders.models import Order
from reconciliation import alert_words as words
from reconciliation import alerts, status
from reconciliation.models import Alert, Descriptor, EntryState, ReportDay, RunEntry

router = Router(tags=["Alerts"])

MOST = 200


@router.get(
    "/alerts",
    auth=BearerToken(TokenScope.ALERTS_READ),
    response=AlertList,
    operation_id="listAlerts",
)
def list_alerts(request: HttpRequest) -> Any:
    """List what is true now, the most urgent first."""
    refuse_unknown(request)
    site_id = token_of(request).site_id
    rows = []
    for alert in alerts.open_alerts()[:MOST]:
        message = _message(alert, site_id)
        if message is not None:
            rows.append(
                {
                    "descriptor": alert.descriptor,
                    "context": alert.context,
                    "priority": alert.priority,
                    "title": alert.get_descriptor_display(),
                    "message": message,
                    "remedy": alert.remedy,
                    "since": iso(alert.since),
                    "updatedAt": iso(alert.updated_at),
                }
            )
    return {"alerts": rows}


def _message(alert: Alert, site_id: str) -> str | None:
    """Return what the alert says to a site, or None if it does not concern it."""
    tell = _TOLD_BY_SITE.get(Descriptor(alert.descriptor))
    # The others tell of the connection, the worker and the monitor, which all sites share.
    return alert.message if tell is None else tell(alert, site_id)


def _offline(alert: Alert, site_id: str) -> str:
    waiting = status.sum_up(Order.objects.filter(site=site_id).waiting())
    return f"Inventory service offline since {words.moment(alert.since)}. {words.at_stake(waiting)}"


def _still_offline(alert: Alert, site_id: str) -> str | None:
    waiting = status.sum_up(Order.objects.filter(site=site_id).waiting())
    if not waiting.orders:
        return None
    return (
        f"A reconciliation ended at {words.moment(alert.since)} because Omnichannel Inventory"
        f" remains offline. {words.at_stake(waiting)}"
    )


def _run(alert: Alert, site_id: str) -> str | None:
    run = runs_of_site(site_id).filter(pk=alert.data.get("run")).first()
    if run is None:
        return None
    counts = {
        EntryState(state): number
        for state, number in RunEntry.objects.filter(run=run, order__site=site_id)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
    }
    return (
        f"Reconciliation {run.pk} is {run.get_state_display().lower()} since"
        f" {words.moment(alert.since)}: {words.outcomes(counts)}."
    )


def _shortages(alert: Alert, site_id: str) -> str | None:
    short = RunEntry.objects.filter(
        run=alert.data.get("run"),
        state__in=[EntryState.PARTIAL, EntryState.NOTHING],
        order__in=Order.objects.filter(site=site_id).oversold().order_by(),
    ).count()
    if not short:
        return None
    return (
        f"Reconciliation {alert.data.get('run')} finished at {words.moment(alert.since)} with"
        f" shortages: {words.orders(short)} could not be reserved in full."
    )


def _needs_review(alert: Alert, site_id: str) -> str | None:
    number = Order.objects.filter(site=site_id).needing_review().count()
    if not number:
        return None
    return f"{words.orders(number).capitalize()} cannot go on without a person."


def _report_failure(alert: Alert, site_id: str) -> str | None:
    if alert.context:
        return alert.message
    number = ReportDay.objects.filter(site=site_id).exclude(last_error="").count()
    if not number:
        return None
    return f"{number:,} daily report{'s' if number != 1 else ''} could not be written."


_TOLD_BY_SITE: dict[Descriptor, Callable[[Alert, str], str | None]] = {
    Descriptor.OCI_OFFLINE: _offline,
    Descriptor.STILL_OFFLINE: _still_offline,
    Descriptor.RECONCILIATION_RUNNING: _run,
    Descriptor.RECONCILIATION_FINISHED: _run,
    Descriptor.RECONCILIATION_SHORTAGES: _shortages,
    Descriptor.NEEDS_REVIEW: _needs_review,
    Descriptor.REPORT_FAILURE: _report_failure,
}

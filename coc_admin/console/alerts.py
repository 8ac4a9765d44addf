"""The page of alerts: what is true now, and what was lately."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.console.access import console_page
from reconciliation import alerts
from reconciliation.models import Alert, AlertState

MOST = 100


@console_page("reconciliation.view_alert")
def alert_list(request: HttpRequest) -> HttpResponse:
    """List the open alerts by priority, and those resolved last."""
    resolved = Alert.objects.filter(state=AlertState.RESOLVED).order_by("-resolved_at", "-pk")
    context = {
        "open_alerts": list(alerts.open_alerts()[:MOST]),
        "resolved": list(resolved[:MOST]),
    }
    return render(request, "console/alerts.html", context)

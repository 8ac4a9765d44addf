"""Alerts as the pages of a person show them."""

from __future__ import annotations

from django.test import Client

from reconciliation.models import Alert, AlertEvent


def alert_of(descriptor: str) -> Alert:
    return Alert.objects.get(descriptor=descriptor)


def shown(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/alerts/{query}")
    assert answer.status_code == 200
    return [alert.descriptor for alert in answer.context["page"].rows]


def chosen(*alerts: Alert) -> list[str]:
    return [f"{alert.pk}.{alert.handled}" for alert in alerts]


def events(alert: Alert) -> list[tuple[str, str]]:
    return list(AlertEvent.objects.filter(alert=alert).values_list("kind", "actor"))

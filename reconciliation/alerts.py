"""Alerts: raised, updated in place while true, resolved when no longer (design 8, contract 3.9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Case, IntegerField, QuerySet, Value, When

from reconciliation.models import Alert, AlertState, Descriptor, Priority

_URGENCY = {Priority.ACTION: 0, Priority.WARN: 1, Priority.INFO: 2}


def raise_alert(
    *,
    descriptor: Descriptor,
    context: str = "",
    priority: Priority,
    message: str,
    remedy: str = "",
    link: str = "",
    data: Mapping[str, Any] | None = None,
    now: datetime,
    since: datetime | None = None,
) -> Alert:
    """Make the alert (descriptor, context) open with these words; one row, whoever raises it.

    `message` says what happened, since when and how many; `remedy` what to do; `link` is a path of
    the console. `since` is when it became true (default `now`) and is kept while the alert stays
    open. An alert that would not change is not written.
    """
    says: dict[str, Any] = {
        "priority": priority,
        "message": message[:1000],
        "remedy": remedy[:500],
        "link": link[:300],
        "data": dict(data or {}),
    }
    alert, created = Alert.objects.get_or_create(
        descriptor=descriptor,
        context=context,
        defaults={**says, "state": AlertState.OPEN, "since": since or now, "updated_at": now},
    )
    if created:
        return alert
    key = Alert.objects.filter(pk=alert.pk)
    reopened = key.filter(state=AlertState.RESOLVED).update(
        **says, state=AlertState.OPEN, since=since or now, updated_at=now, resolved_at=None
    )
    if not reopened and any(getattr(alert, name) != value for name, value in says.items()):
        key.filter(state=AlertState.OPEN).update(**says, updated_at=now)
    elif not reopened:
        return alert
    alert.refresh_from_db()
    return alert


def resolve_alert(*, descriptor: Descriptor, context: str = "", now: datetime) -> bool:
    """Resolve the alert if it is open; False if it was not."""
    return bool(_resolve(Alert.objects.filter(descriptor=descriptor, context=context), now))


def resolve_others(*, descriptor: Descriptor, keep: Collection[str], now: datetime) -> int:
    """Resolve the open alerts of a descriptor whose context is not in `keep`; returns how many."""
    return _resolve(Alert.objects.filter(descriptor=descriptor).exclude(context__in=keep), now)


def _resolve(alerts: QuerySet[Alert], now: datetime) -> int:
    still_open = alerts.filter(state=AlertState.OPEN)
    if not still_open.exists():
        return 0
    return still_open.update(state=AlertState.RESOLVED, resolved_at=now, updated_at=now)


def open_alerts() -> QuerySet[Alert]:
    """Return what is true now: ACTION first, then WARN, then INFO; the newest first in each."""
    urgency = Case(
        *[When(priority=priority, then=Value(rank)) for priority, rank in _URGENCY.items()],
        default=Value(len(_URGENCY)),
        output_field=IntegerField(),
    )
    return Alert.objects.filter(state=AlertState.OPEN).order_by(urgency, "-since", "id")

"""Actions on an alert: acknowledge, snooze, assign, reopen, resolve.

Each takes `seen`, the count of handlings that the person saw. When another person came
first, nothing is written and AlertMoved is raised; repeated actions write nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from orders.actors import Actor
from reconciliation.alerts import lifecycle
from reconciliation.models import Alert, AlertEventKind, AlertSnooze, AlertState, Handling

LONGEST_SNOOZE = timedelta(days=30)


class CannotHandle(Exception):
    """The action is not valid for this alert, and nothing has changed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class AlertMoved(CannotHandle):
    """The alert was changed since it was read; `alert` is its current state."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(_("The alert has changed in the meantime."))
        self.alert = alert


def acknowledge(*, alert_id: int, seen: int, actor: Actor, now: datetime) -> Alert:
    """Acknowledge the alert. Raises AlertMoved."""
    return _handle(
        alert_id,
        seen,
        {"handling": Handling.ACKNOWLEDGED, "snoozed_until": None},
        kind=AlertEventKind.ACKNOWLEDGED,
        actor=actor,
        now=now,
    )


def snooze(
    *, alert_id: int, seen: int, user_id: int, until: datetime, actor: Actor, now: datetime
) -> Alert:
    """Snooze the alert for one person, who sees it again from `until`; others see it as before.

    Raises AlertMoved, and CannotHandle for a moment that has passed or is too far away.
    """
    if until <= now:
        raise CannotHandle(_("That time has passed."))
    if until > now + LONGEST_SNOOZE:
        words = _("Choose a time within %(days)s days.")
        raise CannotHandle(words % {"days": LONGEST_SNOOZE.days})
    with transaction.atomic():
        key = Alert.objects.filter(pk=alert_id, state=AlertState.OPEN, handled=seen)
        alert = key.select_for_update().first()
        if alert is None:
            raise AlertMoved(Alert.objects.get(pk=alert_id))
        wanted = {"turn": alert.turn, "until": until}
        mine = AlertSnooze.objects.filter(alert=alert, user=user_id)
        if mine.filter(**wanted).exists():
            return alert
        AlertSnooze.objects.update_or_create(alert=alert, user_id=user_id, defaults=wanted)
        data = {"until": until.isoformat()}
        lifecycle.record(alert=alert, kind=AlertEventKind.SNOOZED, actor=actor, data=data, now=now)
    return alert


def open_again(*, alert_id: int, seen: int, user_id: int, actor: Actor, now: datetime) -> Alert:
    """End the person's own snooze, and take back that the alert was acknowledged.

    Raises AlertMoved.
    """
    with transaction.atomic():
        alert = Alert.objects.get(pk=alert_id)
        mine = AlertSnooze.objects.filter(alert=alert, user=user_id)
        was_mine = bool(mine.delete()[0])
        if was_mine and alert.state == AlertState.OPEN and alert.handling == Handling.NONE:
            lifecycle.record(alert=alert, kind=AlertEventKind.OPENED, actor=actor, now=now)
            return alert
        return _open_for_all(alert_id, seen, actor=actor, now=now)


def _open_for_all(alert_id: int, seen: int, *, actor: Actor, now: datetime) -> Alert:
    return _handle(
        alert_id,
        seen,
        {"handling": Handling.NONE, "snoozed_until": None},
        kind=AlertEventKind.OPENED,
        actor=actor,
        now=now,
    )


def assign(*, alert_id: int, seen: int, assignee: str, actor: Actor, now: datetime) -> Alert:
    """Assign the alert to a person, or to nobody with an empty name. Raises AlertMoved."""
    return _handle(
        alert_id,
        seen,
        {"assignee": assignee[:150]},
        kind=AlertEventKind.ASSIGNED,
        actor=actor,
        now=now,
    )


def resolve_by_hand(*, alert_id: int, seen: int, reason: str, actor: Actor, now: datetime) -> Alert:
    """Resolve the alert; the rules raise it again while it is still true. Raises AlertMoved."""
    alert = Alert.objects.get(pk=alert_id)
    if lifecycle.resolve(alert, actor=actor, note=reason, seen=seen, now=now):
        alert.refresh_from_db()
        return alert
    alert.refresh_from_db()
    if alert.state != AlertState.RESOLVED:
        raise AlertMoved(alert)
    return alert


def _handle(
    alert_id: int,
    seen: int,
    values: dict[str, Any],
    *,
    kind: AlertEventKind,
    actor: Actor,
    now: datetime,
) -> Alert:
    with transaction.atomic():
        key = Alert.objects.filter(pk=alert_id, state=AlertState.OPEN)
        alert = Alert.objects.get(pk=alert_id)
        as_wanted = all(getattr(alert, name) == value for name, value in values.items())
        if as_wanted and alert.state == AlertState.OPEN:
            return alert
        if not key.filter(handled=seen).update(**values, handled=F("handled") + 1):
            alert.refresh_from_db()
            raise AlertMoved(alert)
        data = {"assignee": values.get("assignee", "")} if "assignee" in values else {}
        lifecycle.record(alert=alert, kind=kind, actor=actor, data=data, now=now)
    alert.refresh_from_db()
    return alert

"""Alerts: raised, updated in place while true, resolved when no longer (design 8, contract 3.9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When

from orders.actors import Actor, job
from orders.models import ActorKind
from reconciliation.models import (
    Alert,
    AlertEvent,
    AlertEventKind,
    AlertState,
    Descriptor,
    Handling,
    Priority,
)
from reconciliation.queue import enqueue

_URGENCY = {Priority.ACTION: 0, Priority.WARN: 1, Priority.INFO: 2}
RULES = job("alert rules")
HISTORY_KEPT = timedelta(days=90)
# These tell of something that has happened, once. All others tell of something that is still so.
NEWS = frozenset({Descriptor.RECONCILIATION_FINISHED})
# An alert that nobody has said anything of.
UNHANDLED: dict[str, Any] = {
    "handling": Handling.NONE,
    "snoozed_until": None,
    "assignee": "",
    "handled": F("handled") + 1,
}


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
    open. An alert that would not change is not written. One that a person has resolved comes back
    while it is true; only a piece of news stays away.
    """
    says: dict[str, Any] = {
        "priority": priority,
        "message": message[:1000],
        "remedy": remedy[:500],
        "link": link[:300],
        "data": dict(data or {}),
    }
    key = {"descriptor": descriptor, "context": context}
    alert = Alert.objects.filter(**key).first()
    # Mostly nothing has changed, and then nothing is locked.
    if alert is not None and alert.state == AlertState.OPEN and _says(alert, says):
        return alert
    with transaction.atomic():
        alert, created = Alert.objects.get_or_create(
            **key,
            defaults={**says, "state": AlertState.OPEN, "since": since or now, "updated_at": now},
        )
        if created:
            _told(alert, AlertEventKind.RAISED, says, now)
        elif alert.state == AlertState.RESOLVED and not _is_read(alert, since):
            _reopen(alert, says, since or now, now)
        elif alert.state == AlertState.OPEN and not _says(alert, says):
            _update(alert, says, now)
    alert.refresh_from_db()
    return alert


def _says(alert: Alert, says: Mapping[str, Any]) -> bool:
    return all(getattr(alert, name) == value for name, value in says.items())


def _is_read(alert: Alert, since: datetime | None) -> bool:
    """Whether a person has put this very piece of news away; what is wrong cannot be put away."""
    return bool(alert.resolved_by) and alert.descriptor in NEWS and alert.since == since


def _reopen(alert: Alert, says: Mapping[str, Any], since: datetime, now: datetime) -> None:
    won = Alert.objects.filter(pk=alert.pk, state=AlertState.RESOLVED).update(
        **says,
        **UNHANDLED,
        state=AlertState.OPEN,
        since=since,
        updated_at=now,
        resolved_at=None,
        resolved_by="",
        occurrence=F("occurrence") + 1,
        revision=F("revision") + 1,
        turn=F("revision") + 1,
    )
    if won:
        _told(alert, AlertEventKind.RAISED, says, now)


def _update(alert: Alert, says: Mapping[str, Any], now: datetime) -> None:
    """Write what has changed; one that is more urgent than before needs somebody again."""
    worse = urgency(says["priority"]) < urgency(alert.priority)
    turn: dict[str, Any] = {**UNHANDLED, "turn": F("revision") + 1} if worse else {}
    won = Alert.objects.filter(pk=alert.pk, state=AlertState.OPEN, priority=alert.priority).update(
        **says, **turn, updated_at=now, revision=F("revision") + 1
    )
    if won and worse:
        _told(alert, AlertEventKind.WORSE, says, now)


def _told(alert: Alert, kind: AlertEventKind, says: Mapping[str, Any], now: datetime) -> None:
    data = {"priority": str(says["priority"])}
    record(alert=alert, kind=kind, actor=RULES, note=says["message"], data=data, now=now)
    enqueue.deliver_alerts()


def record(
    *,
    alert: Alert,
    kind: AlertEventKind,
    actor: Actor,
    now: datetime,
    note: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Append a line to the history of an alert, in the caller's transaction."""
    AlertEvent.objects.create(
        alert=alert,
        at=now,
        kind=kind,
        actor_kind=actor.kind,
        actor=actor.name[:150],
        note=note[:500],
        data=dict(data or {}),
    )


def resolve_alert(*, descriptor: Descriptor, context: str = "", now: datetime) -> bool:
    """Resolve the alert if it is open; False if it was not."""
    return bool(_resolve(Alert.objects.filter(descriptor=descriptor, context=context), now))


def resolve_others(*, descriptor: Descriptor, keep: Collection[str], now: datetime) -> int:
    """Resolve the open alerts of a descriptor whose context is not in `keep`; returns how many."""
    return _resolve(Alert.objects.filter(descriptor=descriptor).exclude(context__in=keep), now)


def _resolve(alerts: QuerySet[Alert], now: datetime) -> int:
    still_open = list(alerts.filter(state=AlertState.OPEN).order_by("pk"))
    return sum(resolve(alert, actor=RULES, now=now) for alert in still_open)


def resolve(
    alert: Alert, *, actor: Actor, now: datetime, note: str = "", seen: int | None = None
) -> bool:
    """Resolve an open alert; False if it is not, or was handled since `seen` was read."""
    by = actor.name[:150] if actor.kind == ActorKind.PERSON else ""
    key = Alert.objects.filter(pk=alert.pk, state=AlertState.OPEN)
    with transaction.atomic():
        won = (key if seen is None else key.filter(handled=seen)).update(
            state=AlertState.RESOLVED,
            resolved_at=now,
            resolved_by=by,
            updated_at=now,
            revision=F("revision") + 1,
            turn=F("revision") + 1,
            handled=F("handled") + 1,
        )
        if won:
            record(alert=alert, kind=AlertEventKind.RESOLVED, actor=actor, note=note, now=now)
            enqueue.deliver_alerts()
    return bool(won)


def forget_old(now: datetime) -> int:
    """Delete what the rules did long ago from the histories; what people did stays."""
    old = AlertEvent.objects.filter(actor_kind=ActorKind.JOB, at__lt=now - HISTORY_KEPT)
    return old.delete()[0]


def urgency(priority: str) -> int:
    """Return the place of a priority among the others: 0 is the most urgent."""
    return _URGENCY.get(Priority(priority), len(_URGENCY))


def by_urgency(column: str = "priority") -> Case:
    """Return `urgency` of a column, to order by."""
    return Case(
        *[When(Q((column, priority)), then=Value(rank)) for priority, rank in _URGENCY.items()],
        default=Value(len(_URGENCY)),
        output_field=IntegerField(),
    )


def open_alerts() -> QuerySet[Alert]:
    """Return what is true now: ACTION first, then WARN, then INFO; the newest first in each."""
    return Alert.objects.filter(state=AlertState.OPEN).order_by(by_urgency(), "-since", "id")

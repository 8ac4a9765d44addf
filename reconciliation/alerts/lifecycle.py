"""Raise alerts, update them in place while they are true, and resolve them (contract 3.9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When

from orders.actors import Actor, job
from orders.models import ActorKind
from orders.standing_queries import Rows
from reconciliation.alerts.rule import UNTIL, Data, Found, Rule
from reconciliation.alerts.rules import RULES
from reconciliation.alerts.text import FROZEN
from reconciliation.models import (
    Alert,
    AlertEvent,
    AlertEventKind,
    AlertState,
    Handling,
    Priority,
)
from reconciliation.queue import enqueue

_URGENCY = {Priority.ACTION: 0, Priority.WARN: 1, Priority.INFO: 2}
RULES_ACTOR = job("alert rules")
HISTORY_KEPT = timedelta(days=90)
# The columns that a refresh writes.
Written = dict[str, Any]
# An alert that nobody has handled.
UNHANDLED: dict[str, Any] = {
    "handling": Handling.NONE,
    "snoozed_until": None,
    "assignee": "",
    "handled": F("handled") + 1,
}


def raise_found(rule: Rule, found: Found, *, now: datetime) -> Alert:
    """Open an alert for a rule's finding: one row, however often it is raised.

    An alert that would not change is not written.
    """
    since = (found.since or now).isoformat()

    def written(before: Data | None) -> Written:
        data: Data = {**found.data, "since": since}
        if before is not None:
            # As in the column: a matter began once.
            data = rule.carry(before, {**data, "since": before.get("since") or since})
        text = rule.kept(data)
        return _written(found.priority, text.message, text.remedy, found.link, data)

    key = {"descriptor": rule.descriptor, "context": found.context}
    return _raise(key, written, rule=rule, now=now, since=found.since)


def _written(priority: Priority, message: str, remedy: str, link: str, data: Data) -> Written:
    """Return the columns that a refresh writes."""
    return {
        "priority": priority,
        "message": message[:1000],
        "remedy": remedy[:500],
        "link": link[:300],
        "data": dict(data),
    }


def _raise(
    key: Mapping[str, str],
    written: Callable[[Data | None], Written],
    *,
    rule: Rule,
    now: datetime,
    since: datetime | None,
) -> Alert:
    alert = Alert.objects.filter(**key).first()
    # Usually nothing has changed, and then nothing is locked.
    if alert is not None and _has(alert, written(alert.data)):
        return alert
    fresh = written(None)
    with transaction.atomic():
        alert, created = Alert.objects.get_or_create(
            **key,
            defaults={**fresh, "state": AlertState.OPEN, "since": since or now, "updated_at": now},
        )
        if created:
            _note_turn(alert, AlertEventKind.RAISED, fresh, now)
        elif alert.state == AlertState.OPEN and rule.is_same(alert.data, fresh["data"]):
            _update(alert, written(alert.data), rule=rule, now=now)
        elif alert.state == AlertState.OPEN:
            resolve(alert, actor=RULES_ACTOR, now=now)
            _reopen(alert, fresh, since or now, now)
        elif not _is_put_away(alert, rule, since):
            _reopen(alert, fresh, since or now, now)
    alert.refresh_from_db()
    return alert


def _has(alert: Alert, row: Written) -> bool:
    """Whether an open alert has these columns already."""
    return alert.state == AlertState.OPEN and all(
        getattr(alert, name) == value for name, value in row.items()
    )


def _is_put_away(alert: Alert, rule: Rule, since: datetime | None) -> bool:
    """Whether a person has dismissed this news; faults can't be dismissed."""
    return bool(alert.resolved_by) and rule.is_news and alert.since == since


def _reopen(alert: Alert, row: Written, since: datetime, now: datetime) -> None:
    won = Alert.objects.filter(pk=alert.pk, state=AlertState.RESOLVED).update(
        **row,
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
        _note_turn(alert, AlertEventKind.RAISED, row, now)


def _update(alert: Alert, row: Written, *, rule: Rule, now: datetime) -> None:
    """Write the changes; an alert that is more urgent, or has grown, needs attention again."""
    if _has(alert, row):
        return
    worse = urgency(row["priority"]) < urgency(alert.priority)
    worse = worse or rule.has_grown(alert.data, row["data"])
    turn: dict[str, Any] = {**UNHANDLED, "turn": F("revision") + 1} if worse else {}
    key = Alert.objects.filter(pk=alert.pk, state=AlertState.OPEN, revision=alert.revision)
    won = key.update(**row, **turn, updated_at=now, revision=F("revision") + 1)
    if won and worse:
        _note_turn(alert, AlertEventKind.WORSE, row, now)
    elif won and rule.has_relapsed(alert.data, row["data"]):
        # The people who were notified know already.
        _note(alert, AlertEventKind.RELAPSED, row, now)


def _note_turn(alert: Alert, kind: AlertEventKind, row: Written, now: datetime) -> None:
    """Append a state change that the channels are notified of."""
    _note(alert, kind, row, now)
    enqueue.deliver_alerts()


def _note(alert: Alert, kind: AlertEventKind, row: Written, now: datetime) -> None:
    """Append a line with the data of its moment, which nothing rewrites later."""
    data = {"priority": str(row["priority"]), FROZEN: row["data"]}
    record(alert=alert, kind=kind, actor=RULES_ACTOR, note=row["message"], data=data, now=now)


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


def open_contexts() -> dict[str, set[str]]:
    """Return the contexts of the open alerts by descriptor; one query."""
    found: dict[str, set[str]] = defaultdict(set)
    for descriptor, context in _open():
        found[descriptor].add(context)
    return found


_open = Rows(
    lambda: (
        Alert.objects.filter(state=AlertState.OPEN).order_by().values_list("descriptor", "context")
    )
)


def resolve_others(*, descriptor: str, keep: Collection[str], now: datetime) -> int:
    """Resolve the open alerts of a descriptor whose context is not in `keep`; returns how many."""
    return _resolve(Alert.objects.filter(descriptor=descriptor).exclude(context__in=keep), now)


def _resolve(alerts: QuerySet[Alert], now: datetime) -> int:
    still_open = list(alerts.filter(state=AlertState.OPEN).order_by("pk"))
    return sum(resolve(alert, actor=RULES_ACTOR, now=now) for alert in still_open)


def resolve(
    alert: Alert, *, actor: Actor, now: datetime, note: str = "", seen: int | None = None
) -> bool:
    """Resolve an open alert; False if it is not open, or was handled since `seen` was read.

    From then on its sentence and data are history and never change.
    """
    by = actor.name[:150] if actor.kind == ActorKind.PERSON else ""
    with transaction.atomic():
        key = Alert.objects.filter(pk=alert.pk, state=AlertState.OPEN)
        if seen is not None:
            key = key.filter(handled=seen)
        row = key.select_for_update().first()
        if row is None:
            return False
        past = _past(row, now)
        key.update(
            **past,
            state=AlertState.RESOLVED,
            resolved_at=now,
            resolved_by=by,
            updated_at=now,
            revision=F("revision") + 1,
            turn=F("revision") + 1,
            handled=F("handled") + 1,
        )
        data = {} if note else {FROZEN: past["data"]} if past else {}
        record(
            alert=alert,
            kind=AlertEventKind.RESOLVED,
            actor=actor,
            note=note or past.get("message", ""),
            data=data,
            now=now,
        )
        enqueue.deliver_alerts()
    return True


def _past(alert: Alert, now: datetime) -> Written:
    """Return the columns of a resolved alert; none if its data are incomplete."""
    rule = RULES.get(alert.descriptor)
    if rule is None:
        return {}
    try:
        data = {UNTIL: now.isoformat(), **rule.final(alert.data)}
        message = rule.kept(data).message[:1000]
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return {}
    return {"message": message, "remedy": "", "data": data}


def forget_old(now: datetime) -> int:
    """Delete old entries of the rules from the histories; people's actions stay."""
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
    """Return the open alerts: ACTION first, then WARN, then INFO; the newest first in each."""
    return Alert.objects.filter(state=AlertState.OPEN).order_by(by_urgency(), "-since", "id")

"""Compares the alerts with each channel's deliveries, and stores the missing ones.

Nothing needs to be remembered for this: a delivery that was never written is found the next time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max

from reconciliation.alerts.channels import text as words
from reconciliation.alerts.lifecycle import open_alerts, urgency
from reconciliation.alerts.rule import PRACTICE
from reconciliation.alerts.rules import RULES, title_of
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import (
    Alert,
    AlertState,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Priority,
)

# More are never open at once; the rules keep few shortages apart.
MOST_OPEN = 200
# For how long after its end an alert is looked at.
RESOLVED_LATELY = timedelta(days=2)
# A webhook is told new figures at most so often; people are told of turns only.
FIGURES_EVERY = timedelta(minutes=1)
KEPT = timedelta(days=90)
_CONSOLE_ONLY = [name for name, rule in RULES.items() if rule.console_only]


def write_due(now: datetime) -> int:
    """Store each channel's due deliveries; returns how many; safe to run concurrently."""
    written = 0
    for channel in Channel.objects.filter(enabled=True).order_by("pk"):
        written += _write_due(channel, now)
    return written


def forget_old(now: datetime) -> int:
    """Delete old deliveries of resolved alerts."""
    old = Delivery.objects.filter(finished_at__lt=now - KEPT)
    return old.exclude(alert__state=AlertState.OPEN).delete()[0]


def due(
    channel: Channel, alert: Alert, last: Delivery | None, *, concerns: bool, now: datetime
) -> DeliveryKind | None:
    """Return the channel's next delivery about the alert, after `last`; None if none is due.

    `concerns` is whether the alert concerns the channel's sites.
    """
    if last is not None and last.state == DeliveryState.PENDING:
        return None  # One after the other: the next one tells what is true then.
    told = last if last is not None and last.occurrence == alert.occurrence else None
    is_open_there = told is not None and told.kind != DeliveryKind.RESOLVED
    if alert.state == AlertState.RESOLVED or not concerns:
        never_arrived = (
            told is not None
            and told.kind == DeliveryKind.RAISED
            and told.state == DeliveryState.FAILED
        )
        return DeliveryKind.RESOLVED if is_open_there and not never_arrived else None
    if told is None or not is_open_there:
        wanted = urgency(alert.priority) <= urgency(channel.least_priority)
        return DeliveryKind.RAISED if wanted else None
    if alert.turn > told.turn:
        return DeliveryKind.WORSE
    may_repeat = channel.kind == ChannelKind.WEBHOOK and now - told.created_at >= FIGURES_EVERY
    return DeliveryKind.CHANGED if may_repeat and alert.revision > told.seen else None


def _write_due(channel: Channel, now: datetime) -> int:
    alerts = _alerts_for(channel, now)
    last = _last_delivery(channel, alerts)
    messages = _messages(channel, alerts)
    rows = []
    for alert in alerts:
        before = last.get(alert.pk)
        kind = due(channel, alert, before, concerns=alert.pk in messages, now=now)
        if kind is None:
            continue
        resolved = f"{title_of(alert.descriptor)}: resolved."
        message = messages.get(alert.pk) or resolved
        rows.append(
            Delivery(
                channel=channel,
                alert=alert,
                occurrence=alert.occurrence,
                revision=1 if before is None else before.revision + 1,
                seen=alert.revision,
                turn=alert.turn,
                kind=kind,
                content=words.content_of(alert, kind=kind, message=message),
                created_at=now,
                due_at=now,
            )
        )
    # Another worker may have written the same; the constraint keeps one of them.
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _alerts_for(channel: Channel, now: datetime) -> list[Alert]:
    wanted = open_alerts().exclude(descriptor__in=_CONSOLE_ONLY)
    told = Delivery.objects.filter(channel=channel, alert__isnull=False).values("alert")
    over = Alert.objects.filter(
        state=AlertState.RESOLVED, resolved_at__gt=now - RESOLVED_LATELY, pk__in=told
    ).order_by("pk")
    if channel.descriptors:
        wanted = wanted.filter(descriptor__in=channel.descriptors)
        over = over.filter(descriptor__in=channel.descriptors)
    serious = (alert for alert in wanted[:MOST_OPEN] if not _stays_here(alert))
    return [*serious, *over[:MOST_OPEN]]


def _stays_here(alert: Alert) -> bool:
    """Whether nobody is notified: a practice outage caused it, and no real order needs a person."""
    return PRACTICE in alert.data and alert.priority != Priority.ACTION


def _last_delivery(channel: Channel, alerts: list[Alert]) -> dict[int | None, Delivery]:
    newest = (
        Delivery.objects.filter(channel=channel, alert__in=[alert.pk for alert in alerts])
        .order_by()
        .values("alert")
        .annotate(last=Max("pk"))
        .values_list("last", flat=True)
    )
    return {row.alert_id: row for row in Delivery.objects.filter(pk__in=list(newest))}


def _messages(channel: Channel, alerts: list[Alert]) -> dict[int, str]:
    if channel.every_site:
        return {alert.pk: alert.message for alert in alerts}
    return site_texts(alerts, site_ids=list(channel.sites.values_list("pk", flat=True)))

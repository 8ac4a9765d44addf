"""Heartbeats: components show that they work; silence is an alert (design 8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, QuerySet

from orders.standing_queries import Change, Given
from reconciliation.models import Heartbeat

MONITOR = "monitor"
WORKER = "worker"
# A process that was stopped properly, or moved to another host, is forgotten after this.
FORGET_AFTER = timedelta(days=7)


def beat(*, component: str, instance: str = "", now: datetime) -> None:
    """Note that `instance` of `component` works at `now`."""
    if _beat(component=component, instance=instance, now=now):
        return
    Heartbeat.objects.get_or_create(
        component=component, instance=instance, defaults={"beat_at": now}
    )


def _row() -> tuple[QuerySet[Heartbeat], dict[str, Any]]:
    component, instance = Given("component", CharField()), Given("instance", CharField())
    rows = Heartbeat.objects.filter(component=component, instance=instance)
    return rows, {"beat_at": Given("now")}


_beat = Change(_row)


def forget_old(now: datetime) -> int:
    """Delete beats of instances that ended long ago, but never a component's last one."""
    deleted = 0
    for component in (MONITOR, WORKER):
        newest = Heartbeat.objects.filter(component=component).order_by("-beat_at").first()
        if newest is not None:
            old = Heartbeat.objects.filter(component=component, beat_at__lt=now - FORGET_AFTER)
            deleted += old.exclude(pk=newest.pk).delete()[0]
    return deleted


def last_beat(component: str) -> datetime | None:
    """Return when any instance of `component` beat last, or None if none ever did."""
    newest = of(component).first()
    return None if newest is None else newest.beat_at


def of(component: str) -> QuerySet[Heartbeat]:
    """Return the beats of every instance of `component`, the newest first."""
    return Heartbeat.objects.filter(component=component).order_by("-beat_at")

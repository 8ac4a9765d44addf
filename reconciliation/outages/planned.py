"""Planned outages: Omnichannel Inventory is not called from a start until an end, on purpose.

What is due follows from the rows and `now` alone, so that a monitor that was killed carries on.
The connection is locked first, then the windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from orders.actors import Actor, job
from orders.models import Site
from reconciliation import connection
from reconciliation.connection.state import row
from reconciliation.models import ConnectionState, PlannedOutage
from reconciliation.reasons import say

# A form that was filled in slowly may start a window "now".
JUST_BEFORE = timedelta(minutes=5)


class WindowRefused(ValueError):
    """A window can't be planned; `why` is `order`, `past` or `overlap`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Effect:
    """What a window does to the orders of one site that captures for a limited time, or never.

    `refused_from` is when the site begins to refuse orders.
    """

    site_id: str
    refused_from: datetime
    minutes: int | None


def effects(*, starts_at: datetime, ends_at: datetime) -> list[Effect]:
    """Return the sites that refuse orders during a part of the window; one query."""
    found = []
    for site in Site.objects.order_by("pk"):
        if not site.offline_capture:
            found.append(Effect(site.pk, starts_at, None))
        elif site.cap_offline_minutes is not None:
            until = starts_at + timedelta(minutes=site.cap_offline_minutes)
            if until < ends_at:
                found.append(Effect(site.pk, until, site.cap_offline_minutes))
    return found


def check(*, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Raise WindowRefused if such a window can't be planned; one query."""
    if ends_at <= starts_at:
        raise WindowRefused("order")
    if ends_at <= now or starts_at < now - JUST_BEFORE:
        raise WindowRefused("past")
    others = PlannedOutage.objects.filter(ended_at=None)
    if others.filter(starts_at__lt=ends_at, ends_at__gt=starts_at).exists():
        raise WindowRefused("overlap")


def plan(
    *,
    starts_at: datetime,
    ends_at: datetime,
    owner: str,
    note: str,
    actor: Actor,
    now: datetime,
) -> PlannedOutage:
    """Plan a window. Raises WindowRefused."""
    connection.current()
    with transaction.atomic():
        _lock()
        check(starts_at=starts_at, ends_at=ends_at, now=now)
        return PlannedOutage.objects.create(
            starts_at=starts_at,
            ends_at=ends_at,
            owner=owner,
            note=note,
            created_at=now,
            created_by=actor.name[:150],
        )


def end(pk: int, *, actor: Actor, reason: str, now: datetime) -> bool:
    """End a running window or cancel a coming one; False if it was over (nothing changes)."""
    with transaction.atomic():
        _lock()
        found = PlannedOutage.objects.filter(pk=pk, ended_at=None).first()
        if found is None:
            return False
        PlannedOutage.objects.filter(pk=pk, ended_at=None).update(
            ended_at=now, ended_by=actor.name[:150], end_reason=reason
        )
        _release(found, actor=actor, reason=reason, now=now)
        return True


def keep_times(now: datetime) -> None:
    """Begin and end the windows that are due; one small query if there is none."""
    if not _due(now):
        return
    connection.current()
    with transaction.atomic():
        _lock()
        for window in _due(now):
            if window.ends_at <= now:
                _end_on_time(window, now)
            elif window.entered_at is None:
                _enter(window, now)


def _due(now: datetime) -> list[PlannedOutage]:
    due = PlannedOutage.objects.filter(ended_at=None, starts_at__lte=now)
    return list(due.order_by("starts_at"))


def _enter(window: PlannedOutage, now: datetime) -> None:
    PlannedOutage.objects.filter(pk=window.pk, entered_at=None).update(entered_at=now)
    # False if an operator has forced it already: that hold is the operator's to release.
    connection.force_offline(actor=job(str(window)), reason=_shown(window), now=now)


def _end_on_time(window: PlannedOutage, now: datetime) -> None:
    actor = job(str(window))
    PlannedOutage.objects.filter(pk=window.pk, ended_at=None).update(
        ended_at=now, ended_by=actor.name
    )
    _release(window, actor=actor, reason=_shown(window), now=now)


def _release(window: PlannedOutage, *, actor: Actor, reason: str, now: datetime) -> None:
    """Release the connection if it is this window that holds it."""
    held = row().filter(state=ConnectionState.FORCED_OFFLINE, forced_by=str(window))
    if window.entered_at is not None and held.exists():
        connection.release_forced(actor=actor, reason=reason, now=now)


def _shown(window: PlannedOutage) -> str:
    if window.is_practice:
        return say("practice_ended")
    until = window.ends_at.astimezone(UTC)
    return f"Planned outage until {until:%Y-%m-%d %H:%M} UTC ({window.owner}): {window.note}"


def _lock() -> None:
    row().select_for_update().first()

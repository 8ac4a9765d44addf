"""Planned outages: Omnichannel Inventory is not called from a start until an end, on purpose.

What is due follows from the rows and `now` alone, so that a monitor that was killed carries on.
The connection is locked first, then the windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.actors import Actor, job
from orders.models import Site
from reconciliation import connection
from reconciliation.connection.state import row
from reconciliation.models import Connection, ConnectionState, PlannedOutage
from reconciliation.reasons import Reason, say

# A form that was filled in slowly may start a window "now".
JUST_BEFORE = timedelta(minutes=5)


class WindowRefused(ValueError):
    """A window can't be planned or extended.

    `why` is `order`, `past` or `overlap`; of an extension also `over`, `shorter` or `moved`.
    """

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
    if _overlapping(starts_at, ends_at).exists():
        raise WindowRefused("overlap")


def check_extension(window: PlannedOutage, *, ends_at: datetime, now: datetime) -> None:
    """Raise WindowRefused if the window can't last until `ends_at`; one query."""
    if window.ended_at is not None or (window.entered_at is None and window.ends_at <= now):
        raise WindowRefused("over")
    if ends_at <= window.ends_at:
        raise WindowRefused("shorter")
    if ends_at <= now:
        raise WindowRefused("past")
    if _overlapping(window.starts_at, ends_at).exclude(pk=window.pk).exists():
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


def extend(pk: int, *, ends_at: datetime, seen: datetime, now: datetime) -> None:
    """Let a running or coming window end later. Raises WindowRefused.

    `seen` is its end as the person saw it; if it is another one now, the window has `moved`.
    """
    with transaction.atomic():
        _lock()
        window = PlannedOutage.objects.get(pk=pk)
        if window.ends_at != seen:
            raise WindowRefused("moved")
        check_extension(window, ends_at=ends_at, now=now)
        still = PlannedOutage.objects.filter(pk=pk, ended_at=None, ends_at=seen)
        if not still.update(ends_at=ends_at):
            raise WindowRefused("moved")


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


def release(*, actor: Actor, reason: str, now: datetime) -> list[PlannedOutage] | None:
    """Release a connection that is forced offline, and end the windows that run; return those.

    None if the connection was not forced (nothing changes). Raises connection.ReasonRequired.
    After a release Omnichannel Inventory is called again, so every running window ends, also one
    that began while a person had forced the connection offline.
    """
    with transaction.atomic():
        # This locks the connection, as `_lock` does.
        if not connection.release_forced(actor=actor, reason=reason, now=now):
            return None
        ended = running()
        PlannedOutage.objects.filter(pk__in=[window.pk for window in ended], ended_at=None).update(
            ended_at=now, ended_by=actor.name[:150], end_reason=reason.strip()[:500]
        )
        return ended


def running() -> list[PlannedOutage]:
    """Return the windows that have begun and not ended; one query."""
    return list(PlannedOutage.objects.filter(ended_at=None, entered_at__isnull=False))


def coming(now: datetime, *, within: timedelta) -> list[PlannedOutage]:
    """Return the windows that begin within a time from now, the first one first; one query."""
    due = PlannedOutage.objects.filter(starts_at__gt=now, starts_at__lte=now + within)
    return list(due.filter(ended_at=None).order_by("starts_at", "pk"))


def to_begin(now: Any) -> QuerySet[PlannedOutage]:
    """Return the windows that begin after `now`, a moment or an expression."""
    return PlannedOutage.objects.filter(starts_at__gt=now, ended_at=None)


def holder(link: Connection) -> PlannedOutage | None:
    """Return the window that holds the connection; None without one, or if a person holds it.

    One query, and none unless the connection is forced offline.
    """
    if link.state != ConnectionState.FORCED_OFFLINE:
        return None
    return next((window for window in running() if str(window) == link.forced_by), None)


def running_or_next(now: datetime) -> PlannedOutage | None:
    """Return the window that runs, else the next to begin; one query.

    One runs until it was ended, however late.
    """
    open_ = PlannedOutage.objects.filter(ended_at=None)
    known = open_.filter(Q(entered_at__isnull=False) | Q(ends_at__gt=now))
    return known.order_by("starts_at", "pk").first()


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


def due(now: Any) -> QuerySet[PlannedOutage]:
    """Return the windows that have begun or are to begin at `now`, a moment or an expression."""
    return PlannedOutage.objects.filter(ended_at=None, starts_at__lte=now).order_by("starts_at")


def _due(now: datetime) -> list[PlannedOutage]:
    return list(due(now))


def _enter(window: PlannedOutage, now: datetime) -> None:
    PlannedOutage.objects.filter(pk=window.pk, entered_at=None).update(entered_at=now)
    # False if an operator has forced it already: that hold is the operator's to release.
    why = _why(window, "window_runs")
    connection.force_offline(actor=job(str(window)), reason=why, now=now)


def _end_on_time(window: PlannedOutage, now: datetime) -> None:
    actor = job(str(window))
    PlannedOutage.objects.filter(pk=window.pk, ended_at=None).update(
        ended_at=now, ended_by=actor.name
    )
    _release(window, actor=actor, reason=_why(window, "window_ended"), now=now)


def _release(window: PlannedOutage, *, actor: Actor, reason: str, now: datetime) -> None:
    """Release the connection if it is this window that holds it."""
    held = row().filter(state=ConnectionState.FORCED_OFFLINE, forced_by=str(window))
    if window.entered_at is not None and held.exists():
        connection.release_forced(actor=actor, reason=reason, now=now)


def _why(window: PlannedOutage, code: str) -> Reason:
    if window.is_practice:
        return say("practice_ended")
    # Without the end, which may be put off while the window runs.
    return say(code, owner=window.owner, note=window.note)


def _overlapping(starts_at: datetime, ends_at: datetime) -> QuerySet[PlannedOutage]:
    others = PlannedOutage.objects.filter(ended_at=None)
    return others.filter(starts_at__lt=ends_at, ends_at__gt=starts_at)


def _lock() -> None:
    row().select_for_update().first()

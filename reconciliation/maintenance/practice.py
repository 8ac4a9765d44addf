"""Practice outages: a few minutes offline on purpose, to see how orders are captured and reserved.

A practice is a window (`PlannedOutage`) that begins at once. Its orders are real: they are captured
on the last known figures, and reserved afterwards. The monitor ends it like any window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Exists, OuterRef

from orders.actors import Actor, job
from orders.models import InventoryRecord, Order, Site
from reconciliation import connection
from reconciliation.connection.state import row
from reconciliation.models import ConnectionState, Outage, PlannedOutage
from reconciliation.outages import planned
from reconciliation.outages.demand import captured_during
from reconciliation.queue import heartbeats
from reconciliation.reasons import say
from reconciliation.stock_mirror import age

SHORTEST, USUAL, LONGEST = 5, 10, 30
# The connection returns a few probes after the end; time limits count until then.
RETURN = timedelta(minutes=1)
_MONITOR_SILENT = timedelta(seconds=10)
_MOST_LOOKED_AT = 10
NOTE = "Practice"


class Why(StrEnum):
    """Reasons why no practice can begin."""

    LENGTH = "length"
    OUTAGE = "outage"
    WINDOW = "window"
    MONITOR = "monitor"
    NO_SITE = "no_site"
    CAPTURE_OFF = "capture_off"
    LIMIT = "limit"
    NO_STOCK = "no_stock"
    OLD_STOCK = "old_stock"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason; `names` are its sites or lists, if any."""

    why: Why
    names: Sequence[str] = ()


class PracticeRefused(ValueError):
    """A practice can't begin for these reasons."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(", ".join(one.why for one in refusals))
        self.refusals = refusals


def refusals(*, minutes: int, now: datetime) -> list[Refusal]:
    """Return every reason why a practice of this many minutes can't begin; some small queries."""
    found = [*_about_the_moment(minutes, now), *_about_sites(minutes, now)]
    return found if SHORTEST <= minutes <= LONGEST else [Refusal(Why.LENGTH), *found]


def _about_the_moment(minutes: int, now: datetime) -> list[Refusal]:
    found = []
    is_online = connection.current().state == ConnectionState.ONLINE
    if not is_online or Outage.objects.filter(is_open=True).exists():
        found.append(Refusal(Why.OUTAGE))
    try:
        planned.check(starts_at=now, ends_at=now + timedelta(minutes=max(minutes, 1)), now=now)
    except planned.WindowRefused:
        found.append(Refusal(Why.WINDOW))
    beat_at = heartbeats.last_beat(heartbeats.MONITOR)
    if beat_at is None or now - beat_at > _MONITOR_SILENT:
        found.append(Refusal(Why.MONITOR))
    return found


def _about_sites(minutes: int, now: datetime) -> list[Refusal]:
    if not Site.objects.exists():
        return [Refusal(Why.NO_SITE)]
    ends_at = now + timedelta(minutes=minutes) + RETURN
    effects = planned.effects(starts_at=now, ends_at=ends_at)
    figures = InventoryRecord.objects.filter(
        inventory_list=OuterRef("inventory_list"), snapshot_ato__isnull=False
    )
    unknown = Site.objects.exclude(Exists(figures.order_by())).order_by("pk")
    names = {
        Why.CAPTURE_OFF: [one.site_id for one in effects if one.minutes is None],
        Why.LIMIT: [one.site_id for one in effects if one.minutes is not None],
        Why.NO_STOCK: list(unknown.values_list("pk", flat=True)),
        Why.OLD_STOCK: [one.list_id for one in age.broken(now)],
    }
    return [Refusal(why, found) for why, found in names.items() if found]


def begin(*, minutes: int, actor: Actor, now: datetime) -> PlannedOutage:
    """Take the connection offline for this many minutes, from now on. Raises PracticeRefused."""
    connection.current()
    with transaction.atomic():
        _lock()
        found = refusals(minutes=minutes, now=now)
        if found:
            raise PracticeRefused(found)
        ends_at = now + timedelta(minutes=minutes)
        window = PlannedOutage.objects.create(
            starts_at=now,
            ends_at=ends_at,
            owner=actor.name[:100],
            note=NOTE,
            created_at=now,
            created_by=actor.name[:150],
            entered_at=now,
            is_practice=True,
        )
        time = f"{ends_at.astimezone(UTC):%H:%M}"
        reason = say("practice_begun", time=time, who=actor.name)
        if not connection.force_offline(
            actor=job(str(window)), reason=reason, now=now, is_practice=True
        ):
            # Without this row's change, the outage belongs to another window.
            raise PracticeRefused([Refusal(Why.OUTAGE)])
        return window


def running() -> PlannedOutage | None:
    """Return the practice that has not ended."""
    return PlannedOutage.objects.filter(is_practice=True, ended_at=None).first()


def end(*, actor: Actor, now: datetime) -> bool:
    """End the running practice; False if none was running (nothing changes)."""
    window = running()
    if window is None:
        return False
    return planned.end(window.pk, actor=actor, reason=say("practice_ended"), now=now)


@dataclass(frozen=True, slots=True)
class Practised:
    """How far the newest practice outages got."""

    is_running: bool
    # at least one is over, and its captured orders were reconciled
    is_done: bool
    # at least one is over, and none captured an order
    was_empty: bool


def practised() -> Practised:
    """Return how far the newest practice outages got; reads a few rows."""
    found = list(Outage.objects.filter(is_practice=True).order_by("-pk")[:_MOST_LOOKED_AT])
    over = [outage for outage in found if not outage.is_open]
    is_done = any(captured_during(outage).exists() for outage in over)
    return Practised(
        is_running=len(found) > len(over), is_done=is_done, was_empty=bool(over) and not is_done
    )


def orders_of_last_day(now: datetime) -> int:
    """Return how many orders came in the last 24 hours, for the preview."""
    return Order.objects.filter(captured_at__gt=now - timedelta(days=1)).order_by().count()


def _lock() -> None:
    row().select_for_update().first()

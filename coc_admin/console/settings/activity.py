"""What people did, from the audit log and the history of orders, as one timeline."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from coc_admin.console.queries import Page
from coc_admin.models import AuditEntry
from orders import reasons
from orders.models import ActorKind, EventKind, Order, OrderEvent, Site

PAGE = 50
# Of two activities at one moment those of the audit log come first.
_AUDIT, _ORDER = 1, 0
# The kinds of things of the audit log; an object is found by its key under each.
KINDS = (
    "site",
    "list",
    "user",
    "token",
    "schedule",
    "connection",
    "run",
    "report",
    "order",
    "alert",
    "channel",
    "template",
    "outage",
    "session",
)


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that a person did; `order` is set for what was done to an order's state."""

    at: datetime
    source: int
    key: int
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
    reason: str
    request_id: str = ""
    order: Order | None = None

    @property
    def place(self) -> tuple[datetime, int, int]:
        """Its place in the timeline."""
        return (self.at, self.source, self.key)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; empty means everything."""

    person: str = ""
    kind: str = ""  # one of KINDS
    target: str = ""  # an order number, a site, a user name, or `kind:key`
    since: datetime | None = None
    until: datetime | None = None


def page_of_activities(wanted: Wanted, *, cursor: str) -> Page[Activity]:
    """Return the page after `cursor`, the newest first; a cursor that is none is the start."""
    after = _read_cursor(cursor)
    rows = list(_merged(wanted, after=after, most=PAGE + 1))[: PAGE + 1]
    more, rows = len(rows) > PAGE, rows[:PAGE]
    last = rows[-1] if rows else None
    next_cursor = f"{last.at.isoformat()}~{last.source}~{last.key}" if more and last else ""
    return Page(rows, next_cursor, is_first=after is None)


def activities(wanted: Wanted, *, most: int) -> Iterator[Activity]:
    """Yield up to `most` activities of each source, the newest first."""
    return _merged(wanted, after=None, most=most)


def _merged(
    wanted: Wanted, *, after: tuple[datetime, int, int] | None, most: int
) -> Iterator[Activity]:
    entries = _after(_entries(wanted), after, _AUDIT).order_by("-at", "-id")[:most]
    events = _after(_events(wanted), after, _ORDER).order_by("-at", "-id")[:most]
    return heapq.merge(
        (_of_entry(entry) for entry in entries.iterator(chunk_size=1000)),
        (_of_event(event) for event in events.iterator(chunk_size=1000)),
        key=lambda activity: activity.place,
        reverse=True,
    )


def _after(
    rows: QuerySet[Any], after: tuple[datetime, int, int] | None, source: int
) -> QuerySet[Any]:
    if after is None:
        return rows
    at, from_source, key = after
    if source > from_source:
        return rows.filter(at__lt=at)
    if source < from_source:
        return rows.filter(at__lte=at)
    return rows.filter(Q(at__lt=at) | Q(at=at, pk__lt=key), at__lte=at)


def _entries(wanted: Wanted) -> QuerySet[AuditEntry]:
    found = _within(AuditEntry.objects.all(), wanted)
    if wanted.kind:
        found = found.filter(Q(target=wanted.kind) | Q(target__startswith=f"{wanted.kind}:"))
    if wanted.target:
        keys = [f"{kind}:{wanted.target}" for kind in KINDS]
        numbers = _orders_numbered(wanted.target)
        found = found.filter(target__in=[wanted.target, *keys, *(f"order:{n}" for n in numbers)])
    return found


def _events(wanted: Wanted) -> QuerySet[OrderEvent]:
    found = OrderEvent.objects.filter(actor_kind=ActorKind.PERSON).select_related("order")
    # An export of 100,000 lines reads as many orders, of which it says two things.
    found = found.only(
        "at", "actor", "kind", "reason", "reason_codes", "order__site_id", "order__order_no"
    )
    if wanted.kind not in ("", "order"):
        return found.none()
    if wanted.target:
        found = found.filter(order__in=_orders_numbered(wanted.target.removeprefix("order:")))
    return _within(found, wanted)


def _within(rows: QuerySet[Any], wanted: Wanted) -> QuerySet[Any]:
    if wanted.person:
        rows = rows.filter(actor=wanted.person)
    if wanted.since:
        rows = rows.filter(at__gte=wanted.since)
    if wanted.until:
        rows = rows.filter(at__lt=wanted.until)
    return rows


def _orders_numbered(order_no: str) -> list[int]:
    """Return the orders with that number, one a site; naming the sites lets the index answer."""
    sites = list(Site.objects.values_list("pk", flat=True))
    orders = Order.objects.filter(site__in=sites, order_no=order_no)
    return list(orders.order_by().values_list("pk", flat=True))


def _of_entry(entry: AuditEntry) -> Activity:
    return Activity(
        at=entry.at,
        source=_AUDIT,
        key=entry.pk,
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        detail=entry.detail,
        reason=entry.reason,
        request_id=entry.request_id,
    )


def _of_event(event: OrderEvent) -> Activity:
    return Activity(
        at=event.at,
        source=_ORDER,
        key=event.pk,
        actor=event.actor,
        action=str(EventKind(event.kind).label) if event.kind in EventKind.values else event.kind,
        target=f"order:{event.order.site_id}/{event.order.order_no}",
        detail={},
        reason=reasons.read(event.reason, event.reason_codes),
        order=event.order,
    )


def _read_cursor(text: str) -> tuple[datetime, int, int] | None:
    place, _, rest = text.partition("~")
    source, _, number = rest.partition("~")
    try:
        at, key = datetime.fromisoformat(place), int(number)
    except ValueError:
        return None
    is_sound = at.tzinfo is not None and 2000 <= at.year <= 2200 and 0 < key < 2**63
    return (at, int(source), key) if is_sound and source in ("0", "1") else None

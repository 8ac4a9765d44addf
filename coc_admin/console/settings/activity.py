"""People's actions, from the audit log and the history of orders, as one timeline."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet, Value

from coc_admin.models import AuditEntry
from coc_admin.pager import Column, Keyset, Page, Place
from orders import reasons
from orders.models import ActorKind, EventKind, Order, OrderEvent, Site

PAGE = 50
# Rows that an export reads at a time. A server-side cursor would end with its transaction, after
# which a pooler gives the connection away.
_CHUNK = 1_000
# At equal times, activities of the audit log come first.
_AUDIT, _ORDER = 1, 0
_NEWEST_FIRST = Keyset(
    Column("at", datetime, True),
    Column("source", descending=True),
    Column("id", descending=True, attribute="key"),
)
_LABELS = dict(EventKind.choices)
# Kinds of objects in the audit log; an object is found by its key under each.
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
    """One action of a person; `order` is set for changes of an order's state."""

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
    """The filters; empty means everything."""

    person: str = ""
    kind: str = ""  # one of KINDS
    target: str = ""  # an order number, a site, a user name, or `kind:key`
    since: datetime | None = None
    until: datetime | None = None


def page_of_activities(wanted: Wanted, *, cursor: str) -> Page[Activity]:
    """Return the page at `cursor`, the newest first; an invalid cursor means the start."""

    def fetch(place: Place | None, most: int) -> list[Activity]:
        return list(islice(_merged(wanted, place, most=most), most))

    return _NEWEST_FIRST.page_from(fetch, cursor, size=PAGE)


def activities(wanted: Wanted, *, most: int) -> Iterator[Activity]:
    """Yield up to `most` activities of each source, the newest first."""
    sources = (_in_pages(read, rows, most=most) for read, rows in _sources(wanted))
    return heapq.merge(*sources, key=lambda activity: activity.place, reverse=True)


def _in_pages(
    read: Callable[[Any], Activity], rows: QuerySet[Any], *, most: int
) -> Iterator[Activity]:
    """Yield up to `most` rows, the newest first, with only one page of them in memory."""
    place = None
    for start in range(0, most, _CHUNK):
        wanted = min(_CHUNK, most - start)
        found = [read(row) for row in _turn(rows, place, most=wanted)]
        yield from found
        if len(found) < wanted:
            return
        place = Place(found[-1].place)


def _merged(wanted: Wanted, place: Place | None, *, most: int) -> Iterator[Activity]:
    backwards = place is not None and place.backwards
    found = [map(read, _turn(rows, place, most=most)) for read, rows in _sources(wanted)]
    return heapq.merge(*found, key=lambda activity: activity.place, reverse=not backwards)


def _sources(wanted: Wanted) -> tuple[tuple[Callable[[Any], Activity], QuerySet[Any]], ...]:
    return (
        (_of_entry, _entries(wanted).alias(source=Value(_AUDIT))),
        (_of_event, _events(wanted).alias(source=Value(_ORDER))),
    )


def _turn(rows: QuerySet[Any], place: Place | None, *, most: int) -> QuerySet[Any]:
    """Return up to `most` rows of a source after a place, in its direction."""
    backwards = place is not None and place.backwards
    beyond = rows if place is None else rows.filter(_NEWEST_FIRST.beyond(place))
    return beyond.order_by(*(("at", "id") if backwards else ("-at", "-id")))[:most]


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
    # An export of 100,000 lines reads as many orders but needs two columns of them.
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
    """Return the orders with that number, one per site; naming the sites lets the index answer."""
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
        action=str(_LABELS.get(event.kind, event.kind)),
        target=f"order:{event.order.site_id}/{event.order.order_no}",
        detail={},
        reason=reasons.read(event.reason, event.reason_codes),
        order=event.order,
    )

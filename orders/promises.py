"""The queue of promises: an undecided short order keeps its place for stock that arrives.

A `Promise` row says where to look. Whether the place counts follows from the order: it is short and
undecided, its site keeps promises, no promised date has passed, and units of the SKU are open.
The oldest promise by capture comes first, and every promise comes before live orders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum

from orders import events, ledger, lifecycle
from orders.actors import Actor
from orders.errors import CannotRemedy
from orders.fields import ZERO
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import SHORT_STATES, EventKind, Hold, InventoryRecord, Order, OrderItem, Promise
from orders.models.inventory import OPEN_HOLDS
from orders.models.orders import UNSETTLED
from orders.reasons import say
from orders.refusals import moved_on
from orders.units import open_units

# OCI is asked again for an unchanged figure after 10 seconds, then 20, up to an hour.
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(hours=1)
_MOST_DOUBLINGS = 9
# A run that was started and has not answered is not started once more before.
_PATIENCE = timedelta(seconds=30)


def _open_item() -> Subquery:
    """Return an open item of a promise's SKU as SQL, by the index `items_of_order_by_sku`.

    A value and no EXISTS: PostgreSQL makes a join of that, and while it has no statistics it reads
    all items of an order for each of its promises.
    """
    items = OrderItem.objects.order_by().alias(open_units=open_units()).filter(open_units__gt=0)
    of_promise = items.filter(
        order=OuterRef("order"),
        inventory_list=OuterRef("record__inventory_list"),
        sku=OuterRef("record__sku"),
    )
    return Subquery(of_promise.values("pk")[:1])


def kept(now: datetime) -> QuerySet[Promise]:
    """Return the promises that keep their place at `now`."""
    in_time = Q(order__promised_until=None) | Q(order__promised_until__gt=now)
    return Promise.objects.alias(open_item=_open_item()).filter(
        in_time,
        lifecycle.open_to(Action.KEEP_PLACE, "order__"),
        open_item__isnull=False,
        order__site__keeps_promises=True,
    )


def of_keys(keys: Iterable[Key]) -> Q:
    """Return the condition that a promise is for one of these SKUs."""
    found = Q(pk__in=[])
    for list_id, skus in ledger.skus_by_list(sorted(keys)).items():
        found |= Q(record__inventory_list=list_id, record__sku__in=skus)
    return found


def can_use_units() -> Q:
    """Return the condition that OCI may have units for a promise, as far as figures tell.

    Not while it was short for the promise at the known figure. A figure of zero proves
    nothing about the next one, and costs nothing: no order gets past it. A SKU without a
    figure is not counted, so arrivals can't be noticed.
    """
    known = Q(record__snapshot_ato__isnull=False)
    return known & ~Q(is_refused=True, record__snapshot_ato__gt=0)


def arrived(now: datetime) -> QuerySet[Promise]:
    """Return the kept promises for which stock has arrived, oldest first.

    A figure counts that OCI gave after its last answer, and for which it was not asked yet or is to
    be asked once more.
    """
    newer = Q(record__snapshot_ato__gt=0, record__snapshot_at__gt=F("answered_at"))
    found = kept(now).filter(newer, Q(is_asked=False) | Q(retry_at__lte=now))
    return found.order_by("order__captured_at", "order_id", "pk")


def note_short(order_ids: Collection[int], *, now: datetime) -> None:
    """Note that OCI was just short for orders; in the transaction that writes its answer down."""
    found = _records_lacked(order_ids)
    rows = Promise.objects.filter(order__in=order_ids).order_by("pk")
    for row in rows.select_for_update():
        if found.pop((row.order_id, row.record_id), None) is not None:
            _refuse(row, now)
    _add(found, now=now, is_answered=True)


def note_open(order_ids: Collection[int], *, now: datetime) -> None:
    """Give short orders a place that have none: nobody knows at which figure OCI was short."""
    found = _records_lacked(order_ids)
    for known in Promise.objects.filter(order__in=order_ids).values_list("order", "record"):
        found.pop(known, None)
    _add(found, now=now, is_answered=False)


def _records_lacked(order_ids: Collection[int]) -> dict[tuple[int, int], InventoryRecord]:
    """Return the records of what short orders lack, by order and record; two queries."""
    short = OrderItem.objects.filter(order__in=order_ids, order__reservation_state__in=SHORT_STATES)
    lacking = short.alias(open_units=open_units()).filter(open_units__gt=0).order_by()
    wanted = set(lacking.values_list("order_id", "inventory_list_id", "sku"))
    if not wanted:
        return {}
    records = ledger.records_of({(list_id, sku) for _, list_id, sku in wanted})
    found = {}
    for order_id, list_id, sku in sorted(wanted):
        record = records.get((list_id, sku))
        if record is not None:
            found[(order_id, record.pk)] = record
    return found


def _add(
    found: Mapping[tuple[int, int], InventoryRecord], *, now: datetime, is_answered: bool
) -> None:
    Promise.objects.bulk_create(
        [
            Promise(
                order_id=order_id,
                record_id=record_id,
                answered_at=now,
                is_refused=is_answered,
                is_asked=is_answered,
                retry_at=now + _FIRST_PAUSE,
            )
            for order_id, record_id in sorted(found)
        ],
        ignore_conflicts=True,
    )


def _refuse(row: Promise, now: datetime) -> None:
    """Note that OCI was short for a promise; at which figure is known if a run was started for it.

    If not, the figure may have changed since OCI was asked, and is tried once.
    """
    refusals = row.refusals + 1 if row.is_refused else 0
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(refusals, _MOST_DOUBLINGS))
    Promise.objects.filter(pk=row.pk).update(
        answered_at=now, is_refused=row.is_asked, refusals=refusals, retry_at=now + pause
    )


def note_asked(rows: Iterable[Promise], *, actor: Actor, now: datetime) -> None:
    """Record in the orders' history that a run was started because stock arrived.

    In the transaction that starts the run.
    """
    rows = sorted(rows, key=lambda row: row.pk)
    # The order first, as everyone who writes to its promises does.
    orders = Order.objects.filter(pk__in={row.order_id for row in rows}).order_by("pk")
    list(orders.select_for_update().values_list("pk", flat=True))
    told: dict[int, list[Promise]] = defaultdict(list)
    for row in rows:
        told[row.order_id].append(row)
        # Not if the figure has changed since it was read: that one is then asked for next.
        same = Promise.objects.filter(pk=row.pk, record__snapshot_ato=row.record.snapshot_ato)
        same.update(is_asked=True, retry_at=now + _PATIENCE)
    events.record_all(
        events.build(
            order=mine[0].order,
            kind=EventKind.STOCK_ARRIVED,
            actor=actor,
            reason=say("stock_arrived", skus=", ".join(sorted(row.record.sku for row in mine))),
            now=now,
        )
        for mine in told.values()
    )


def tidy(*, now: datetime, limit: int = 500) -> int:
    """Drop the rows of decided orders, and make those that short orders lack; return how many.

    Orders lack them that a version without promises has answered, and those opened again.
    """
    decided = Promise.objects.exclude(order__in=Order.objects.filter(UNSETTLED).values("pk"))
    lacking = Order.objects.oversold().exclude(Exists(Promise.objects.filter(order=OuterRef("pk"))))
    with transaction.atomic():
        old = list(decided.order_by("pk").select_for_update(of=("self",))[:limit])
        Promise.objects.filter(pk__in=[row.pk for row in old]).delete()
        ids = list(lacking.values_list("pk", flat=True)[:limit])
        note_open(ids, now=now)
    return len(old) + len(ids)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one order is promised of a SKU and does not hold yet."""

    key: Key
    captured_at: datetime
    order_id: int
    units: Decimal


def promised_units(keys: Collection[Key], *, now: datetime) -> dict[Key, Decimal]:
    """Return what kept promises want of SKUs and do not hold yet; three queries."""
    found: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for one in wanted(keys, now=now):
        found[one.key] += one.units
    return dict(found)


def wanted(keys: Collection[Key], *, now: datetime) -> list[Wanted]:
    """Return what kept promises want of SKUs; three queries."""
    return _wanted(kept(now).filter(of_keys(keys)))


def usable(keys: Collection[Key], *, now: datetime) -> list[Wanted]:
    """Return what kept promises want of SKUs where OCI may have units for them; three queries."""
    return _wanted(kept(now).filter(of_keys(keys), can_use_units()))


def before(queue: Iterable[Wanted], order: Order, key: Key) -> Decimal:
    """Return the units of a SKU that are promised to orders older than `order`; no query."""
    rank = (order.captured_at, order.pk)
    mine = (one for one in queue if one.key == key)
    return sum((one.units for one in mine if (one.captured_at, one.order_id) < rank), ZERO)


def _wanted(rows: QuerySet[Promise]) -> list[Wanted]:
    promises = {
        (row.order_id, row.record_id): row for row in rows.select_related("record", "order")
    }
    if not promises:
        return []
    order_ids = {order_id for order_id, _ in promises}
    open_rows = OrderItem.objects.filter(order__in=order_ids).order_by()
    open_by = {
        (row["order"], row["inventory_list"], row["sku"]): row["n"]
        for row in open_rows.values("order", "inventory_list", "sku").annotate(n=Sum(open_units()))
    }
    holds = Hold.objects.filter(order__in=order_ids, state__in=OPEN_HOLDS)
    held = {(h.order_id, h.record_id): h.quantity for h in holds}
    found = []
    for (order_id, record_id), row in promises.items():
        key = (row.record.inventory_list_id, row.record.sku)
        left = open_by.get((order_id, *key), ZERO) - held.get((order_id, record_id), ZERO)
        found.append(Wanted(key, row.order.captured_at, order_id, max(ZERO, left)))
    return found


def places_of(order_ids: Collection[int], *, now: datetime) -> Mapping[int, dict[str, int]]:
    """Return the place of each order in the queue for each SKU that it is promised, from 1 up.

    Two queries. An order that keeps no place is not in the result.
    """
    mine = list(
        kept(now)
        .filter(order__in=order_ids)
        .values_list("order_id", "order__captured_at", "record_id", "record__sku")
    )
    if not mine:
        return {}
    queues: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    rows = kept(now).filter(record__in={record for _, _, record, _ in mine})
    for at, order_id, record in rows.values_list("order__captured_at", "order_id", "record_id"):
        queues[record].append((at, order_id))
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for order_id, at, record, sku in mine:
        found[order_id][sku] = 1 + sum(rank < (at, order_id) for rank in queues[record])
    return dict(found)


def overdue(now: Any) -> QuerySet[Order]:
    """Return undecided short orders that lost their place, since their promised date has passed.

    `now` is a moment or an expression.
    """
    late = Order.objects.filter(lifecycle.open_to(Action.KEEP_PLACE), promised_until__lte=now)
    return late.filter(UNSETTLED).order_by("captured_at", "id")


def set_date(
    *, order_id: int, until: datetime | None, actor: Actor, reason: str, now: datetime
) -> Order:
    """Promise a date for a short order, or take it back; the same date changes nothing.

    With a date the order keeps its place until then, without one for good. Raises CannotRemedy.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.promised_until == until:
            return order
        lifecycle.require(order, Action.KEEP_PLACE, CannotRemedy)
        won = Order.objects.filter(
            lifecycle.open_to(Action.KEEP_PLACE),
            pk=order_id,
            promised_until=order.promised_until,
        ).update(promised_until=until)
        if not won:
            raise CannotRemedy(moved_on())
        order.promised_until = until
        events.record(
            order=order,
            kind=EventKind.PROMISED,
            actor=actor,
            reason=reason,
            now=now,
            data={"until": until.isoformat() if until else None},
        )
        return order

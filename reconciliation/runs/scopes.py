"""Which orders a reconciliation takes, and in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from orders import lifecycle, promises
from orders.fields import ZERO
from orders.lifecycle import Action
from orders.models import Order, OrderItem, Promise, ReservationState
from orders.models.orders import OrderQuerySet
from orders.units import open_units
from reconciliation.models import EntryState, Run, RunEntry, Scope
from reconciliation.runs import planner
from reconciliation.runs.planner import Demand

# Of so many orders a dry run within a request forecasts the outcome.
ROUND = 2_000
# So many are planned at once: a run plans on while it works, and must not stop for it.
PORTION = 500
_CHUNK = 500
# Few enough that PostgreSQL looks their items up, and that SQLite takes them as parameters.
_WALKED = 2_000
# Orders that want a SKU are found by it as long as all its orders of all years are few.
_FEW = 100

Rank = tuple[datetime, int]
"""Time of capture and sequence: what is lower is served first."""


class TooMany(Exception):
    """A scope has more orders, with those ahead of them, than the caller can plan."""


def orders_in(scope: Scope | str, data: Mapping[str, Any]) -> Any:
    """Return the orders of a scope, oldest first.

    `data` narrows it: `site`, or a list of `sites`; `run` (for run_failures); `orders`, a list
    of primary keys; `sku` and `list`. Of promised orders (`orders`) all that wait come with them:
    new orders queue behind a promise only while it has its turn.
    """
    waiting = Order.objects.waiting()
    # A remedy that is open may end before the order's turn; the worker asks again then.
    short = lifecycle.open_to(Action.RESERVE_AGAIN, ignoring=["open_remedy"])
    oversold = Order.objects.filter(short).order_by("captured_at", "id")
    both = Order.objects.filter(
        Q(pk__in=waiting.order_by().values("pk")) | Q(pk__in=oversold.order_by().values("pk"))
    ).order_by("captured_at", "id")
    found = waiting
    if scope == Scope.OVERSOLD:
        found = oversold
    elif scope == Scope.RUN_FAILURES:
        found = both.filter(
            pk__in=RunEntry.objects.filter(
                run_id=data["run"],
                state__in=[EntryState.PARTIAL, EntryState.NOTHING, EntryState.OCI_OFFLINE],
            ).values("order")
        )
    elif scope == Scope.ORDERS:
        found = both.filter(pk__in=data["orders"])
    elif scope == Scope.PROMISES:
        found = Order.objects.filter(
            Q(pk__in=waiting.order_by().values("pk"))
            | Q(pk__in=oversold.order_by().filter(pk__in=data.get("orders", [])).values("pk"))
        ).order_by("captured_at", "id")
    elif scope == Scope.SKU:
        items = OrderItem.objects.filter(sku=data["sku"])
        if data.get("list"):
            items = items.filter(inventory_list=data["list"])
        found = both.filter(pk__in=items.values("order"))
    if data.get("site"):
        return found.filter(site=data["site"])
    return found.filter(site__in=data["sites"]) if "sites" in data else found


def demands_of(order_ids: Sequence[int]) -> list[Demand]:
    """Return what orders still lack, in the order given."""
    units: dict[int, dict[planner.Key, Decimal]] = {
        pk: defaultdict(lambda: ZERO) for pk in order_ids
    }
    for start in range(0, len(order_ids), _CHUNK):
        items = OrderItem.objects.filter(order__in=order_ids[start : start + _CHUNK])
        rows = items.annotate(open_units=open_units()).filter(open_units__gt=0)
        for pk, list_id, sku, lacking in rows.values_list(
            "order", "inventory_list", "sku", "open_units"
        ):
            units[pk][(list_id, sku)] += lacking
    return [Demand(pk, dict(units[pk])) for pk in order_ids]


def _demands(order_ids: Sequence[int]) -> Iterator[Demand]:
    """Yield what orders lack, a part at a time: of a whole backlog it would fill the memory."""
    for start in range(0, len(order_ids), _WALKED):
        yield from demands_of(order_ids[start : start + _WALKED])


def round_of(
    scope: Scope | str,
    data: Mapping[str, Any],
    *,
    now: datetime,
    run: Run | None = None,
    whole: bool = False,
    at_most: int | None = None,
) -> list[int]:
    """Return the next orders of a scope, oldest first, and those ahead of them.

    `PORTION` orders for a run, `ROUND` without one, with `whole` all of them. Raises TooMany if
    those ahead make them more than `at_most`.

    A scope that leaves out an earlier order that waits for one of the same SKUs, or that keeps its
    place for it, takes it along: oldest first holds whatever was chosen (promise 4). Orders that
    `run` has had are left out; an order behind one of these for which stock has arrived since is
    left to the next run.
    """
    # Read once, whatever the database knows of the table: without statistics PostgreSQL compares
    # each order with each entry when it is asked about one order after the other.
    had = Q(pk__in=RunEntry.objects.filter(run=run).values("order"))
    size = None if whole else ROUND if run is None else PORTION
    chosen = orders_in(scope, data).exclude(had)[:size]
    ranks = {pk: (at, pk) for pk, at in chosen.values_list("pk", "captured_at")}
    takes_all = scope in (Scope.MISSING, Scope.PROMISES) and not (
        data.get("site") or "sites" in data
    )
    # Of an empty table PostgreSQL knows nothing, and reads every order to ask about promises.
    has_promises = Promise.objects.exists()
    promised = _promised(had, now)
    if takes_all and has_promises:
        _add_arrived(ranks, had, now=now)
    if has_promises and promised.exists():
        ahead = promised if takes_all else _waiting_too(promised, had)
        _add_those_ahead(ranks, ahead, at_most=at_most)
    elif not takes_all:
        _add_those_ahead(ranks, Order.objects.waiting().exclude(had), at_most=at_most)
    order_ids = sorted(ranks, key=ranks.__getitem__)
    return _before_arrived(order_ids, run, now=now) if run and has_promises else order_ids


def _waiting_too(promised: OrderQuerySet, had: Q) -> OrderQuerySet:
    waiting = Order.objects.waiting().exclude(had).order_by()
    return Order.objects.filter(Q(pk__in=promised.values("pk")) | Q(pk__in=waiting.values("pk")))


def _promised(had: Q, now: datetime) -> OrderQuerySet:
    """Return the orders that keep a place in the queue for stock, but for those that `had`."""
    kept = promises.kept(now).order_by().values("order")
    return Order.objects.filter(pk__in=kept).exclude(had)


def _add_arrived(ranks: dict[int, Rank], had: Q, *, now: datetime) -> None:
    """Add the promised orders for which stock has arrived: a long run must not hold them up."""
    arrived = promises.arrived(now).order_by().values("order")
    found = Order.objects.filter(pk__in=arrived).exclude(had).order_by("captured_at", "id")
    ranks.update((pk, (at, pk)) for pk, at in found.values_list("pk", "captured_at")[:PORTION])


def _before_arrived(order_ids: list[int], run: Run, *, now: datetime) -> list[int]:
    """Leave out orders behind a promise that `run` has served and that may get more by now."""
    had = RunEntry.objects.filter(run=run).exclude(state=EntryState.PENDING).values("order")
    again = promises.arrived(now).filter(order__in=had)
    first: dict[planner.Key, Rank] = {}
    rows = again.values_list("order__captured_at", "order", "record__inventory_list", "record__sku")
    for at, pk, list_id, sku in rows:
        first.setdefault((list_id, sku), (at, pk))
    if not first:
        return order_ids
    captured = dict(Order.objects.filter(pk__in=order_ids).values_list("pk", "captured_at"))
    return [
        demand.order_id
        for demand in demands_of(order_ids)
        if all(
            key not in first or (captured[demand.order_id], demand.order_id) < first[key]
            for key in demand.units
        )
    ]


def _add_those_ahead(
    ranks: dict[int, Rank], waiting: OrderQuerySet, *, at_most: int | None
) -> None:
    """Add to `ranks` the orders of `waiting` that are ahead of its orders at one of their SKUs.

    `waiting` may hold short orders that keep their place; only what they lack counts. Raises
    TooMany when `ranks` would have more than `at_most`.
    """
    last: dict[planner.Key, Rank] = {}
    fresh = list(ranks)
    while fresh:
        # Those before what was `last` so far are known: only what moves it asks for more.
        moved: dict[planner.Key, Rank] = {}
        for demand in _demands(fresh):
            rank = ranks[demand.order_id]
            for key in demand.units:
                if key not in last or rank > last[key]:
                    last[key] = moved[key] = rank
        found = set()
        for rank in _ahead(moved, waiting, known=ranks):
            if rank[1] not in ranks:
                found.add(rank)
            if at_most is not None and len(ranks) + len(found) > at_most:
                raise TooMany
        fresh = [pk for _, pk in found]
        ranks.update((pk, (at, pk)) for at, pk in found)


def _ahead(
    last: Mapping[planner.Key, Rank], waiting: OrderQuerySet, *, known: Collection[int]
) -> Iterator[Rank]:
    """Yield the orders of `waiting` before the rank that is `last` for a key that they want.

    Those that are `known` may be left out.
    """
    if not last:
        return
    skus = sorted({sku for _, sku in last})
    earlier = waiting.order_by().filter(captured_at__lte=max(last.values())[0])
    for rows in _walk(earlier, skus, known):
        # What a waiting order wants, and what a short one lacks.
        rows = rows.alias(lacking=open_units("items__")).filter(
            Q(reservation_state=ReservationState.MISSING) | Q(lacking__gt=0)
        )
        wanted = rows.values_list("captured_at", "pk", "items__inventory_list", "items__sku")
        for at, pk, list_id, sku in wanted.iterator():
            key = (list_id, sku)
            if key in last and (at, pk) < last[key]:
                yield (at, pk)


def _walk(
    earlier: QuerySet[Order], skus: Sequence[str], known: Collection[int]
) -> Iterator[QuerySet[Order]]:
    """Yield `earlier` in parts that hold every order that may want one of `skus`.

    Few SKUs lead to their orders. Many are wanted by most orders that wait: these come from the
    index of what waits, and lead to their items. A join of both has PostgreSQL read every item.
    """
    if len(skus) <= _FEW:
        yield earlier.filter(items__sku__in=skus)
        return
    unknown = [pk for pk in earlier.values_list("pk", flat=True) if pk not in known]
    for start in range(0, len(unknown), _WALKED):
        yield Order.objects.order_by().filter(pk__in=unknown[start : start + _WALKED])

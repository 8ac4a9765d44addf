"""The summary that the home page, `GET /status`, the metrics and the alerts share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Exists, Min, OuterRef, QuerySet, Sum

from orders.fields import ZERO
from orders.models import Order
from orders.models.orders import OrderQuerySet
from orders.units import ordered_of, unit_sums
from reconciliation import connection
from reconciliation.models import (
    ConnectionState,
    EntryState,
    OfflineCause,
    Outage,
    PlannedOutage,
    Run,
    RunEntry,
)
from reconciliation.outages import planned


@dataclass(frozen=True, slots=True)
class Waiting:
    """Accepted orders without a reservation: how many, their units, value and age."""

    orders: int = 0
    units: Decimal = ZERO
    value: Mapping[str, Decimal] = field(default_factory=dict)  # by currency
    oldest_captured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run and the current number of its orders in each state."""

    run: Run
    counts: Mapping[EntryState, int]

    @property
    def total(self) -> int:
        """Orders in the run."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Orders that the run is through with."""
        return self.total - self.counts.get(EntryState.PENDING, 0)

    @property
    def short(self) -> int:
        """Orders that ended partially or not reserved."""
        return self.counts.get(EntryState.PARTIAL, 0) + self.counts.get(EntryState.NOTHING, 0)


@dataclass(frozen=True, slots=True)
class Status:
    """The status. `since` is when the connection entered its state.

    `offline_since` is when the outage that is not over yet began (the first call without an
    answer), or None without one. `recovered_at` is when it last came back. `window` is the planned
    outage that holds the connection offline.
    """

    connection: ConnectionState
    since: datetime
    cause: OfflineCause
    reason: str
    forced_by: str
    window: PlannedOutage | None
    last_good_at: datetime | None
    recovered_at: datetime | None
    outage: Outage | None
    waiting: Waiting
    review: int
    oversold: int
    last_run: LastRun | None

    @property
    def offline_since(self) -> datetime | None:
        """When the outage that is not over yet began."""
        return None if self.outage is None else self.outage.lost_at


def summary(*, sites: Collection[str] | None = None) -> Status:
    """Return where things stand now, of these sites or of all.

    Seven small queries, eight while the connection is forced offline. The last run is the
    newest of all, and its counts are those of all sites.
    """
    orders = Order.objects.all() if sites is None else Order.objects.filter(site__in=sites)
    link = connection.current()
    return Status(
        connection=ConnectionState(link.state),
        since=link.since,
        cause=OfflineCause(link.cause),
        reason=link.reason,
        forced_by=link.forced_by,
        window=planned.holder(link),
        last_good_at=link.last_good_at,
        recovered_at=link.recovered_at,
        outage=Outage.objects.filter(is_open=True).first(),
        waiting=sum_up(orders.waiting()),
        review=orders.needing_review().count(),
        oversold=orders.oversold().count(),
        last_run=last_run(),
    )


def sum_up(orders: QuerySet[Order]) -> Waiting:
    """Return number, units, value by currency and age of `orders`; one query."""
    rows = list(
        orders.order_by()
        .values("currency")
        .annotate(
            number=Count("id"),
            value=Sum("order_total"),
            oldest=Min("captured_at"),
            **unit_sums(),
        )
        .order_by("currency")
    )
    if not rows:
        return Waiting()
    return Waiting(
        orders=sum(row["number"] for row in rows),
        units=ordered_of(rows, orders=orders),
        value={row["currency"]: row["value"] for row in rows},
        oldest_captured_at=min(row["oldest"] for row in rows),
    )


def last_run() -> LastRun | None:
    """Return the newest run with its counts, or None before the first; two queries."""
    run = Run.objects.order_by("-id").first()
    return None if run is None else LastRun(run=run, counts=counts_of(run))


def counts_of(run: Run) -> dict[EntryState, int]:
    """Return how many orders of `run` are in each state; states without an order are left out."""
    # Of an entry nothing is read but what `entries_by_state` has.
    rows = RunEntry.objects.filter(run=run).order_by().values("state").annotate(number=Count("*"))
    return {EntryState(row["state"]): row["number"] for row in rows}


def open_shortages(orders: OrderQuerySet) -> QuerySet[RunEntry]:
    """Return what ended runs left short of `orders` and nobody has settled: one entry an order.

    An order that several runs left short belongs to the last of them. While a later run is still
    active the earlier one keeps it, so that each order counts once at any time.
    """
    short = RunEntry.objects.filter(
        state__in=[EntryState.PARTIAL, EntryState.NOTHING], run__is_active=False
    )
    later = short.filter(order=OuterRef("order"), run__gt=OuterRef("run"))
    oversold = short.filter(order__in=orders.oversold().order_by())
    return oversold.exclude(Exists(later)).order_by()

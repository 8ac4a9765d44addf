"""Figures of an outage: the orders captured during it, and their outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from django.db.models import Count, DateTimeField, IntegerField, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Trunc
from django.utils.translation import gettext as _

from orders import first_shortage
from orders.fields import ZERO
from orders.first_shortage import EVER_SHORT
from orders.models import Order, OrderStatus, ReservationState
from orders.units import ordered_of, unit_sums
from reconciliation.models import Outage
from reconciliation.outages.demand import captured_during

POINTS = 24


@dataclass(frozen=True, slots=True)
class Counts:
    """Orders captured during an outage, and how many of them were oversold."""

    captured: int = 0
    oversold: int = 0


def counts_of_outages(
    outages: Sequence[Outage], *, site_ids: Collection[str] | None = None
) -> dict[int, Counts]:
    """Return the counts of each outage by its primary key, of these sites or all; one query."""
    counted = [
        captured_during(outage, site_ids=site_ids)
        .values(outage=Value(outage.pk, output_field=IntegerField()))
        .annotate(captured=Count("pk"), oversold=Count("pk", filter=EVER_SHORT))
        for outage in outages
    ]
    if not counted:
        return {}
    rows = counted[0].union(*counted[1:], all=True)
    return {row["outage"]: Counts(row["captured"], row["oversold"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the orders captured during an outage, with all their units and totals."""

    orders: int
    units: Decimal
    value: Mapping[str, Decimal]  # by currency


@dataclass(frozen=True, slots=True)
class Figures:
    """Orders captured during an outage. The outcomes add up to `orders`."""

    orders: int
    units: Decimal
    value: Mapping[str, Decimal]  # by currency
    outcomes: Sequence[tuple[str, int]]  # label, orders
    oversold: int
    short: first_shortage.Missed  # what the oversold orders lacked at first
    # `reserved` in full at once, `lacking` (oversold) and `unsettled` (neither yet) are all orders.
    reserved: Part
    lacking: Part
    unsettled: Part
    sites: Sequence[str]

    @property
    def oversold_percent(self) -> Decimal:
        """Oversold orders of a hundred captured ones, with one decimal."""
        return round(Decimal(100 * self.oversold) / self.orders, 1) if self.orders else ZERO


@dataclass(frozen=True, slots=True)
class Ends:
    """Orders captured during an outage, and how many of them are reserved in full and accepted."""

    orders: int
    reserved: int

    @property
    def others(self) -> int:
        """Those that ended otherwise: cancelled, replaced, settled outside or open."""
        return self.orders - self.reserved


def ends_of(outage: Outage, *, site_ids: Collection[str] | None = None) -> Ends:
    """Return how the orders captured during `outage` ended, at these sites or all; one query."""
    reserved = Q(status=OrderStatus.NEW, reservation_state=ReservationState.COMPLETE)
    counts = captured_during(outage, site_ids=site_ids).aggregate(
        orders=Count("pk"), reserved=Count("pk", filter=reserved)
    )
    return Ends(**counts)


_SETTLED = (ReservationState.COMPLETE, ReservationState.PARTIAL, ReservationState.NOTHING)


def figures_of(outage: Outage, *, site_ids: Collection[str] | None = None) -> Figures:
    """Return what was captured during `outage`, at these sites or at all; usually one query."""
    orders = captured_during(outage, site_ids=site_ids).order_by()
    groups = list(
        first_shortage.with_ever_short(orders)
        .values("site", "currency", "status", "reservation_state", "ever_short")
        .annotate(
            number=Count("pk"),
            reviewed=Count("needs_review_since"),
            value=Sum("order_total"),
            **first_shortage.sums(),
            **unit_sums(),
        )
        .order_by("currency", "site")
    )
    outcomes: dict[str, int] = {str(state.label): 0 for state in _SETTLED}
    waiting, review = _("Waiting"), _("Needs review")
    cancelled = _("Cancelled while waiting")
    outcomes |= {waiting: 0, review: 0, cancelled: 0}
    value: dict[str, Decimal] = defaultdict(lambda: ZERO)
    oversold = 0
    for group in groups:
        state = ReservationState(group["reservation_state"])
        value[group["currency"]] += group["value"]
        oversold += group["number"] if group["ever_short"] else 0
        if state in _SETTLED:
            outcomes[str(state.label)] += group["number"]
        elif group["status"] in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
            outcomes[cancelled] += group["number"]
        else:
            outcomes[review] += group["reviewed"]
            outcomes[waiting] += group["number"] - group["reviewed"]
    parts = _parts(groups, orders)
    return Figures(
        orders=sum(outcomes.values()),
        units=sum((part.units for part in parts.values()), ZERO),
        value=dict(value),
        outcomes=[(label, n) for label, n in outcomes.items() if n or label != review],
        oversold=oversold,
        short=first_shortage.missed_in(groups, orders=orders),
        **parts,
        sites=sorted({group["site"] for group in groups}),
    )


def _parts(groups: Sequence[Mapping[str, Any]], orders: QuerySet[Order]) -> dict[str, Part]:
    complete = Q(reservation_state=ReservationState.COMPLETE)
    conditions = {
        "reserved": complete & ~EVER_SHORT,
        "lacking": EVER_SHORT,
        "unsettled": ~complete & ~EVER_SHORT,
    }
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in conditions}
    for group in groups:
        if group["ever_short"]:
            found["lacking"].append(group)
        elif group["reservation_state"] == ReservationState.COMPLETE:
            found["reserved"].append(group)
        else:
            found["unsettled"].append(group)
    return {name: _part(found[name], orders.filter(conditions[name])) for name in conditions}


def _part(groups: Sequence[Mapping[str, Any]], orders: QuerySet[Order]) -> Part:
    value: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for group in groups:
        value[group["currency"]] += group["value"]
    number = sum(group["number"] for group in groups)
    return Part(number, ordered_of(groups, orders=orders), dict(value))


@dataclass(frozen=True, slots=True)
class Point:
    """How many orders had been captured, and had been settled or cancelled, until a moment."""

    at: datetime
    captured: int
    drained: int

    @property
    def waiting(self) -> int:
        """Those that waited at that moment."""
        return self.captured - self.drained


def course_of(
    outage: Outage, *, now: datetime, site_ids: Collection[str] | None = None
) -> list[Point]:
    """Return how the backlog grew and went, at POINTS equal steps; two queries.

    What was drained is counted by seconds, minutes, hours or days, so that a long outage costs no
    more.
    """
    start, end = outage.lost_at, outage.drained_at or now
    step = max((end - start) / POINTS, timedelta(microseconds=1))
    orders = captured_during(outage, site_ids=site_ids)
    # An order that was cancelled while it waited was never reconciled.
    left = orders.annotate(moment=Coalesce("reconciled_at", "resolution_at"))
    drained = _by_time(left.filter(moment__lte=end), _unit(step))
    moments = [start + step * number for number in range(POINTS)] + [end]
    return [
        Point(at, captured_by, drained_by)
        for at, captured_by, drained_by in zip(
            moments, _captured_by(orders, moments), _sums(drained, moments), strict=True
        )
    ]


def _captured_by(orders: QuerySet[Order], moments: Sequence[datetime]) -> list[int]:
    """Return how many orders had been captured at each of `moments`; the last one has them all.

    Each span between two moments is a count of its own, in one query: grouping orders by the time
    of their capture takes three times as long as counting them.
    """
    starts, ends = [None, *moments[:-1]], [*moments[:-1], None]
    spans = []
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        span = orders if start is None else orders.filter(captured_at__gte=start)
        span = span if end is None else span.filter(captured_at__lt=end)
        named = span.values(place=Value(place, output_field=IntegerField()))
        spans.append(named.annotate(number=Count("pk")))
    rows = spans[0].union(*spans[1:], all=True)
    numbers = {row["place"]: row["number"] for row in rows}
    return list(accumulate(numbers.get(place, 0) for place in range(len(moments))))


def _unit(step: timedelta) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if step >= timedelta(seconds=length):
            return unit
    return "second"


def _by_time(orders: QuerySet[Order], unit: str) -> list[tuple[datetime, int]]:
    bucket = Trunc("moment", unit, output_field=DateTimeField(), tzinfo=UTC)
    return list(
        orders.annotate(bucket=bucket)
        .values("bucket")
        .annotate(number=Count("pk"))
        .order_by("bucket")
        .values_list("bucket", "number")
    )


def _sums(rows: Iterable[tuple[datetime, int]], moments: Sequence[datetime]) -> list[int]:
    """Return how many came before each of `moments`; the last one has them all."""
    rows = list(rows)
    sums = [sum(n for at, n in rows if at < moment) for moment in moments[:-1]]
    return [*sums, sum(n for _, n in rows)]

"""Orders by minute, for the curve on home: sampled by the monitor, so that home counts nothing.

An outage of a day among a million orders costs home as much as a quiet hour: one row a minute and
site is read, none of the orders.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncMinute

from orders import statement_limit
from orders.models import Order, OrderStatus, Site
from orders.standing_queries import Given, Look
from reconciliation.models import MinuteFigures

MINUTE = timedelta(minutes=1)
# Somewhat more than the longest curve.
KEEP = timedelta(hours=25)


@dataclass(frozen=True, slots=True)
class Minute:
    """Orders accepted in one minute, and how many waited and were short at its end."""

    at: datetime
    captured: int
    waiting: int
    short: int


def sample_if_changed(now: datetime) -> bool:
    """Sample, unless nothing can be other than it was at the last sample of this minute.

    Returns whether it did; one statement if not.
    """
    this = now.replace(second=0, microsecond=0)
    seen = _look(this=this, since=this - MINUTE)
    is_needed = not seen["sampled"] or any(seen[name] for name in _OPEN)
    if is_needed:
        sample(now)
    return is_needed


def _questions() -> dict[str, QuerySet[Any]]:
    of_this = MinuteFigures.objects.filter(minute=Given("this"))
    return {
        "sampled": of_this,
        "counted": of_this.exclude(captured=0, waiting=0, short=0),
        "captured": Order.objects.filter(captured_at__gte=Given("since")),
        "waiting": Order.objects.waiting(),
        "short": Order.objects.oversold(),
    }


_OPEN = ("counted", "captured", "waiting", "short")
_look = Look(_questions)


def sample(now: datetime) -> None:
    """Store the figures of this minute and count those captured in the last one; seven statements.

    Also forgets minutes that no curve shows any more.
    """
    this = now.replace(second=0, microsecond=0)
    with statement_limit.for_work():
        captured = _captured(since=this - MINUTE)
        waiting = _by_site(Order.objects.waiting())
        short = _by_site(Order.objects.oversold())
    rows = [
        MinuteFigures(
            site_id=site,
            minute=this,
            captured=captured.get((site, this), 0),
            waiting=waiting.get(site, 0),
            short=short.get(site, 0),
        )
        for site in Site.objects.order_by("pk").values_list("pk", flat=True)
    ]
    MinuteFigures.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["minute", "site"],
        update_fields=["captured", "waiting", "short"],
    )
    # How many waited at its end is known of a minute only if it was sampled then.
    last = list(MinuteFigures.objects.filter(minute=this - MINUTE))
    for row in last:
        row.captured = captured.get((row.site_id, row.minute), 0)
    MinuteFigures.objects.bulk_update(last, ["captured"])
    MinuteFigures.objects.filter(minute__lt=now - KEEP).delete()


def _captured(*, since: datetime) -> Mapping[tuple[str, datetime], int]:
    """Return how many orders were accepted, by site and minute."""
    orders = Order.objects.filter(captured_at__gte=since).exclude(status=OrderStatus.FAILED)
    rows = (
        orders.order_by()
        .annotate(minute=TruncMinute("captured_at", tzinfo=UTC))
        .values("site", "minute")
    )
    return {(row["site"], row["minute"]): row["n"] for row in rows.annotate(n=Count("pk"))}


def _by_site(orders: QuerySet[Order]) -> Mapping[str, int]:
    rows = orders.order_by().values("site").annotate(n=Count("pk"))
    return {row["site"]: row["n"] for row in rows}


def minutes_since(start: datetime, *, site_ids: Collection[str] | None = None) -> list[Minute]:
    """Return the known minutes from `start`, of these sites or all, oldest first; one query."""
    rows = MinuteFigures.objects.filter(minute__gte=start)
    if site_ids is not None:
        rows = rows.filter(site__in=site_ids)
    sums = (
        rows.order_by("minute")
        .values("minute")
        .annotate(all_captured=Sum("captured"), all_waiting=Sum("waiting"), all_short=Sum("short"))
    )
    return [
        Minute(row["minute"], row["all_captured"], row["all_waiting"], row["all_short"])
        for row in sums
    ]

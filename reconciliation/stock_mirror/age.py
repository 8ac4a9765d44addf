"""How old the figures of each list are: measured now and then, read anywhere by one small query."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from orders import reasons
from orders.models import InventoryRecord, PermittedList, Site
from orders.standing_queries import Given
from reconciliation.models import FeedState, StockFeed


@dataclass(frozen=True, slots=True)
class ListAge:
    """The figures of one list: how many, and how old half of them, 95 % and all are at most.

    `current_at` is as of when a feed knows all of them, None without one.
    """

    list_id: str
    state: FeedState
    records: int
    p50: timedelta
    p95: timedelta
    oldest: timedelta
    current_at: datetime | None
    exported_at: datetime | None
    last_error: str
    last_error_codes: object

    @property
    def error(self) -> str:
        """What went wrong last, in the active language; empty if all is well."""
        return reasons.read(self.last_error, self.last_error_codes)

    @property
    def is_kept(self) -> bool:
        """Whether the promise of age is kept: 95 % of the figures are young enough."""
        return self.p95 <= promise()


def promise() -> timedelta:
    """Return how old the figures of a list may be while the connection is online."""
    return timedelta(seconds=settings.COC_STOCK_MAX_AGE)


def ages(now: datetime, *, lists: Collection[str] | None = None) -> list[ListAge]:
    """Return the age of every list that has figures, or of `lists`; one query."""
    feeds = StockFeed.objects.filter(records__gt=0)
    if lists is not None:
        feeds = feeds.filter(pk__in=lists)
    return [_age(feed, now) for feed in feeds.order_by("pk")]


def of_sites(site_ids: Collection[str], now: datetime) -> list[ListAge]:
    """Return the age of the lists that these sites sell from, each list once."""
    own = Site.objects.filter(pk__in=site_ids).values_list("inventory_list", flat=True)
    more = PermittedList.objects.filter(site__in=site_ids).values_list("inventory_list", flat=True)
    return ages(now, lists={*own, *more})


def broken(now: datetime) -> list[ListAge]:
    """Return the lists that a site sells from and whose promise of age is broken."""
    sold = {
        *Site.objects.values_list("inventory_list", flat=True),
        *PermittedList.objects.values_list("inventory_list", flat=True),
    }
    return [age for age in ages(now, lists=sold) if not age.is_kept]


def too_old(now: Given) -> QuerySet[StockFeed]:
    """Return the lists whose promise of age is broken at `now`, sold from or not."""
    since = Given(now.name, less=promise)
    unknown, old = Q(p95_at=None, current_at=None), Q(p95_at__lt=since) | Q(p95_at=None)
    old &= Q(current_at__lt=since) | Q(current_at=None)
    return StockFeed.objects.filter(old & ~unknown, records__gt=0)


def measure(feed: StockFeed) -> None:
    """Measure as of when the figures of one list are known; a count and at most three look-ups."""
    all_of_list = InventoryRecord.objects.filter(
        inventory_list=feed.pk, snapshot_at__isnull=False, snapshot_ato__isnull=False
    )
    floor = feed.current_at
    newer = all_of_list.filter(snapshot_at__gt=floor) if floor else all_of_list
    count = all_of_list.count()
    # What a feed knows as of `floor` is as young as that, whenever it last changed.
    known = count - newer.count() if floor else 0
    moments = newer.order_by("snapshot_at").values_list("snapshot_at", flat=True)

    def as_of(place: int) -> datetime | None:
        if not count or place < known:
            return floor if count else None
        return next(iter(moments[place - known : place - known + 1]), floor)

    StockFeed.objects.filter(pk=feed.pk).update(
        records=count,
        p50_at=as_of(count // 2),
        p95_at=as_of(count // 20),
        oldest_at=as_of(0),
    )


def _age(feed: StockFeed, now: datetime) -> ListAge:
    def since(moment: datetime | None) -> timedelta:
        known = [at for at in (moment, feed.current_at) if at is not None]
        return max(timedelta(0), now - max(known)) if known else timedelta(0)

    return ListAge(
        list_id=feed.pk,
        state=FeedState(feed.state),
        records=feed.records,
        p50=since(feed.p50_at),
        p95=since(feed.p95_at),
        oldest=since(feed.oldest_at),
        current_at=feed.current_at,
        exported_at=feed.exported_at,
        last_error=feed.last_error,
        last_error_codes=feed.last_error_codes,
    )

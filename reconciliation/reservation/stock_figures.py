"""Apply OCI's figures, requested or from a feed, to the ledger."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings

from orders import ledger
from orders.fields import ZERO
from orders.ledger import Figure, LedgerChanged
from orders.models import InventoryRecord
from reconciliation.models import StockFeed

logger = logging.getLogger(__name__)

# From this many SKUs on, selling out at the same time is not believed.
SUSPICIOUS = 20
_TRIES = 5
_FEED_TRIES = 20


def apply(figures: Sequence[Figure], *, taken_at: datetime, clock: Callable[[], datetime]) -> int:
    """Apply figures, again if a record has just changed; return how many were applied.

    `taken_at` is when they were requested: OCI can't have counted anything later. If a feed follows
    the list, a figure that may be older than the feed's last one is ignored, because the feed would
    not repeat its own.
    """
    lag = timedelta(seconds=settings.COC_OCI_READ_LAG)
    applied = 0
    by_list: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        by_list[figure.list_id].append(figure)
    feeds = StockFeed.objects.in_bulk(sorted(by_list))
    for list_id in sorted(by_list):
        apart = _apart(feeds.get(list_id), taken_at=taken_at, lag=lag)
        for attempt in range(_TRIES):
            try:
                applied += ledger.apply_snapshot(
                    figures=by_list[list_id], taken_at=taken_at, lag=lag, now=clock(), apart=apart
                )
                break
            except LedgerChanged:
                if attempt == _TRIES - 1:
                    logger.info("Busy records kept their figures; the next refresh renews them.")
    return applied


def _apart(feed: StockFeed | None, *, taken_at: datetime, lag: timedelta) -> timedelta:
    """Return how long before `taken_at` a feed's figure may be and still be newer.

    OCI may have written a line of an export at any time until its import.
    """
    if feed is None or not (feed.delta_token or feed.export_id):
        return timedelta(0)
    asked_at = feed.export_asked_at if feed.export_id else None
    if feed.imported_at is not None and taken_at < feed.imported_at + lag:
        asked_at = min(filter(None, (asked_at, feed.exported_at)), default=None)
    # One microsecond more: the export's own figures have exactly this time.
    since = taken_at - asked_at + timedelta(microseconds=1) if asked_at else lag
    return max(lag, since)


def apply_feed(
    figures: Sequence[Figure],
    *,
    taken_at: datetime,
    clock: Callable[[], datetime],
    are_new: bool = False,
) -> int:
    """Apply the figures of a feed to the ledger; return how many were applied.

    `are_new`: most of these SKUs are not known yet. Raises LedgerChanged if records are too busy:
    the feed must deliver these figures again.
    """
    lag = timedelta(seconds=settings.COC_OCI_READ_LAG)
    for attempt in range(_FEED_TRIES):
        try:
            return ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=lag,
                now=clock(),
                is_feed=True,
                are_new=are_new,
            )
        except LedgerChanged:
            if attempt == _FEED_TRIES - 1:
                raise
    return 0


def sold_out_at_once(list_id: str, figures: Sequence[Figure]) -> int:
    """Return how many SKUs lost all stock, if so many that OCI must be at fault; else 0.

    That is the case if 9 of 10 SKUs with stock, and enough of them, lose all of it in one answer.
    """
    gone = {figure.sku for figure in figures if figure.ato <= ZERO}
    if len(gone) < SUSPICIOUS:
        return 0
    had_stock = InventoryRecord.objects.filter(
        inventory_list=list_id,
        sku__in=[figure.sku for figure in figures],
        snapshot_ato__gt=ZERO,
    )
    had = set(had_stock.values_list("sku", flat=True))
    lost = len(had & gone)
    return lost if lost >= SUSPICIOUS and (len(had) - lost) * 10 <= len(had) else 0

"""The changes of a list since its last token, brought into the ledger in the order of OCI."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from orders import deliveries
from orders.ledger import Figure, LedgerChanged
from orders.models import InventoryList
from orders.texts import is_sku, name_refusal
from reconciliation.models import StockFeed
from reconciliation.oci.errors import OciError, OciRefused
from reconciliation.oci.feeds import FeedClient, StockLine
from reconciliation.reasons import say
from reconciliation.reservation import stock_figures
from reconciliation.stock_mirror import feeds

logger = logging.getLogger(__name__)

# Answers in a row of one list, before the others have their turn: some 1,000 changes.
MOST_ANSWERS = 5
# Figures of one transaction: it keeps an order that wants one of these SKUs for so long only.
CHUNK = 250


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of following a list for a while.

    `has_more`: OCI has more changes. `is_current`: it has none left, and nothing went wrong.
    `figures` is how many figures it had.
    """

    has_more: bool = False
    is_current: bool = False
    figures: int = 0


def follow(feed: StockFeed, *, client: FeedClient, clock: Callable[[], datetime]) -> Followed:
    """Bring what changed into the ledger, up to MOST_ANSWERS answers.

    Raises no OciError.
    """
    number = 0
    for _ in range(MOST_ANSWERS):
        asked_at = clock()
        try:
            answer = client.get_deltas(place=feeds.place_of(feed), token=feed.delta_token)
        except OciRefused as refusal:
            # Expired, unreadable, or of a place that is not there any more.
            feeds.note_token_lost(feed, why=refusal.reason)
            return Followed(figures=number)
        except OciError as error:
            feeds.note_error(feed, error, now=clock(), exporting=False)
            return Followed(figures=number)
        figures = list(figures_of(feed.inventory_list, answer.lines))
        number += len(figures)
        lost = stock_figures.sold_out_at_once(feed.pk, figures)
        if lost:
            feeds.note_token_lost(feed, why=say("feed_sold_out", skus=lost))
            return Followed(figures=number)
        try:
            for chunk in chunks(figures):
                bring_in(chunk, taken_at=asked_at, clock=clock)
        except LedgerChanged:
            # The token stays where it is: the next turn brings the same changes.
            logger.info("Busy records of list %s; its changes are asked for again.", feed.pk)
            return Followed(figures=number)
        moved = feeds.note_changes(
            feed, token=answer.token, asked_at=asked_at, is_all=not answer.again
        )
        if not moved or not answer.again:
            return Followed(is_current=moved, figures=number)
    return Followed(has_more=True, figures=number)


def figures_of(list_: InventoryList, lines: Iterable[StockLine]) -> Iterator[Figure]:
    """Return the figures of a feed's lines; SKUs that no order could name are left out."""
    for line in lines:
        if not is_sku(line.sku) or name_refusal(line.sku):
            logger.warning("List %s has the SKU %r, which cannot be sold here.", list_.pk, line.sku)
            continue
        yield Figure(
            list_.pk,
            line.sku,
            line.ato,
            line.safety_stock,
            gone=line.gone,
            deliveries=line.deliveries,
        )


def bring_in(
    figures: Sequence[Figure],
    *,
    taken_at: datetime,
    clock: Callable[[], datetime],
    are_new: bool = False,
) -> int:
    """Bring a chunk of a feed and its deliveries in; return how many figures were taken."""
    applied = stock_figures.apply_feed(figures, taken_at=taken_at, clock=clock, are_new=are_new)
    deliveries.note(figures)
    return applied


def chunks(figures: Iterable[Figure]) -> Iterator[list[Figure]]:
    """Return figures in chunks of one transaction each."""
    rest = iter(figures)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk

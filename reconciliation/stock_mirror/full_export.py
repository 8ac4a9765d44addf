"""A full export of a list: asked for, waited for, downloaded, checked as a whole, then imported.

The file goes to disk and is read line by line, so that any number of SKUs takes the same memory. It
is checked to its end before its first figure counts.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import IO, Protocol

from orders.fields import ZERO
from orders.ledger import Figure, LedgerChanged
from orders.models import InventoryRecord
from reconciliation.models import StockFeed
from reconciliation.oci.errors import MalformedAnswer, OciError, OciRefused
from reconciliation.oci.feeds import (
    ExportState,
    ExportStatus,
    FeedClient,
    StockLine,
    export_lines,
)
from reconciliation.reasons import Reason, say
from reconciliation.reservation import stock_figures
from reconciliation.stock_mirror import changes, feeds
from reconciliation.stock_mirror.changes import CHUNK, chunks, figures_of

# How long OCI may take for an export, and we for its download.
LONGEST_EXPORT = timedelta(minutes=30)
DOWNLOAD_SECONDS = 600.0
ASK_EVERY = 0.5


class Unusable(Exception):
    """An export that is not imported; `reason` has the fault."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Interrupted(Exception):
    """Another process goes on, or this one ends."""


class Pause(Protocol):
    """Waits so many seconds; raises Interrupted if the work must end."""

    def __call__(self, seconds: float) -> None: ...


def bring_in(
    feed: StockFeed, *, client: FeedClient, clock: Callable[[], datetime], pause: Pause
) -> bool:
    """Have a full export made, or go on with one under way, and import it; True if it is in.

    What goes wrong is noted in the feed's row. Raises Interrupted; the next call goes on then.
    """
    try:
        if not feed.export_id:
            asked_at = clock()
            export_id = client.start_export(feeds.place_of(feed))
            feeds.note_export_started(feed, export_id=export_id, asked_at=asked_at)
        with tempfile.TemporaryFile(prefix="stock-export-") as file:
            state = _wait(feed, client, clock, pause)
            _download(feed, file, client, state)
            token = _check(feed, file, state)
            _import(feed, file, clock, pause)
        _end_others(feed, clock, pause)
    except OciRefused as refusal:
        # Its id counts no more, or the place does not.
        feeds.note_export_failed(feed, why=refusal.reason, now=clock())
    except OciError as error:
        feeds.note_error(feed, error, now=clock(), exporting=True)
    except (Unusable, MalformedAnswer) as error:
        feeds.note_export_failed(feed, why=error.reason, now=clock())
    except LedgerChanged:
        feeds.note_export_failed(feed, why=say("feed_records_busy"), now=clock())
    else:
        feeds.note_imported(feed, token=token, now=clock())
        return True
    return False


def _wait(
    feed: StockFeed, client: FeedClient, clock: Callable[[], datetime], pause: Pause
) -> ExportState:
    asked_at = feed.export_asked_at or clock()
    while clock() - asked_at < LONGEST_EXPORT:
        state = client.export_state(feed.export_id)
        if state.status == ExportStatus.COMPLETED:
            return state
        if state.status == ExportStatus.FAILED:
            raise Unusable(say("export_failed"))
        pause(ASK_EVERY)
    raise Unusable(say("export_too_long"))


def _download(feed: StockFeed, file: IO[bytes], client: FeedClient, state: ExportState) -> None:
    found = hashlib.sha256()

    def take(piece: bytes) -> None:
        found.update(piece)
        file.write(piece)

    client.download_export(feed.export_id, take, seconds=DOWNLOAD_SECONDS)
    if state.sha256 and state.sha256 != found.hexdigest():
        raise Unusable(say("export_other_file"))


def _check(feed: StockFeed, file: IO[bytes], state: ExportState) -> str:
    """Read the whole file; return its delta token. Raises Unusable and MalformedAnswer."""
    token, lines, sellable = "", 0, 0
    file.seek(0)
    for line in export_lines(file, place=feeds.place_of(feed)):
        if isinstance(line, str):
            token = line
        else:
            lines += 1
            sellable += line.ato > ZERO
    if state.records is not None and state.records != lines:
        raise Unusable(say("export_other_count", lines=lines, records=state.records))
    had = InventoryRecord.objects.filter(inventory_list=feed.pk, snapshot_ato__gt=ZERO).count()
    if had >= stock_figures.SUSPICIOUS and sellable * 10 < had:
        raise Unusable(say("export_sold_out", skus=sellable, before=had))
    return token


def _import(feed: StockFeed, file: IO[bytes], clock: Callable[[], datetime], pause: Pause) -> None:
    taken_at = feed.export_asked_at or clock()
    file.seek(0)
    for chunk in chunks(figures_of(feed.inventory_list, _stock(feed, file))):
        pause(0)
        are_new = feed.exported_at is None
        changes.bring_in(chunk, taken_at=taken_at, clock=clock, are_new=are_new)


def _stock(feed: StockFeed, file: IO[bytes]) -> Iterator[StockLine]:
    for line in export_lines(file, place=feeds.place_of(feed)):
        if isinstance(line, StockLine):
            yield line


def _end_others(feed: StockFeed, clock: Callable[[], datetime], pause: Pause) -> None:
    """Mark SKUs that OCI does not list as gone: records without a figure since the export."""
    taken_at = feed.export_asked_at or clock()
    unlisted = InventoryRecord.objects.filter(
        inventory_list=feed.pk, snapshot_at__lt=taken_at, snapshot_ato__isnull=False
    ).order_by("sku")
    last = ""
    while rows := list(unlisted.filter(sku__gt=last).values_list("sku", "safety_stock")[:CHUNK]):
        pause(0)
        gone = [Figure(feed.pk, sku, ZERO, safety, gone=True) for sku, safety in rows]
        changes.bring_in(gone, taken_at=taken_at, clock=clock)
        last = rows[-1][0]

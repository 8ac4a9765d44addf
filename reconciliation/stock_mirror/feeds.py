"""The rows of the feeds: which are due, and what each step makes of them."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import CharField, F, Q, QuerySet

from orders.models import InventoryList
from orders.standing_queries import Change, Given, Look, Rows
from reconciliation.connection.state import row
from reconciliation.models import FeedState, StockFeed
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import OciConfigurationFault, OciError, OciThrottled
from reconciliation.queue import leases
from reconciliation.reasons import columns

logger = logging.getLogger(__name__)

LEASE = "stock_mirror"
LONGEST_PAUSE = timedelta(seconds=30)
# An export costs OCI more than a request for changes.
LONGEST_EXPORT_PAUSE = timedelta(minutes=5)
# A feed that OCI does not offer, or not to us, is tried again after this.
NOT_OFFERED_PAUSE = timedelta(minutes=10)
_NOT_OFFERED = frozenset({401, 403, 404, 405, 501})


def ensure_rows() -> None:
    """Give every list a feed."""
    for list_ in _without_feed().order_by("pk"):
        StockFeed.objects.get_or_create(inventory_list=list_)


def _without_feed() -> QuerySet[InventoryList]:
    return InventoryList.objects.filter(feed__isnull=True)


def _questions() -> dict[str, QuerySet[Any]]:
    now = Given("now")
    return {
        "leads": leases.held_by(LEASE, Given("holder", CharField())),
        "state": row().values_list("state"),
        "pause": row().filter(wait_until__gt=now),
        "new_lists": _without_feed(),
        "changes": due_for_changes(now),
        "not_followed": StockFeed.objects.filter(Q(delta_token="") | Q(next_at__gt=now)),
        "export": _wanting_export(now, Given("now", less=_export_age)),
    }


# What a turn asks first, at `now`: how the connection is, and whether anything is due.
look = Look(_questions)


def _export_age() -> timedelta:
    return timedelta(hours=settings.COC_STOCK_EXPORT_HOURS)


def place_of(feed: StockFeed) -> Place:
    """Return the place at OCI that the feed is of."""
    return Place(PlaceKind(feed.inventory_list.list_type), feed.pk)


def due_for_changes(now: Any) -> QuerySet[StockFeed]:
    """Return the feeds that can be continued at `now`, a moment or an expression."""
    ready = Q(next_at=None) | Q(next_at__lte=now)
    feeds = StockFeed.objects.filter(ready).exclude(delta_token="")
    return feeds.select_related("inventory_list").order_by("pk")


def in_turn(now: datetime) -> list[StockFeed]:
    """Return the feeds that can be continued now, with what following them takes; one statement."""
    return [
        StockFeed(
            inventory_list=InventoryList(pk=pk, list_type=list_type),
            delta_token=token,
            state=state,
            failures=failures,
        )
        for pk, list_type, token, state, failures in _in_turn(now=now)
    ]


_in_turn = Rows(
    lambda: due_for_changes(Given("now")).values_list(
        "pk", "inventory_list__list_type", "delta_token", "state", "failures"
    )
)


def due_for_export(now: datetime) -> StockFeed | None:
    """Return the feed that needs a full export first: one without a token before all others."""
    feeds = _wanting_export(now, now - _export_age())
    # Without a token first, those that were tried least often before the others.
    return feeds.select_related("inventory_list").order_by("delta_token", "failures", "pk").first()


def _wanting_export(now: Any, old: Any) -> QuerySet[StockFeed]:
    ready = Q(next_export_at=None) | Q(next_export_at__lte=now)
    wanted = Q(delta_token="") | Q(exported_at=None) | Q(exported_at__lte=old)
    return StockFeed.objects.filter(ready & (wanted | ~Q(export_id="")))


def note_export_started(feed: StockFeed, *, export_id: str, asked_at: datetime) -> None:
    """Note an export that OCI has begun; asked after again should we be interrupted."""
    values = {"export_id": export_id, "export_asked_at": asked_at}
    if not feed.delta_token:
        values["state"] = FeedState.EXPORTING
    StockFeed.objects.filter(pk=feed.pk).update(**values)
    feed.export_id, feed.export_asked_at = export_id, asked_at


def note_imported(feed: StockFeed, *, token: str, now: datetime) -> None:
    """Note that an export is in our figures. A token that still counts is further on, and stays."""
    asked_at = feed.export_asked_at
    rows = StockFeed.objects.filter(pk=feed.pk, export_id=feed.export_id)
    done = {"export_id": "", "exported_at": asked_at, "imported_at": now, "next_export_at": None}
    if rows.filter(delta_token="").update(
        delta_token=token,
        state=FeedState.FOLLOWING,
        current_at=asked_at,
        next_at=None,
        failures=0,
        **_error(""),
        **done,
    ):
        return
    rows.update(**done)


def note_changes(feed: StockFeed, *, token: str, asked_at: datetime, is_all: bool) -> bool:
    """Advance a feed to its next token; False if another process has done so meanwhile."""
    note = _note_all if is_all else _note_some
    moved = note(pk=feed.pk, before=feed.delta_token, token=token, asked_at=asked_at)
    feed.delta_token = token
    return bool(moved)


def _advance() -> tuple[QuerySet[StockFeed], dict[str, Any]]:
    rows = StockFeed.objects.filter(
        pk=Given("pk", CharField()), delta_token=Given("before", CharField())
    )
    values = {"delta_token": Given("token", CharField()), "state": FeedState.FOLLOWING}
    return rows, {**values, "failures": 0, "next_at": None, **_error("")}


def _advance_to_now() -> tuple[QuerySet[StockFeed], dict[str, Any]]:
    rows, values = _advance()
    return rows, {**values, "current_at": Given("asked_at")}


_note_some, _note_all = Change(_advance), Change(_advance_to_now)


def note_token_lost(feed: StockFeed, *, why: str) -> None:
    """Restart a feed whose token OCI no longer knows."""
    logger.warning("The feed of list %s restarts: %s", feed.pk, why)
    StockFeed.objects.filter(pk=feed.pk, delta_token=feed.delta_token).update(
        delta_token="", state=FeedState.NEW, next_at=None, next_export_at=None, **_error(why)
    )


def note_export_failed(feed: StockFeed, *, why: str, now: datetime) -> None:
    """Give an export up; the next one is asked for after a pause that grows."""
    logger.warning("The export of list %s cannot be used: %s", feed.pk, why)
    StockFeed.objects.filter(pk=feed.pk).update(
        export_id="",
        next_export_at=now + _pause(feed.failures, longest=LONGEST_EXPORT_PAUSE),
        failures=F("failures") + 1,
        **_error(why),
    )
    StockFeed.objects.filter(pk=feed.pk, delta_token="").update(state=FeedState.NEW)


def note_error(feed: StockFeed, error: OciError, *, now: datetime, exporting: bool) -> None:
    """Note a failed call; it is retried after a pause."""
    status = getattr(error, "status", None)
    pause = _pause(feed.failures)
    values: dict[str, object] = _error(error.reason)
    if isinstance(error, OciThrottled):
        pause = timedelta(seconds=max(1.0, error.retry_after))
    elif isinstance(error, OciConfigurationFault) or status in _NOT_OFFERED:
        pause = NOT_OFFERED_PAUSE
        values["state"] = FeedState.NOT_OFFERED
        if feed.state != FeedState.NOT_OFFERED:
            logger.warning("OCI offers no feed of list %s: %s", feed.pk, error)
    else:
        values["failures"] = F("failures") + 1
    values["next_export_at" if exporting else "next_at"] = now + pause
    StockFeed.objects.filter(pk=feed.pk).update(**values)


def _error(why: str) -> dict[str, object]:
    return columns("last_error", why, limit=500)


def _pause(failures: int, *, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    return min(longest, timedelta(seconds=2 ** min(failures, 10)))

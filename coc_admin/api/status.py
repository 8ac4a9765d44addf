"""Connection and backlog for the sites of a token."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from pydantic import Field

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.outages import OutageAnswer, outage_answer
from coc_admin.api.pages import refuse_unknown
from coc_admin.api.run_serializers import RunAnswer
from coc_admin.api.runs import run_answer, runs_of_sites
from coc_admin.api.serializers import Amounts
from coc_admin.models import TokenScope
from orders.desk.shortages import Sums, sums_of
from orders.fields import ZERO
from orders.members import (
    Members,
    Moment,
    MomentOrNull,
    Number,
    NumberOrNull,
    Read,
    Write,
    from_attribute,
)
from orders.models import Order, Site
from orders.offline_limits import Acceptance, limits_of, live_limits_of
from reconciliation import connection
from reconciliation.models import CallKind, ConnectionState, FeedState, OfflineCause
from reconciliation.outages import planned
from reconciliation.runs import status
from reconciliation.stock_mirror import age

router = Router(tags=["Reconciliation"])


def _in_seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 1)


_SECONDS = Write(_in_seconds)


class WaitingAnswer(Members):
    """What waits for a reservation."""

    orders: int
    units: Number
    value: Amounts
    oldestCapturedAt: MomentOrNull


class ShortAnswer(Members):
    """What is missing of the short orders that nobody has settled."""

    orders: int
    units: Number = Field(description="Units that OCI could not reserve.")
    value: Amounts = Field(description="What these units are worth at the shoppers' prices.")


class CallsAnswer(Members):
    """How calls of one kind to OCI fare."""

    kind: CallKind
    isAnswered: bool = Field(description="false while OCI leaves calls of the kind unanswered.")
    lastGoodAt: MomentOrNull
    p95Ms: int | None = Field(description="What 19 of the last 20 calls took at most.")


class SiteAcceptance(Members):
    """Whether a site takes orders now, and for how long."""

    siteId: str
    orders: Annotated[Acceptance, from_attribute("acceptance")]
    limit: Annotated[str | None, Read(lambda limits: limits.why or None)] = Field(
        description="What refuses them: off (offline capture is off), duration, totalValue, or"
        " noStock (no stock figure is known in any list that the site sells from)."
    )
    refusedSince: MomentOrNull
    endsAt: MomentOrNull = Field(description="When offline selling ends at this site.")
    secondsLeft: int | None
    valueLeft: NumberOrNull = Field(description="What may still wait, in the site's currency.")
    unitsPerOrder: NumberOrNull = Field(description="Most units of one order meanwhile.")


class StockAgeAnswer(Members):
    """How old the figures of an inventory list are, in seconds."""

    inventoryListId: Annotated[str, from_attribute("list_id")]
    feed: Annotated[FeedState, from_attribute("state")] = Field(
        description="following: OCI's changes come continuously."
    )
    records: int = Field(description="SKUs with a figure.")
    p50Seconds: Annotated[float, from_attribute("p50"), _SECONDS] = Field(
        description="Half of the figures are this old at most."
    )
    p95Seconds: Annotated[float, from_attribute("p95"), _SECONDS] = Field(
        description="95 % of the figures are this old at most."
    )
    oldestSeconds: Annotated[float, from_attribute("oldest"), _SECONDS]
    isKept: bool = Field(description="Whether p95Seconds is within the promised age.")


class PlannedOutageAnswer(Members):
    """A window in which OCI is not called on purpose, for every site."""

    id: int
    startsAt: Moment
    endsAt: Moment = Field(description="It ends automatically, or earlier.")
    state: Literal["planned", "running"] = Field(description="running from its start to its end.")


class StatusAnswer(Members):
    """Connection and backlog of the token's sites."""

    connection: ConnectionState
    since: Moment
    cause: OfflineCause = Field(description="Why the connection is offline; empty if it is not.")
    calls: list[CallsAnswer] = Field(
        description="By kind of call; the state of the connection is the verdict from all."
    )
    waiting: WaitingAnswer
    needsReview: Annotated[int, from_attribute("review")]
    oversold: int = Field(description="Short orders that nobody has settled.")
    short: ShortAnswer
    lastRun: RunAnswer | None
    sites: list[SiteAcceptance] = Field(description="What each site takes now.")
    outage: OutageAnswer | None = Field(description="The outage that is not over yet.")
    plannedOutage: PlannedOutageAnswer | None = Field(
        description="The planned outage that runs now, else the next one."
    )
    stock: list[StockAgeAnswer] = Field(description="The lists that the site sells from.")


@router.get(
    "/status",
    auth=BearerToken(TokenScope.STATUS_READ),
    response=StatusAnswer,
    operation_id="getStatus",
)
def get_status(request: HttpRequest) -> Any:
    """Read the state of the connection to OCI and what waits for it at the token's sites."""
    refuse_unknown(request)
    token = token_of(request)
    site_ids, now = sites_of(token), timezone.now()
    # To ask of each of 100,000 orders whether it is of one of all sites takes time as well.
    narrowed = None if token.every_site else site_ids
    found = status.summary(sites=narrowed)
    last = runs_of_sites(site_ids).first()
    window = planned.running_or_next(now)
    return StatusAnswer.of(
        found,
        calls=[
            CallsAnswer.of(calls, kind=kind, isAnswered=not connection.is_lost(calls, now))
            for kind, calls in connection.healths().items()
        ],
        waiting=WaitingAnswer.of(found.waiting),
        short=ShortAnswer.of(_short(narrowed, found.oversold)),
        lastRun=None if last is None else run_answer(last, narrowed),
        sites=_acceptance(site_ids, found, now),
        outage=outage_answer(found.outage, site_ids=narrowed) if found.outage else None,
        plannedOutage=None if window is None else PlannedOutageAnswer.of(window),
        stock=[StockAgeAnswer.of(one) for one in age.of_sites(site_ids, now)],
    )


def _short(site_ids: Collection[str] | None, number: int) -> Sums:
    orders = Order.objects.oversold()
    if site_ids is not None:
        orders = orders.filter(site__in=site_ids)
    return sums_of(orders, number=number) if number else Sums(0, ZERO, {})


def _acceptance(
    site_ids: Collection[str], found: status.Status, now: datetime
) -> list[dict[str, Any]]:
    """Return what each site takes now: all that is in stock while orders are reserved live."""
    sites = Site.objects.filter(pk__in=site_ids).order_by("pk")
    if found.connection == ConnectionState.ONLINE:
        limits = live_limits_of(sites)
    else:
        limits = limits_of(sites, offline_since=found.offline_since, now=now)
    return [SiteAcceptance.of(one, secondsLeft=_whole(one.seconds_left(now))) for one in limits]


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)

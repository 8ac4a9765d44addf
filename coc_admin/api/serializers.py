"""What the API takes and answers, as types: the OpenAPI document is made of them.

Member names are those of the API. Quantities and amounts are JSON numbers, moments are ISO 8601 in
UTC with milliseconds.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field

from orders.models import ExportStatus, ItemKind, OrderStatus, ReservationState, Resolution
from orders.offline_limits import Acceptance
from orders.payload_values import Text
from reconciliation.alerts.rules import RULES
from reconciliation.models import (
    CallKind,
    ConnectionState,
    EntryState,
    FeedState,
    OfflineCause,
    Priority,
    ReportType,
    RunState,
    Scope,
    Trigger,
)

Number = int | float
MOST_ROWS = 200
LARGEST_ID = 2**63 - 1


def _in_our_time(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:
        raise ValueError("use a year from 2000 to 2200")
    return value


def _written_out(value: object) -> object:
    """Return a date that is written out; a number would count as seconds since 1970."""
    if isinstance(value, str) and not _ISO_DAY.match(value):
        raise ValueError("use a date as 2026-02-02")
    return value


_ISO_DAY = re.compile(r"\A\d{4}-\d{2}-\d{2}", re.ASCII)
# The members named date would hide the type.
Day = Annotated[date, BeforeValidator(_written_out)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_our_time)]
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS, description="Rows of one page.")]
Cursor = Annotated[str | None, Field(max_length=100, description="nextCursor of the page before.")]
Reason = Annotated[
    Text, Field(min_length=1, max_length=500, pattern=r"\S", description="Shown in the history.")
]


class Strict(Schema):
    """A body in which a member that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class ItemAnswer(Schema):
    """One line of an order."""

    itemId: str
    sku: str
    quantity: Number = Field(description="What was ordered of it.")
    reservedQuantity: Number = Field(description="What OCI holds for it now.")
    shortQuantity: Number | None = Field(
        description="Ordered, and neither reserved nor cancelled nor replaced; 0 where takesStock"
        " is false. null while the order waits for its reservation."
    )
    cancelledQuantity: Number = Field(description="Of what is short: will not be delivered.")
    replacedQuantity: Number = Field(
        description="Of what is short: delivered as another item, which names this one."
    )
    replacesItemId: str | None = Field(description="The item of this order that it stands for.")
    parentItemId: str | None = Field(
        description="The item of this order that it is a part or an option of."
    )
    kind: ItemKind
    takesStock: bool = Field(
        description="false: it is never reserved and never short; its parts or its bundle are."
    )


class OrderAnswer(Schema):
    """An order and where its reservation stands."""

    orderNo: str
    siteId: str
    status: OrderStatus
    reservationState: ReservationState
    capturedOffline: bool = Field(description="Accepted without a reservation.")
    needsReview: bool = Field(description="Only a person can move it on.")
    exportStatus: ExportStatus
    capturedAt: str
    reconciledAt: str | None
    promisedUntil: str | None = Field(
        description="Until when a short order keeps its place for arriving stock; null: no date."
    )
    items: list[ItemAnswer]


class ItemDocument(ItemAnswer):
    """One line of an order, with what an order management system must know of it."""

    productName: str
    inventoryListId: str
    unitPrice: Number | None
    replacedByItemIds: list[str] = Field(
        description="Items of this order that are delivered in place of replacedQuantity."
    )
    partItemIds: list[str] = Field(description="Parts and options of it: items of this order.")


class ResolutionAnswer(Schema):
    """How a short or cancelled order was settled."""

    kind: Resolution
    at: str | None
    by: str
    reference: str | None = Field(description="Under which settled_outside was recorded.")
    note: str


class OrderDocument(OrderAnswer):
    """The whole order, in one version."""

    version: int = Field(
        description="Grows with every change that the document shows, but for the export status,"
        " acknowledgedVersion and handoverAt."
    )
    acknowledgedVersion: int | None = Field(
        description="The version that order management named when it took the order."
    )
    handoverAt: str | None = Field(
        description="When a short order becomes ready, unless somebody decides it earlier. null"
        " with exportStatus not_exported: when it is reserved or decided."
    )
    creationDate: str = Field(description="As the storefront sent it.")
    currency: str
    orderTotal: Number
    totals: dict[str, Number] = Field(
        description="orderTotal, and every other total and tax that the storefront sent."
    )
    customerInfo: dict[str, Any] = Field(
        description="As the storefront sent it; empty once the customer is erased."
    )
    billingAddress: dict[str, Any] | None = Field(description="As the storefront sent it.")
    shippingAddress: dict[str, Any] | None = Field(description="As the storefront sent it.")
    shipments: list[dict[str, Any]] = Field(
        description="As the storefront sent them, with their addresses."
    )
    customerErasedAt: str | None
    resolution: ResolutionAnswer | None
    items: list[ItemDocument]  # type: ignore[assignment]


class OrderPage(Schema):
    """Orders by time of capture, the oldest first."""

    orders: list[OrderDocument]
    nextCursor: str | None = Field(description="null on the last page.")


class OrderFilters(Schema):
    """Which orders are wanted."""

    reservationState: ReservationState | None = None
    exportStatus: ExportStatus | None = None
    capturedFrom: Annotated[Moment | None, Field(description="This moment or later.")] = None
    capturedTo: Annotated[Moment | None, Field(description="Before this moment.")] = None
    capturedOffline: bool | None = None
    limit: Limit = 50
    cursor: Cursor = None


class OrderChange(Strict):
    """What order management changes of an order."""

    exportStatus: ExportStatus
    version: Annotated[
        int | None,
        Field(
            ge=0,
            le=LARGEST_ID,
            description="The version that was taken. Refused with order-changed if the order has"
            " another one by now: read it again.",
        ),
    ] = None


class Cancellation(Strict):
    """Why an order is cancelled."""

    reason: Reason


class InventoryAnswer(Schema):
    """What the shop may still promise of a SKU."""

    sku: str
    inventoryListId: str
    ato: Number | None = Field(description="Available to order; null while no figure is known.")
    held: Number = Field(description="Held by orders on top of the figure.")
    snapshotAt: str | None = Field(description="When OCI was asked for the figure.")


class WaitingAnswer(Schema):
    """What waits for a reservation."""

    orders: int
    units: Number
    value: dict[str, Number] = Field(description="By currency.")
    oldestCapturedAt: str | None


class RunAnswer(Schema):
    """A reconciliation, and what it did with the orders of the token's sites."""

    id: int
    state: RunState
    trigger: Trigger
    scope: Scope
    isActive: bool
    createdAt: str
    startedAt: str | None
    finishedAt: str | None
    orders: int = Field(description="Orders of these sites in it.")
    outcomes: dict[EntryState, int] = Field(description="Those orders by what became of them.")


class RunPage(Schema):
    """Reconciliations, the newest first."""

    runs: list[RunAnswer]
    nextCursor: str | None


class CallsAnswer(Schema):
    """How calls of one kind to OCI fare."""

    kind: CallKind
    isAnswered: bool = Field(description="false while OCI leaves calls of the kind unanswered.")
    lastGoodAt: str | None
    p95Ms: int | None = Field(description="What 19 of the last 20 calls took at most.")


class SiteAcceptance(Schema):
    """Whether a site takes orders now, and for how long."""

    siteId: str
    orders: Acceptance
    limit: str | None = Field(
        description="What refuses them: off (offline capture is off), duration or totalValue."
    )
    refusedSince: str | None
    endsAt: str | None = Field(description="When offline selling ends at this site.")
    secondsLeft: int | None
    valueLeft: Number | None = Field(description="What may still wait, in the site's currency.")
    unitsPerOrder: Number | None = Field(description="Most units of one order meanwhile.")


class DemandAnswer(Schema):
    """Orders, and what they come to."""

    orders: int
    units: Number
    value: dict[str, Number] = Field(description="By currency.")


class OutageAnswer(Schema):
    """An outage, and the orders of the token's sites during it. requested = accepted + refused."""

    id: int
    isOpen: bool
    cause: str
    lostAt: str
    detectedAt: str
    recoveredAt: str | None
    drainedAt: str | None
    requested: DemandAnswer
    accepted: DemandAnswer
    refused: DemandAnswer
    refusedByType: dict[str, int] = Field(
        description="Refused orders by the type of the refusal; offline-cap names its cap."
    )


class OutagePage(Schema):
    """Outages, the newest first."""

    outages: list[OutageAnswer]
    nextCursor: str | None


class StockAgeAnswer(Schema):
    """How old the figures of an inventory list are, in seconds."""

    inventoryListId: str
    feed: FeedState = Field(description="following: OCI's changes come continuously.")
    records: int = Field(description="SKUs with a figure.")
    p50Seconds: float = Field(description="Half of the figures are this old at most.")
    p95Seconds: float = Field(description="95 % of the figures are this old at most.")
    oldestSeconds: float
    isKept: bool = Field(description="Whether p95Seconds is within the promised age.")


class StatusAnswer(Schema):
    """Where things stand for the token's sites."""

    connection: ConnectionState
    since: str
    cause: OfflineCause = Field(description="Why the connection is offline; empty if it is not.")
    calls: list[CallsAnswer] = Field(
        description="By kind of call; the state of the connection is the verdict from all."
    )
    waiting: WaitingAnswer
    needsReview: int
    oversold: int = Field(description="Short orders that nobody has settled.")
    lastRun: RunAnswer | None
    sites: list[SiteAcceptance] = Field(description="What each site takes now.")
    outage: OutageAnswer | None = Field(description="The outage that is not over yet.")
    stock: list[StockAgeAnswer] = Field(description="The lists that the site sells from.")


class ScopeData(Strict):
    """What narrows a scope."""

    orders: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=50)]] | None,
        Field(min_length=1, max_length=200, description="Order numbers, for the scope orders."),
    ] = None
    run: Annotated[
        int | None, Field(ge=1, le=LARGEST_ID, description="A run's id, for run_failures.")
    ] = None
    sku: Annotated[Text | None, Field(min_length=1, max_length=250)] = None
    inventoryListId: Annotated[Text | None, Field(min_length=2, max_length=128)] = None


class RunRequest(Strict):
    """A reconciliation of the token's sites."""

    scope: Scope = Scope.MISSING
    scopeData: ScopeData = ScopeData()
    dryRun: Annotated[bool, Field(description="Only say what would happen.")] = False
    reason: Annotated[Text, Field(max_length=500)] = ""


class DryRunRow(Schema):
    """One order that would be touched."""

    orderNo: str
    units: Number
    expected: ReservationState | None = Field(description="null while stock is not known.")


class DryRunAnswer(Schema):
    """What a reconciliation would do."""

    orders: int
    units: Number
    value: dict[str, Number] = Field(description="By currency.")
    expected: dict[ReservationState, int] = Field(description="Orders by the state they would get.")
    stockAt: str | None = Field(description="null while OCI does not say what is available.")
    forecastOf: int = Field(description="How many orders, oldest first, the forecast covers.")
    rows: list[DryRunRow] = Field(description="The first orders.")


class ReportAnswer(Schema):
    """A daily report."""

    fileName: str
    reportType: ReportType
    siteId: str
    date: Day
    revision: int = Field(description="0 until it is written for the first time.")
    orderCount: int
    byteCount: int
    generatedAt: str | None
    upToDate: bool = Field(description="Whether nothing has changed since.")


class ReportPage(Schema):
    """Daily reports, the latest day first."""

    reports: list[ReportAnswer]
    nextCursor: str | None


class ReportFilters(Schema):
    """Which reports are wanted."""

    site: Annotated[str | None, Field(max_length=32)] = None
    date: Annotated[Day | None, Field(description="The day, in the site's time zone.")] = None
    kind: ReportType | None = None
    limit: Limit = 50
    cursor: Cursor = None


class AlertAnswer(Schema):
    """An open alert."""

    descriptor: Annotated[str, Field(json_schema_extra={"enum": sorted(RULES)})]
    context: str
    priority: Priority
    title: str
    message: str
    remedy: str
    since: str
    updatedAt: str


class AlertList(Schema):
    """Open alerts: ACTION first, then WARN, then INFO."""

    alerts: list[AlertAnswer]


class ProblemAnswer(Schema):
    """A refusal (RFC 9457). Some types carry more members, such as skus or activeRun."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable; what programs look at.")
    title: str
    status: int
    detail: str
    problems: list[dict[str, Any]] | None = None
    shortfalls: list[dict[str, Any]] | None = None

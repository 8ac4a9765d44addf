"""The API's answers about reconciliations, and the request to start one."""

from __future__ import annotations

from typing import Annotated

from ninja import Schema
from pydantic import Field

from coc_admin.api.serializers import LARGEST_ID, Amounts, Strict
from orders.members import Members, Moment, MomentOrNull, Number, from_attribute
from orders.models import ReservationState
from orders.payload_values import Text
from reconciliation.models import EntryState, RunState, Scope, Trigger


class RunAnswer(Members):
    """A reconciliation, and its outcome for the orders of the token's sites."""

    id: int
    state: RunState
    trigger: Trigger
    scope: Scope
    isActive: bool
    createdAt: Moment
    startedAt: MomentOrNull
    finishedAt: MomentOrNull
    orders: int = Field(description="Orders of these sites in it.")
    outcomes: dict[EntryState, int] = Field(description="Those orders by what became of them.")


class RunPage(Schema):
    """Reconciliations, the newest first."""

    runs: list[RunAnswer]
    nextCursor: str | None


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


class DryRunRow(Members):
    """One order that would be touched."""

    orderNo: Annotated[str, from_attribute("order.order_no")]
    units: Number
    expected: ReservationState | None = Field(description="null while stock is not known.")


class DryRunAnswer(Members):
    """The forecast of a reconciliation."""

    orders: int
    units: Number
    value: Amounts
    expected: Annotated[dict[ReservationState, int], from_attribute("by_outcome")] = Field(
        description="Orders by the state they would get."
    )
    stockAt: MomentOrNull = Field(description="null while OCI does not say what is available.")
    forecastOf: int = Field(description="How many orders, oldest first, the forecast covers.")
    rows: list[DryRunRow] = Field(description="The first orders.")

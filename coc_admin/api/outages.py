"""Outages: when they were, and what shoppers asked for meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.pages import page_of, refuse_unknown
from coc_admin.api.serializers import Amounts, Cursor, Limit
from coc_admin.models import TokenScope
from coc_admin.pager import NEWEST_FIRST
from orders.members import Members, Moment, MomentOrNull, Number
from reconciliation.models import Outage
from reconciliation.outages.demand import demand_of

router = Router(tags=["Outages"])

READ = BearerToken(TokenScope.STATUS_READ)


class DemandAnswer(Members):
    """Orders with their units and value."""

    orders: int
    units: Number
    value: Amounts


class OutageAnswer(Members):
    """An outage, and the orders of the token's sites during it. requested = accepted + refused."""

    id: int
    isOpen: bool
    cause: str
    lostAt: Moment
    detectedAt: Moment
    recoveredAt: MomentOrNull
    drainedAt: MomentOrNull
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


class OutageFilters(Schema):
    """Which page of the outages is wanted."""

    limit: Limit = 20
    cursor: Cursor = None


@router.get("/outages", auth=READ, response=OutagePage, operation_id="listOutages")
def list_outages(request: HttpRequest, filters: Query[OutageFilters]) -> Any:
    """List outages of Omnichannel Inventory, the newest first, with sales of the token's sites."""
    refuse_unknown(request, filters)
    site_ids = sites_of(token_of(request))
    page = page_of(NEWEST_FIRST, Outage.objects.all(), filters)
    return {
        "outages": [outage_answer(outage, site_ids=site_ids) for outage in page.rows],
        "nextCursor": page.next_cursor or None,
    }


def outage_answer(outage: Outage, *, site_ids: Collection[str] | None) -> dict[str, Any]:
    """Return the API's answer about an outage for a token of these sites, or all; three queries."""
    demand = demand_of(outage, site_ids=site_ids)
    return OutageAnswer.of(
        outage,
        requested=_sums(demand.requested_orders, demand.requested_units, demand.requested_value),
        accepted=_sums(demand.accepted_orders, demand.accepted_units, demand.accepted_value),
        refused=DemandAnswer.of(demand.refused),
        refusedByType=dict(demand.refused.by_why),
    )


def _sums(orders: int, units: Decimal, value: Mapping[str, Decimal]) -> dict[str, Any]:
    return DemandAnswer.of(SimpleNamespace(orders=orders, units=units, value=value))

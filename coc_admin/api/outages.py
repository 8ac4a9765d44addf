"""Outages: when they were, and what shoppers asked for meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.pages import cursor_of, place_of, refuse_unknown
from coc_admin.api.serializers import Cursor, Limit, OutagePage
from coc_admin.models import TokenScope
from orders.fields import json_number
from orders.offline_limits import Acceptance, SiteLimits
from orders.serializers import iso
from reconciliation.models import Outage
from reconciliation.outages.demand import demand_of

router = Router(tags=["Outages"])

READ = BearerToken(TokenScope.STATUS_READ)


class OutageFilters(Schema):
    """Which page of the outages is wanted."""

    limit: Limit = 20
    cursor: Cursor = None


@router.get("/outages", auth=READ, response=OutagePage, operation_id="listOutages")
def list_outages(request: HttpRequest, filters: Query[OutageFilters]) -> Any:
    """List outages of Omnichannel Inventory, the newest first, with what the token's sites sold."""
    refuse_unknown(request, filters)
    site_ids = sites_of(token_of(request))
    found = Outage.objects.order_by("-pk")
    if filters.cursor:
        found = found.filter(pk__lt=place_of(filters.cursor, int)[0])
    rows = list(found[: filters.limit + 1])
    page = rows[: filters.limit]
    return {
        "outages": [outage_answer(outage, site_ids=site_ids) for outage in page],
        "nextCursor": cursor_of(page[-1].pk) if len(rows) > len(page) else None,
    }


def outage_answer(outage: Outage, *, site_ids: Collection[str]) -> dict[str, Any]:
    """Return what the API says of an outage to a token of these sites; three queries."""
    demand = demand_of(outage, site_ids=site_ids)
    refused = demand.refused
    return {
        "id": outage.pk,
        "isOpen": outage.is_open,
        "cause": outage.cause,
        "lostAt": iso(outage.lost_at),
        "detectedAt": iso(outage.detected_at),
        "recoveredAt": iso(outage.recovered_at),
        "drainedAt": iso(outage.drained_at),
        "requested": _sums(demand.requested_orders, demand.requested_units, demand.requested_value),
        "accepted": _sums(demand.accepted_orders, demand.accepted_units, demand.accepted_value),
        "refused": _sums(refused.orders, refused.units, refused.value),
        "refusedByType": dict(refused.by_why),
    }


def _sums(orders: int, units: Decimal, value: Mapping[str, Decimal]) -> dict[str, Any]:
    return {"orders": orders, "units": json_number(units), "value": amounts(value)}


def amounts(value: Mapping[str, Decimal]) -> dict[str, int | float]:
    """Return amounts by currency as JSON numbers."""
    return {code: json_number(amount) for code, amount in value.items()}


def limits_answer(limits: SiteLimits, now: datetime) -> dict[str, Any]:
    """Return what the API says of a site's limits while orders can't be reserved live."""
    seconds = limits.seconds_left(now)
    left = limits.value_left
    units = limits.units_per_order
    return {
        "siteId": limits.site_id,
        "orders": limits.acceptance,
        "limit": limits.why or None,
        "refusedSince": iso(limits.refused_since),
        "endsAt": iso(limits.ends_at),
        "secondsLeft": None if seconds is None else int(seconds),
        "valueLeft": None if left is None else json_number(left),
        "unitsPerOrder": None if units is None else json_number(units),
    }


def accepting(site_id: str) -> dict[str, Any]:
    """Return what the API says of a site while orders are reserved live."""
    return {
        "siteId": site_id,
        "orders": Acceptance.ACCEPTED,
        "limit": None,
        "refusedSince": None,
        "endsAt": None,
        "secondsLeft": None,
        "valueLeft": None,
        "unitsPerOrder": None,
    }

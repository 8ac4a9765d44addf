"""Sites, stock and orders for tests, made by the product's own functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from orders import ledger
from orders.actors import api_client
from orders.capture import Claim, capture_order
from orders.ledger import Figure
from orders.models import CaptureTrace, InventoryList, Order, OrderPayload, Site
from orders.payload import meaning_hash, parse_order
from orders.permitted_lists import permit_only
from tests.orders.payloads import raw_order

START = datetime(2026, 2, 2, 12, tzinfo=UTC)
SHOP = api_client("storefront")

Units = int | float | str | Decimal


@dataclass
class Clock:
    """A clock that goes only when it is told to; `go` is a pause that takes no time."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def make_site(
    site_id: str = "shop",
    *,
    list_id: str = "web",
    stock: Mapping[str, Units] | None = None,
    at: datetime = START,
    list_fields: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Site:
    """Create a site and, unless it exists, its list with a first figure of each SKU.

    Short orders keep no place in the queue unless a test says so: most look at one order alone.
    """
    fields = {"keeps_promises": False, **fields}
    list_, _ = InventoryList.objects.get_or_create(pk=list_id, defaults=list_fields)
    know_stock(stock or {}, list_id=list_id, at=at)
    site = Site.objects.create(pk=site_id, inventory_list=list_, **fields)
    site.refresh_from_db()
    return site


def permit_lists(site: Site, *list_ids: str) -> None:
    """Let a site sell from these lists beside its own, and from no others."""
    permit_only(site, InventoryList.objects.filter(pk__in=list_ids))


def know_stock(
    stock: Mapping[str, Units], *, list_id: str = "web", at: datetime = START, safety: Units = 0
) -> None:
    """Bring a figure of each SKU into the ledger, as a snapshot asked for at `at`."""
    figures = [
        Figure(list_id, sku, Decimal(str(units)), Decimal(str(safety)))
        for sku, units in stock.items()
    ]
    ledger.apply_snapshot(figures=figures, taken_at=at, lag=timedelta(seconds=3), now=at)


def capture(
    site: Site,
    order_no: str,
    items: list[tuple[str, float]],
    *,
    at: datetime = START,
    claim: Claim | None = None,
    **members: Any,
) -> Order:
    """Capture an order: offline, or with a `claim` for whoever reserves it live."""
    return capture_raw(site, raw_order(order_no, items, **members), at=at, claim=claim)


def capture_raw(
    site: Site, raw: bytes, *, at: datetime = START, claim: Claim | None = None
) -> Order:
    """Capture the order that `raw` describes."""
    return capture_order(
        placed=parse_order(raw, site=site),
        site=site,
        offline_since=None,
        offline_reason="" if claim else "The connection to OCI is offline.",
        claim=claim,
        actor=SHOP,
        now=at,
    ).order


def change_currency(order: Order, currency: str) -> None:
    """Let an order say, wherever it is written down, that it was placed in `currency`."""
    payload = OrderPayload.objects.get(order=order)
    body = json.dumps(json.loads(payload.body) | {"currency": currency})
    digest = meaning_hash(body.encode())
    OrderPayload.objects.filter(pk=payload.pk).update(body=body)
    Order.objects.filter(pk=order.pk).update(currency=currency, payload_hash=digest)
    CaptureTrace.objects.filter(pk=order.pk).update(currency=currency, payload_hash=digest)

"""Refused orders as rows, and their sums.

A row holds nothing of the shopper. One order number has one row, however often the storefront tries
again, so that the table grows with the orders that shoppers place and not with the tries: a row is
a small part of what the same order would have taken, had it been accepted. Retention deletes old
rows.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum

from orders.errors import (
    OfflineCapExceeded,
    OfflineCaptureRefused,
    OrderFailedBefore,
    OrderRefused,
    ShortOnStock,
    UnknownSku,
)
from orders.fields import ZERO
from orders.models import Order, OrderStatus, RefusedOrder, Site
from orders.payload import PlacedOrder
from orders.payload_items import Takes

logger = logging.getLogger(__name__)

MOST_SKUS = 50
# The shop could not sell. A number that is taken, or on its way, is no refused order.
REFUSALS = (OfflineCapExceeded, OfflineCaptureRefused, ShortOnStock, UnknownSku)


def note(
    *, placed: PlacedOrder, site: Site, refusal: OrderRefused, is_offline: bool, now: datetime
) -> None:
    """Write down that an order was refused; call it after the transaction that refused it.

    A database that cannot take the row leaves a line in the log: the shopper is answered
    all the same.
    """
    if not isinstance(refusal, (*REFUSALS, OrderFailedBefore)):
        return
    rows = RefusedOrder.objects.filter(site=site, order_no=placed.order_no)
    again = {"attempts": F("attempts") + 1, "last_at": now}
    try:
        if rows.update(**again) or isinstance(refusal, OrderFailedBefore):
            return
        row = _row(placed, site=site, refusal=refusal, is_offline=is_offline, now=now)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            rows.update(**again)  # another request with the same order was faster
    except DatabaseError:
        logger.exception("The refused order %s of site %s was not noted.", placed.order_no, site.pk)


def _row(
    placed: PlacedOrder, *, site: Site, refusal: OrderRefused, is_offline: bool, now: datetime
) -> RefusedOrder:
    # As a capture sums them up: a line that never takes stock has no units.
    taking = [item for item in placed.items if item.takes == Takes.ALWAYS]
    skus = sorted({item.sku for item in placed.items})
    return RefusedOrder(
        site=site,
        order_no=placed.order_no,
        at=now,
        last_at=now,
        why=refusal.type,
        cap=refusal.cap if isinstance(refusal, OfflineCapExceeded) else "",
        is_offline=is_offline,
        units=sum((item.quantity for item in taking), ZERO),
        value=placed.order_total,
        currency=placed.currency,
        skus=skus[:MOST_SKUS],
        sku_count=len(skus),
    )


def still_refused(rows: QuerySet[RefusedOrder] | None = None) -> QuerySet[RefusedOrder]:
    """Return those of `rows`, or of all, whose order was not accepted later."""
    accepted = Order.objects.filter(site=OuterRef("site"), order_no=OuterRef("order_no")).exclude(
        status=OrderStatus.FAILED
    )
    return (RefusedOrder.objects.all() if rows is None else rows).filter(~Exists(accepted))


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused orders, units, value by currency, and orders by reason."""

    orders: int = 0
    units: Decimal = ZERO
    value: Mapping[str, Decimal] = field(default_factory=dict)
    by_why: Mapping[str, int] = field(default_factory=dict)


def sum_up(rows: QuerySet[RefusedOrder]) -> Refused:
    """Return what `rows` add up to; one query."""
    value: dict[str, Decimal] = defaultdict(lambda: ZERO)
    by_why: Counter[str] = Counter()
    units = ZERO
    groups = rows.order_by().values("currency", "why", "cap")
    for group in groups.annotate(n=Count("pk"), u=Sum("units"), v=Sum("value")).order_by(
        "currency", "why", "cap"
    ):
        value[group["currency"]] += group["v"]
        by_why[f"{group['why']}:{group['cap']}".rstrip(":")] += group["n"]
        units += group["u"]
    return Refused(sum(by_why.values()), units, dict(value), dict(by_why))


def forget_old(*, before: datetime) -> int:
    """Delete rows of orders refused before a time; return how many."""
    deleted, _ = RefusedOrder.objects.filter(last_at__lt=before).delete()
    return deleted

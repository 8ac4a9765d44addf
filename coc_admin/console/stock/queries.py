"""Queries of the stock pages: records, open holds and movements, a page of rows at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from coc_admin.console.queries import PAGE
from coc_admin.pager import NEWEST_FIRST, OLDEST_FIRST, Column, Keyset, Page
from orders.fields import ZERO
from orders.models import Hold, HoldState, InventoryList, InventoryRecord, Movement
from orders.models.inventory import OPEN_HOLDS
from orders.search_expressions import ByteOrder, begins_with

HOLDS = 25
_BY_SKU = Keyset(Column("inventory_list_id", str), Column("sku_bytes", str, attribute="sku"))


def records(
    *,
    list_: InventoryList | None,
    prefix: str,
    most: Decimal | None,
    lists: Collection[InventoryList] | None = None,
    name: str = "",
) -> QuerySet[InventoryRecord]:
    """Return the matching records of `list_`, or else of `lists` (None: all), not sorted.

    `prefix` is the beginning of the SKU, case-sensitive. `most` keeps tracked SKUs with at most
    that ATO, `name` those with it in their product name, in any case; no index answers these two,
    only a walk through the list.
    """
    found = InventoryRecord.objects.alias(sku_bytes=ByteOrder("sku"))
    if list_ is not None:
        lists = [list_]
    elif lists is None and prefix:
        # Naming the lists lets the index (list, SKU) answer.
        lists = list(InventoryList.objects.all())
    if lists is not None:
        found = found.filter(inventory_list__in=[one.pk for one in lists])
    if prefix:
        found = found.filter(begins_with("sku_bytes", prefix))
    if most is not None:
        found = found.filter(snapshot_ato__isnull=False, ato__lte=most)
    if name:
        found = found.filter(product_name__icontains=name)
    return found


def page_of_records(found: QuerySet[InventoryRecord], *, cursor: str) -> Page[InventoryRecord]:
    """Return the page of `records` at `cursor`; an invalid cursor means the start."""
    return _BY_SKU.page(found, cursor, size=PAGE)


@dataclass(frozen=True, slots=True)
class Makeup:
    """The parts of a SKU's ATO: OCI's figure less the holds of waiting and answered orders."""

    waiting: Decimal
    waiting_orders: int
    answered: Decimal
    answered_orders: int
    deficit: Decimal


def _open_holds(record: InventoryRecord, sites: Collection[str] | None) -> QuerySet[Hold]:
    holds = Hold.objects.filter(record=record, state__in=OPEN_HOLDS)
    return holds if sites is None else holds.filter(order__site__in=sites)


def makeup_of(
    record: InventoryRecord, *, now: datetime, sites: Collection[str] | None = None
) -> Makeup:
    """Return the holds of orders (of `sites`) on `record`, by reason.

    A short order that is asked for again also waits for an answer. `deficit` is what all orders
    hold beyond OCI's figure.
    """
    waiting = Q(state=HoldState.WAITING) | Q(answered_at__gt=now)
    sums = _open_holds(record, sites).aggregate(
        waiting=Sum("quantity", filter=waiting),
        waiting_orders=Count("pk", filter=waiting),
        units=Sum("quantity"),
        orders=Count("pk"),
    )
    figure = record.snapshot_ato
    return Makeup(
        waiting=sums["waiting"] or ZERO,
        waiting_orders=sums["waiting_orders"],
        answered=(sums["units"] or ZERO) - (sums["waiting"] or ZERO),
        answered_orders=sums["orders"] - sums["waiting_orders"],
        deficit=ZERO if figure is None else max(ZERO, record.held - figure),
    )


def page_of_holds(
    record: InventoryRecord, *, cursor: str, sites: Collection[str] | None = None
) -> Page[Hold]:
    """Return open holds of orders (of `sites`) on `record`, the oldest first; one query."""
    holds = _open_holds(record, sites).select_related("order")
    return OLDEST_FIRST.page(holds, cursor, size=HOLDS)


def page_of_movements(
    record: InventoryRecord, *, cursor: str, sites: Collection[str] | None = None
) -> Page[Movement]:
    """Return lines of the ledger with their orders, the newest first; one query.

    `sites` leaves out lines of other sites' orders.
    """
    movements = Movement.objects.filter(record=record).select_related("hold__order")
    if sites is not None:
        movements = movements.filter(Q(hold=None) | Q(hold__order__site__in=sites))
    return NEWEST_FIRST.page(movements, cursor, size=PAGE)

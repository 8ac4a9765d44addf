"""What the pages about stock read: records, open holds and movements, a page of rows at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from django.db.models import Count, Q, QuerySet, Sum

from coc_admin.console.queries import PAGE, Page
from orders.fields import ZERO
from orders.models import Hold, HoldState, InventoryList, InventoryRecord, Movement
from orders.models.inventory import OPEN_HOLDS
from orders.search_expressions import ByteOrder, begins_with

T = TypeVar("T")

HOLDS = 25


def records(
    *,
    list_: InventoryList | None,
    prefix: str,
    most: Decimal | None,
    lists: Collection[InventoryList] | None = None,
    name: str = "",
) -> QuerySet[InventoryRecord]:
    """Return the records of `list_`, or else of `lists` (None: all), that fit, by list and SKU.

    `prefix` is how the SKU begins, capital and small letters apart. `most` leaves tracked SKUs
    whose ATO is at most that, `name` those whose product name holds it, in any case; it is no index
    that answers these but a walk through the list.
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
    return found.order_by("inventory_list_id", "sku_bytes")


def page_of_records(found: QuerySet[InventoryRecord], *, cursor: str) -> Page[InventoryRecord]:
    """Return the page of `records` after `cursor`; a cursor that is none is the start."""
    after = _read_cursor(cursor)
    if after:
        list_id, sku = after
        found = found.filter(inventory_list_id__gte=list_id).filter(
            Q(inventory_list_id__gt=list_id) | Q(sku_bytes__gt=sku)
        )
    rows = list(found[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    return Page(rows, _cursor(rows[-1]) if more else "", is_first=after is None)


def _cursor(record: InventoryRecord) -> str:
    text = f"{record.inventory_list_id}~{record.sku}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[str, str] | None:
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        list_id, mark, sku = raw.decode().partition("~")
    except (ValueError, binascii.Error):
        return None
    return (list_id, sku) if mark and "\x00" not in list_id + sku else None


@dataclass(frozen=True, slots=True)
class Makeup:
    """What the ATO of a SKU is made of: OCI's figure less what waiting and answered orders hold."""

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
    """Return what orders (of `sites`) hold of `record` and why.

    A short order that OCI is asked for again waits for an answer too. `deficit` is what all orders
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


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """Rows of a part of a page, the key where the next ones begin, and whether these are first."""

    rows: list[T]
    next_key: int | None
    is_first: bool


def page_of_holds(
    record: InventoryRecord, *, after: int | None, sites: Collection[str] | None = None
) -> Rows[Hold]:
    """Return open holds of orders (of `sites`) on `record`, the oldest first; one query."""
    holds = _open_holds(record, sites).select_related("order")
    if after is not None:
        holds = holds.filter(pk__gt=after)
    rows = list(holds.order_by("pk")[: HOLDS + 1])
    more, rows = len(rows) > HOLDS, rows[:HOLDS]
    return Rows(rows, rows[-1].pk if more else None, after is None)


def page_of_movements(
    record: InventoryRecord, *, before: int | None, sites: Collection[str] | None = None
) -> Rows[Movement]:
    """Return lines of the ledger with their orders, the newest first; one query.

    With `sites` those of other sites' orders are left out.
    """
    movements = Movement.objects.filter(record=record).select_related("hold__order")
    if sites is not None:
        movements = movements.filter(Q(hold=None) | Q(hold__order__site__in=sites))
    if before is not None:
        movements = movements.filter(pk__lt=before)
    rows = list(movements.order_by("-pk")[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    return Rows(rows, rows[-1].pk if more else None, before is None)

"""What report files say of an order (design 7); schemas/ holds the same as JSON Schema."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from orders.cursors import among
from orders.fields import MoneyField, QuantityField, json_number_of, stored, stored_money
from orders.models import SETTLED_STATES, Order, OrderItem
from orders.models.orders import OrderQuerySet
from orders.serializers import iso
from reconciliation.models import DocumentState, ReportType, ReservationDocument, RunEntry

SCHEMA_VERSION = 1
CHUNK = 2_000

# Of a waiting order the document that was sent; of others what OCI has answered.
_TELLING = (
    DocumentState.PREPARED,
    DocumentState.ANSWERED,
    DocumentState.COUNTED,
    DocumentState.CANCELLING,
)


class OrderRow(NamedTuple):
    """What the files need of an order; `order_total` is as its column stores it."""

    pk: int
    site_id: str
    order_no: str
    captured_at: datetime
    reconciled_at: datetime | None
    reservation_state: str
    currency: str
    order_total: int
    customer: dict[str, Any]
    resolution: str
    resolution_at: datetime | None
    resolution_by: str
    resolution_note: str


class _ItemRow(NamedTuple):
    """What the files need of an item; quantities and price are as their columns store them."""

    pk: int
    order_id: int
    item_id: str
    sku: str
    product_name: str
    inventory_list_id: str
    kind: str
    replaces_id: int | None
    parent_id: int | None
    quantity: int
    stockless_quantity: int
    reserved_quantity: int
    cancelled_quantity: int
    replaced_quantity: int
    unit_price: int | None


_EXACT = (*(name for name in _ItemRow._fields if name.endswith("quantity")), "unit_price")
_ITEM_COLUMNS = [f"_{name}" if name in _EXACT else name for name in _ItemRow._fields]
_ITEMS = OrderItem.objects.annotate(**{f"_{name}": stored(name) for name in _EXACT})
_COLUMNS = {"order_total": "_total"}


def in_chunks(orders: OrderQuerySet) -> Iterator[list[Order]]:
    """Yield `orders` by capture, 2,000 at a time, each read once, in constant memory."""
    orders = orders.order_by("captured_at", "id").select_related("site")
    chunk = list(orders[:CHUNK])
    while chunk:
        yield chunk
        last = chunk[-1]
        # Compared as a pair, which the index of both columns answers.
        later = orders.filter(captured_at__gte=last.captured_at).exclude(
            captured_at=last.captured_at, pk__lte=last.pk
        )
        chunk = list(later[:CHUNK])


def rows_in_chunks(orders: OrderQuerySet) -> Iterator[list[OrderRow]]:
    """Yield the rows of `orders` by capture, 2,000 at a time, each read once, in constant memory.

    A day of a million orders spends its time here: rows cost a fifth of what models do.
    """
    columns = [_COLUMNS.get(name, name) for name in OrderRow._fields]
    found: QuerySet[Any] = orders.order_by("captured_at", "id")
    rows: QuerySet[Any, Any] = found.annotate(_total=stored("order_total")).values_list(*columns)
    chunk = [OrderRow._make(row) for row in rows[:CHUNK]]
    while chunk:
        yield chunk
        last = chunk[-1]
        later = rows.filter(captured_at__gte=last.captured_at).exclude(
            captured_at=last.captured_at, pk__lte=last.pk
        )
        chunk = [OrderRow._make(row) for row in later[:CHUNK]]


def members_of(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Return what the files say of each of `orders`; three queries for all of them."""
    return members_of_rows([_row_of(order) for order in orders])


def members_of_rows(orders: Sequence[OrderRow]) -> list[dict[str, Any]]:
    """Return what the files say of each of `orders`; three queries for all of them."""
    ids = among([order.pk for order in orders])
    items: dict[int, list[_ItemRow]] = defaultdict(list)
    for row in _ITEMS.filter(order__in=ids).order_by("position").values_list(*_ITEM_COLUMNS):
        item = _ItemRow._make(row)
        items[item.order_id].append(item)
    documents: dict[int, list[str]] = defaultdict(list)
    told = ReservationDocument.objects.filter(order__in=ids, state__in=_TELLING)
    for order_id, reservation_id in told.order_by("generation", "part").values_list(
        "order", "reservation_id"
    ):
        documents[order_id].append(str(reservation_id))
    # Sorted, so that the latest run that settled the order is the one that stays.
    runs = dict(
        RunEntry.objects.filter(order__in=ids, state__in=SETTLED_STATES)
        .order_by("id")
        .values_list("order", "run")
    )
    return [
        _members(order, items[order.pk], documents[order.pk], runs.get(order.pk))
        for order in orders
    ]


def _row_of(order: Order) -> OrderRow:
    values: dict[str, Any] = {name: getattr(order, name) for name in OrderRow._fields}
    return OrderRow(**values | {"order_total": stored_money(order.order_total)})


def _members(
    order: OrderRow, items: Sequence[_ItemRow], documents: list[str], run_id: int | None
) -> dict[str, Any]:
    return {
        "siteId": order.site_id,
        "orderNo": order.order_no,
        "capturedAt": iso(order.captured_at),
        "reconciledAt": iso(order.reconciled_at),
        "reservationState": str(order.reservation_state),
        "reservationId": documents[0] if documents else None,
        "reservationIds": documents,
        "currency": order.currency,
        "orderTotal": json_number_of(order.order_total, MoneyField.places),
        "customer": order.customer,
        "items": _items(items),
        "runId": run_id,
        "resolution": _resolution(order),
    }


def _items(items: Sequence[_ItemRow]) -> list[dict[str, Any]]:
    numbers: dict[int | None, str] = {item.pk: item.item_id for item in items}
    return [
        {
            "itemId": item.item_id,
            "sku": item.sku,
            "productName": item.product_name,
            "inventoryListId": item.inventory_list_id,
            "quantity": _units(item.quantity + item.stockless_quantity),
            "reservedQuantity": _units(item.reserved_quantity),
            "shortQuantity": _units(item.quantity - item.reserved_quantity),
            "cancelledQuantity": _units(item.cancelled_quantity),
            "replacedQuantity": _units(item.replaced_quantity),
            "unitPrice": None
            if item.unit_price is None
            else json_number_of(item.unit_price, MoneyField.places),
            "replacesItemId": numbers.get(item.replaces_id),
            "parentItemId": numbers.get(item.parent_id),
            "kind": item.kind,
            "takesStock": item.quantity > 0,
        }
        for item in items
    ]


def _units(thousandths: int) -> int | float:
    return json_number_of(thousandths, QuantityField.places)


def _resolution(order: OrderRow) -> dict[str, Any] | None:
    if not order.resolution:
        return None
    return {
        "what": order.resolution,
        "at": iso(order.resolution_at),
        "by": order.resolution_by,
        "note": order.resolution_note,
    }


def work_file(kind: ReportType, members: dict[str, Any]) -> bytes:
    """Return the content of a work file."""
    head = {"schemaVersion": SCHEMA_VERSION, "reportType": kind.value}
    return json.dumps(head | members, ensure_ascii=False, indent=1).encode() + b"\n"


_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def line_of(members: dict[str, Any]) -> bytes:
    """Return an order as one line of a daily report, without its line end."""
    return _line(members).encode()

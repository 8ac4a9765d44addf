"""The content of report files about an order (design 7).

The columns of CSV and XLSX, and the JSON Schemas in schemas/, are generated from these definitions
(`.schema`, `.downloads`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from django.db.models import QuerySet
from pydantic import Field

from orders.cursors import among
from orders.fields import MoneyField, QuantityField, json_number_of, stored, stored_money
from orders.members import (
    Members,
    MomentOrNull,
    Number,
    NumberOrNull,
    Read,
    from_attribute,
    like,
)
from orders.models import SETTLED_STATES, Order, OrderItem, Resolution
from orders.models.orders import OrderQuerySet
from orders.serializers import ItemMembers, OrderMembers
from reconciliation.models import DocumentState, ReportType, ReservationDocument, RunEntry

SCHEMA_VERSION = 1
CHUNK = 2_000

# A waiting order shows the document that was sent, others OCI's answer.
_TELLING = (
    DocumentState.PREPARED,
    DocumentState.ANSWERED,
    DocumentState.COUNTED,
    DocumentState.CANCELLING,
)


class ReportItem(ItemMembers):
    """An item of an order in a report file."""

    productName: str
    inventoryListId: str
    shortQuantity: Annotated[Number, like(minimum=0)] = Field(
        description="Ordered minus reserved; 0 where takesStock is false"
    )
    unitPrice: Annotated[NumberOrNull, like(minimum=0)]


class ReportResolution(Members):
    """How an order of a report file was settled."""

    what: Annotated[Resolution, from_attribute("resolution")]
    at: Annotated[MomentOrNull, from_attribute("resolution_at")]
    by: Annotated[str, from_attribute("resolution_by")]
    note: Annotated[str, from_attribute("resolution_note")]

    @classmethod
    def or_null(cls, order: Any) -> dict[str, Any] | None:
        """Return how `order` was settled; None if it was not."""
        return cls.of(order) if order.resolution else None


class ReportOrder(OrderMembers):
    """An order in a report file."""

    reservationId: Annotated[str | None, like(format="uuid")] = Field(
        description="The first reservation document at OCI"
    )
    reservationIds: list[Annotated[str, like(format="uuid")]] = Field(
        description="All of them: orders above 100 lines and reruns have several"
    )
    currency: Annotated[str, like(pattern="^[A-Z]{3}$")]
    orderTotal: Annotated[Number, like(minimum=0)]
    customer: dict[str, str] = Field(
        description="customerId, customerName and email, as far as given"
    )
    items: Annotated[list[ReportItem], like(minItems=1)]
    runId: int | None = Field(description="The reconciliation that settled the order")
    resolution: Annotated[ReportResolution | None, Read(ReportResolution.or_null)]


class OrderRow(NamedTuple):
    """The files' data of an order; `order_total` is in the unit of its column."""

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
    """The files' data of an item; quantities and price are in the units of their columns."""

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
        # Compared as a pair, which the index on both columns can answer.
        later = orders.filter(captured_at__gte=last.captured_at).exclude(
            captured_at=last.captured_at, pk__lte=last.pk
        )
        chunk = list(later[:CHUNK])


def rows_in_chunks(orders: OrderQuerySet) -> Iterator[list[OrderRow]]:
    """Yield the rows of `orders` by capture, 2,000 at a time, each read once, in constant memory.

    A day of a million orders spends its time here: rows cost a fifth of model instances.
    """
    rows = _rows(orders)
    chunk = [OrderRow._make(row) for row in rows[:CHUNK]]
    while chunk:
        yield chunk
        last = chunk[-1]
        later = rows.filter(captured_at__gte=last.captured_at).exclude(
            captured_at=last.captured_at, pk__lte=last.pk
        )
        chunk = [OrderRow._make(row) for row in later[:CHUNK]]


def rows_among(orders: OrderQuerySet, ids: Sequence[int]) -> list[OrderRow]:
    """Return the rows of those of `orders` that have one of these ids, by capture; one query."""
    return [OrderRow._make(row) for row in _rows(orders).filter(pk__in=among(ids))]


def _rows(orders: OrderQuerySet) -> QuerySet[Any, Any]:
    columns = [_COLUMNS.get(name, name) for name in OrderRow._fields]
    found: QuerySet[Any] = orders.order_by("captured_at", "id")
    rows: QuerySet[Any, Any] = found.annotate(_total=stored("order_total")).values_list(*columns)
    return rows


def members_of(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Return the files' members of each of `orders`; three queries for all of them."""
    return members_of_rows([_row_of(order) for order in orders])


def members_of_rows(orders: Sequence[OrderRow]) -> list[dict[str, Any]]:
    """Return the files' members of each of `orders`; three queries for all of them."""
    ids = among([order.pk for order in orders])
    items: dict[int, list[_ItemRow]] = defaultdict(list)
    for row in _ITEMS.filter(order__in=ids).order_by("position").values_list(*_ITEM_COLUMNS):
        item = _ItemRow._make(row)
        items[item.order_id].append(item)
    documents: dict[int, list[str]] = defaultdict(list)
    answering = ReservationDocument.objects.filter(order__in=ids, state__in=_TELLING)
    for order_id, reservation_id in answering.order_by("generation", "part").values_list(
        "order", "reservation_id"
    ):
        documents[order_id].append(str(reservation_id))
    # Sorted, so that the latest run that settled the order wins.
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
    return ReportOrder.of(
        order,
        reservationId=documents[0] if documents else None,
        reservationIds=documents,
        orderTotal=json_number_of(order.order_total, MoneyField.places),
        items=_items(items),
        runId=run_id,
    )


def _items(items: Sequence[_ItemRow]) -> list[dict[str, Any]]:
    numbers: dict[int | None, str] = {item.pk: item.item_id for item in items}
    return [
        ReportItem.of(
            item,
            quantity=_units(item.quantity + item.stockless_quantity),
            reservedQuantity=_units(item.reserved_quantity),
            shortQuantity=_units(item.quantity - item.reserved_quantity),
            cancelledQuantity=_units(item.cancelled_quantity),
            replacedQuantity=_units(item.replaced_quantity),
            unitPrice=None
            if item.unit_price is None
            else json_number_of(item.unit_price, MoneyField.places),
            replacesItemId=numbers.get(item.replaces_id),
            parentItemId=numbers.get(item.parent_id),
            takesStock=item.quantity > 0,
        )
        for item in items
    ]


def _units(thousandths: int) -> int | float:
    return json_number_of(thousandths, QuantityField.places)


def work_file(kind: ReportType, members: dict[str, Any]) -> bytes:
    """Return the content of a work file."""
    head = {"schemaVersion": SCHEMA_VERSION, "reportType": kind.value}
    return json.dumps(head | members, ensure_ascii=False, indent=1).encode() + b"\n"


_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def line_of(members: dict[str, Any]) -> bytes:
    """Return an order as one line of a daily report, without its line end."""
    return _line(members).encode()

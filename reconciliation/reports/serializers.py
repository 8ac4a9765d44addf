"""What report files say of an order (design 7); schemas/ holds the same as JSON Schema."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from orders.fields import json_number
from orders.models import SETTLED_STATES, Order, OrderItem, ReservationState
from orders.models.orders import OrderQuerySet
from orders.serializers import iso
from reconciliation.models import DocumentState, ReportType, ReservationDocument, RunEntry

SCHEMA_VERSION = 1
CHUNK = 500

# Of a waiting order the document that was sent; of others what OCI has answered.
_TELLING = (
    DocumentState.PREPARED,
    DocumentState.ANSWERED,
    DocumentState.COUNTED,
    DocumentState.CANCELLING,
)


def in_chunks(orders: OrderQuerySet) -> Iterator[list[Order]]:
    """Yield `orders` by capture, 500 at a time, each read once, in constant memory."""
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


def members_of(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Return what the files say of each of `orders`; three queries for all of them."""
    ids = [order.pk for order in orders]
    items: dict[int, list[OrderItem]] = defaultdict(list)
    for item in OrderItem.objects.filter(order__in=ids).order_by("position"):
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


def _members(
    order: Order, items: Iterable[OrderItem], documents: list[str], run_id: int | None
) -> dict[str, Any]:
    return {
        "siteId": order.site_id,
        "orderNo": order.order_no,
        "capturedAt": iso(order.captured_at),
        "reconciledAt": iso(order.reconciled_at),
        "reservationState": ReservationState(order.reservation_state).value,
        "reservationId": documents[0] if documents else None,
        "reservationIds": documents,
        "currency": order.currency,
        "orderTotal": json_number(order.order_total),
        "customer": order.customer,
        "items": _items(list(items)),
        "runId": run_id,
        "resolution": _resolution(order),
    }


def _items(items: Sequence[OrderItem]) -> list[dict[str, Any]]:
    numbers: dict[int | None, str] = {item.pk: item.item_id for item in items}
    return [
        _item(item)
        | {
            "replacesItemId": numbers.get(item.replaces_id),
            "parentItemId": numbers.get(item.parent_id),
            "kind": item.kind,
            "takesStock": item.takes_stock,
        }
        for item in items
    ]


def _item(item: OrderItem) -> dict[str, Any]:
    return {
        "itemId": item.item_id,
        "sku": item.sku,
        "productName": item.product_name,
        "inventoryListId": item.inventory_list_id,
        "quantity": json_number(item.ordered_quantity),
        "reservedQuantity": json_number(item.reserved_quantity),
        "shortQuantity": json_number(item.short_quantity),
        "cancelledQuantity": json_number(item.cancelled_quantity),
        "replacedQuantity": json_number(item.replaced_quantity),
        "unitPrice": None if item.unit_price is None else json_number(item.unit_price),
    }


def _resolution(order: Order) -> dict[str, Any] | None:
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


def line_of(members: dict[str, Any]) -> bytes:
    """Return an order as one line of a daily report, without its line end."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

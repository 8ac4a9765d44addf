"""What report files say of an order (design 7).

The columns of CSV and XLSX, and the JSON Schemas in schemas/, are made from these definitions
(`.schema`, `.downloads`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field

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
from orders.serializers import ItemMembers, OrderMembers, links_of
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
    def or_null(cls, order: Order) -> dict[str, Any] | None:
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
    order: Order, items: Sequence[OrderItem], documents: list[str], run_id: int | None
) -> dict[str, Any]:
    links = links_of(items)
    return ReportOrder.of(
        order,
        reservationId=documents[0] if documents else None,
        reservationIds=documents,
        items=[ReportItem.of(item, **links[item.pk]) for item in items],
        runId=run_id,
    )


def work_file(kind: ReportType, members: dict[str, Any]) -> bytes:
    """Return the content of a work file."""
    head = {"schemaVersion": SCHEMA_VERSION, "reportType": kind.value}
    return json.dumps(head | members, ensure_ascii=False, indent=1).encode() + b"\n"


def line_of(members: dict[str, Any]) -> bytes:
    """Return an order as one line of a daily report, without its line end."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

"""The document of an order: everything that an order management system needs.

Its `version` counts the events of the order: whatever changes what the document shows records one
in its transaction. The export status and what follows from it belong to no version, so that taking
an order does not change the document that was taken. Read the version together with the order or
before it: what is read later is of that version or of a newer one, and then acknowledging it is
refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Length
from pydantic import Field

from orders import strict_json
from orders.fields import json_number
from orders.members import Members, MomentOrNull, Number, NumberOrNull, Read, from_attribute
from orders.models import EventKind, Order, OrderEvent, OrderItem, OrderPayload, Resolution
from orders.models.orders import OrderQuerySet
from orders.serializers import ItemAnswer, OrderAnswer, links_of, short_of

# Members of the order as it was sent that say what it comes to.
_TOTALS = ("Total", "SubTotal", "Tax")
_COUNTED = ~Q(kind=EventKind.EXPORT)


class ItemDocument(ItemAnswer):
    """One line of an order, with what an order management system must know of it."""

    productName: str
    inventoryListId: str
    unitPrice: NumberOrNull
    replacedByItemIds: list[str] = Field(
        description="Items of this order that are delivered in place of replacedQuantity."
    )
    partItemIds: list[str] = Field(description="Parts and options of it: items of this order.")


class ResolutionAnswer(Members):
    """How a short or cancelled order was settled."""

    kind: Annotated[Resolution, from_attribute("resolution")]
    at: Annotated[MomentOrNull, from_attribute("resolution_at")]
    by: Annotated[str, from_attribute("resolution_by")]
    reference: Annotated[str | None, Read(lambda order: order.resolution_reference or None)] = (
        Field(description="Under which settled_outside was recorded.")
    )
    note: Annotated[str, from_attribute("resolution_note")]

    @classmethod
    def or_null(cls, order: Order) -> dict[str, Any] | None:
        """Return how `order` was settled; None if it was not."""
        return None if order.resolution == Resolution.NONE else cls.of(order)


class OrderDocument(OrderAnswer):
    """The whole order, in one version."""

    version: Annotated[int, from_attribute("document_version")] = Field(
        description="Grows with every change that the document shows, but for the export status,"
        " acknowledgedVersion and handoverAt."
    )
    acknowledgedVersion: Annotated[int | None, from_attribute("exported_version")] = Field(
        description="The version that order management named when it took the order."
    )
    handoverAt: Annotated[MomentOrNull, from_attribute("export_due_at")] = Field(
        description="When a short order becomes ready, unless a person decides it earlier. null"
        " with exportStatus not_exported: when it is reserved or decided."
    )
    creationDate: str = Field(description="As the storefront sent it.")
    currency: str
    orderTotal: Number
    totals: dict[str, int | float] = Field(
        description="orderTotal, and every other total and tax that the storefront sent."
    )
    customerInfo: dict[str, Any] = Field(
        description="As the storefront sent it; empty once the customer is erased."
    )
    billingAddress: dict[str, Any] | None = Field(description="As the storefront sent it.")
    shippingAddress: dict[str, Any] | None = Field(description="As the storefront sent it.")
    shipments: list[dict[str, Any]] = Field(
        description="As the storefront sent them, with their addresses."
    )
    customerErasedAt: MomentOrNull
    resolution: Annotated[ResolutionAnswer | None, Read(ResolutionAnswer.or_null)]
    items: list[ItemDocument]  # type: ignore[assignment]


def with_documents(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return `orders` ready for `order_document`: two queries more than the orders themselves."""
    events = (
        OrderEvent.objects.filter(_COUNTED, order=OuterRef("pk"))
        .order_by()
        .values("order")
        .annotate(number=Count("pk"))
    )
    version = Coalesce(Subquery(events.values("number")), 0, output_field=IntegerField())
    return (
        orders.annotate(document_version=version)
        .select_related("payload")
        .prefetch_related("items")
    )


def version_of(order_id: int) -> int:
    """Return the version of an order's document; with the order locked it stays so."""
    return OrderEvent.objects.filter(_COUNTED, order=order_id).count()


def lengths_of_payloads(orders: OrderQuerySet | QuerySet[Order]) -> dict[int, int]:
    """Return the length of the order as it was sent, by primary key; one query."""
    payloads = OrderPayload.objects.filter(order__in=orders)
    return dict(payloads.annotate(size=Length("body")).values_list("pk", "size"))


def order_document(order: Any) -> dict[str, Any]:
    """Return the document of an order that `with_documents` has prepared; no query."""
    sent = sent_of(order)
    items = sorted(order.items.all(), key=lambda item: item.position)
    links, more = links_of(items), _members_of_items(items)
    return OrderDocument.of(
        order,
        totals={"orderTotal": json_number(order.order_total)} | dict(_totals(sent)),
        customerInfo=order.customer | _object(sent.get("customerInfo")),
        billingAddress=_object(sent.get("billingAddress")) or None,
        shippingAddress=_object(sent.get("shippingAddress")) or None,
        shipments=[one for one in _list(sent.get("shipments")) if isinstance(one, dict)],
        items=[
            ItemDocument.of(
                item, shortQuantity=short_of(order, item), **links[item.pk], **more[item.pk]
            )
            for item in items
        ],
    )


def _members_of_items(items: list[OrderItem]) -> dict[int, dict[str, list[str]]]:
    """Return the items that each one names in the document, by its primary key."""
    replaced_by: dict[int | None, list[str]] = defaultdict(list)
    parts: dict[int | None, list[str]] = defaultdict(list)
    for item in items:
        replaced_by[item.replaces_id].append(item.item_id)
        parts[item.parent_id].append(item.item_id)
    return {
        item.pk: {"replacedByItemIds": replaced_by[item.pk], "partItemIds": parts[item.pk]}
        for item in items
    }


def sent_of(order: Order) -> dict[str, Any]:
    """Return the order as it was sent, with JSON numbers; empty if the payload is gone."""
    payload = getattr(order, "payload", None)
    if payload is None:
        return {}
    sent = _plain(
        strict_json.loads(payload.body.encode(), is_bounded=False, keeps_odd_numbers=True)
    )
    return _object(sent)


def _totals(sent: dict[str, Any]) -> Iterator[tuple[str, int | float]]:
    for name, value in sent.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and name != "orderTotal" and name.endswith(_TOTALS):
            yield name, value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        number = json_number(value)
        # What a double cannot hold says nothing that an order system could take.
        return None if isinstance(number, float) and abs(number) == float("inf") else number
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

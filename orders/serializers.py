"""What the API answers of an order and its items, and what report files share with it.

A member that both show is declared once, in `OrderMembers` or `ItemMembers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from orders import units
from orders.fields import json_number
from orders.members import (
    Members,
    Moment,
    MomentOrNull,
    Number,
    NumberOrNull,
    Read,
    from_attribute,
    iso,
    like,
)
from orders.models import (
    ExportStatus,
    ItemKind,
    Order,
    OrderItem,
    OrderStatus,
    ReservationState,
)

__all__ = ["ItemAnswer", "OrderAnswer", "iso", "order_answer", "short_of"]


class OrderMembers(Members):
    """Members of an order in the API and in report files. A new one of both is declared here."""

    siteId: Annotated[str, like(minLength=1, maxLength=32)]
    orderNo: Annotated[str, like(minLength=1, maxLength=50)]
    capturedAt: Moment = Field(description="When the order was committed, in UTC")
    reconciledAt: MomentOrNull = Field(
        description="When its reservation state was cleared, or null while it waits"
    )
    reservationState: ReservationState


class ItemMembers(Members):
    """Members of an item in the API and in report files."""

    itemId: str = Field(description="As the storefront numbered it, or its position from 1")
    sku: str
    quantity: Annotated[Number, from_attribute("ordered_quantity"), like(exclusiveMinimum=0)] = (
        Field(description="Units ordered, at most three decimals")
    )
    reservedQuantity: Annotated[Number, like(minimum=0)] = Field(
        description="Units that OCI holds for it now"
    )
    cancelledQuantity: Annotated[Number, like(minimum=0)] = Field(
        description="Of what is short: units that will not be delivered"
    )
    replacedQuantity: Annotated[Number, like(minimum=0)] = Field(
        description="Of what is short: units delivered as another item, which names this one"
    )
    replacesItemId: str | None = Field(description="The item of the order that this one stands for")
    parentItemId: str | None = Field(
        description="The item of the order that this one is a part or an option of"
    )
    kind: ItemKind
    takesStock: bool = Field(
        description="false: never reserved and never short; its parts or its bundle are"
    )


class ItemAnswer(ItemMembers):
    """One line of an order."""

    shortQuantity: NumberOrNull = Field(
        description="Ordered, and neither reserved nor cancelled nor replaced; 0 where takesStock"
        " is false. null while the order waits for its reservation."
    )


class OrderAnswer(OrderMembers):
    """An order and the state of its reservation."""

    status: OrderStatus
    capturedOffline: bool = Field(description="Accepted without a reservation.")
    needsReview: Annotated[bool, Read(lambda order: order.needs_review_since is not None)] = Field(
        description="Only a person can move it on."
    )
    exportStatus: ExportStatus
    promisedUntil: MomentOrNull = Field(
        description="Until when a short order keeps its place for arriving stock; null: no date."
    )
    items: list[ItemAnswer]


def short_of(order: Order, item: OrderItem) -> int | float | None:
    """Return the short units of an item for the API: ordered, and neither reserved nor
    cancelled nor replaced. None while OCI has not answered, 0 for an order that does not stand.
    """
    if order.status in (OrderStatus.CREATED, OrderStatus.NEW):
        return json_number(units.open_of(item)) if units.is_answered(order) else None
    return 0


def links_of(items: Iterable[OrderItem]) -> dict[int, dict[str, str | None]]:
    """Return which items of an order each of `items`, all of them, names; by primary key."""
    items = list(items)
    numbers: dict[int | None, str] = {item.pk: item.item_id for item in items}
    return {
        item.pk: {
            "replacesItemId": numbers.get(item.replaces_id),
            "parentItemId": numbers.get(item.parent_id),
        }
        for item in items
    }


def order_answer(order: Order, items: Iterable[OrderItem] | None = None) -> dict[str, Any]:
    """Return the API's answer about an order; two queries unless its items are given or prefetched.

    `items` are all of them, where they are at hand.
    """
    items = sorted(order.items.all() if items is None else items, key=lambda item: item.position)
    links = links_of(items)
    lines = [
        ItemAnswer.of(item, shortQuantity=short_of(order, item), **links[item.pk]) for item in items
    ]
    return OrderAnswer.of(order, items=lines)

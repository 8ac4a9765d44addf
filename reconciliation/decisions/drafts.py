"""The message of each remedy, drafted for the order as it will be once the remedy is done.

The order and its items are changed in copies only. `template` is the subject and body to fill
instead of those that are set now.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from orders.customer_messages import Draft, draft
from orders.fields import ZERO
from orders.message_languages import Template
from orders.models import MessageKind, Order, OrderItem, OrderStatus
from reconciliation.remedies import ReplacePreview


def cancelled_order(
    order: Order, items: Iterable[OrderItem], *, template: Template | None = None
) -> Draft:
    """Return the message that the whole order is cancelled."""
    gone = copy.copy(order)
    gone.status = OrderStatus.CANCELLING
    return draft(gone, MessageKind.CANCELLED, items=items, template=template)


def cancelled_items(
    order: Order,
    items: Iterable[OrderItem],
    units: Mapping[int, Decimal],
    *,
    template: Template | None = None,
) -> Draft:
    """Return the message that `units` of the items (by key) are cancelled."""
    after = _copies(items)
    for item in after:
        item.cancelled_quantity += units.get(item.pk, ZERO)
    return draft(order, MessageKind.SHORT_CANCELLED, items=after, template=template)


def settled_outside(
    order: Order, items: Iterable[OrderItem], *, template: Template | None = None
) -> Draft:
    """Return the message that the order is delivered as placed."""
    return draft(order, MessageKind.SETTLED_OUTSIDE, items=items, template=template)


def replaced(
    order: Order,
    items: Iterable[OrderItem],
    item: OrderItem,
    *,
    units: Decimal,
    sku: str,
    name: str,
    template: Template | None = None,
) -> Draft:
    """Return the message that `units` of an item are delivered as another SKU with this name."""
    after = _copies(items)
    old = next(one for one in after if one.pk == item.pk)
    old.replaced_quantity += units
    new = OrderItem(
        order=order,
        position=max(one.position for one in after) + 1,
        sku=sku,
        product_name=name,
        quantity=units,
        replaces=old,
    )
    return draft(order, MessageKind.REPLACED, items=[*after, new], template=template)


def split(
    order: Order,
    items: Iterable[OrderItem],
    parts: Sequence[ReplacePreview],
    rest: Sequence[OrderItem],
) -> Draft:
    """Return the message for items that are replaced as in `parts` and a cancelled `rest`."""
    after = _copies(items)
    by_key = {one.pk: one for one in after}
    position = max(one.position for one in after)
    for number, part in enumerate(parts, start=1):
        old = by_key[part.item.pk]
        old.replaced_quantity += part.units
        after.append(
            OrderItem(
                order=order,
                position=position + number,
                sku=part.sku,
                product_name=part.product_name,
                quantity=part.units,
                replaces=old,
            )
        )
    for item in rest:
        by_key[item.pk].cancelled_quantity += item.open_quantity
    kind = MessageKind.CHANGED if rest else MessageKind.REPLACED
    return draft(order, kind, items=after)


def _copies(items: Iterable[OrderItem]) -> list[OrderItem]:
    return [copy.copy(item) for item in items]

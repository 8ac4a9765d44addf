"""What a person can decide about one short order: each remedy with its effect and its message.

Nothing is changed. A message is drafted for the order as it will be once the remedy is done.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orders import lifecycle
from orders.customer_messages import Draft, draft
from orders.desk.shortages import Shortage
from orders.fields import ZERO
from orders.models import CustomerMessage, MessageKind, Order, OrderItem, OrderStatus
from reconciliation import remedies
from reconciliation.decisions.proposals import ACTIONS, Proposal, Remedy
from reconciliation.remedies import ReplacePreview

_KINDS: Mapping[Remedy, MessageKind] = {
    Remedy.REPLACE: MessageKind.REPLACED,
    Remedy.CANCEL_ITEMS: MessageKind.SHORT_CANCELLED,
    Remedy.CANCEL_ORDER: MessageKind.CANCELLED,
    Remedy.SETTLE: MessageKind.SETTLED_OUTSIDE,
}
_ORDER = (Remedy.REPLACE, Remedy.CANCEL_ITEMS, Remedy.CANCEL_ORDER, Remedy.SETTLE)


@dataclass(frozen=True, slots=True)
class Option:
    """One remedy of an order: the units it settles, what it changes of the price, its message.

    `change` is None where a price is not known. `refusal` says why it can't be done now.
    """

    remedy: Remedy
    is_proposed: bool
    refusal: str
    units: Decimal
    change: Decimal | None
    message: Draft
    items: Sequence[OrderItem] = ()
    replacing: ReplacePreview | None = None


def mark_of(order: Order, items: Iterable[OrderItem]) -> str:
    """Return a fingerprint of an order as a person sees it; another one once it has changed."""
    last = CustomerMessage.objects.filter(order=order).order_by("-pk").values_list("pk").first()
    facts: list[object] = [
        order.status,
        order.reservation_state,
        order.resolution,
        order.export_status,
        order.generation,
        order.needs_review_since is not None,
        last,
    ]
    for item in items:
        units = (item.reserved_quantity, item.cancelled_quantity, item.replaced_quantity)
        facts.append((item.pk, *(f"{one:f}" for one in units)))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def options_of(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    *,
    proposal: Proposal,
    sku: str,
    now: datetime,
) -> list[Option]:
    """Return the remedies of `order` with all its items, the proposed one first.

    `sku` is the replacement that the person has chosen, "" for the proposed one. A remedy that the
    order does not allow at all is left out; one that can't be done at the moment has a refusal.
    """
    found = []
    for remedy in _ORDER:
        if lifecycle.check(order, ACTIONS[remedy]) is not None:
            continue
        make = _MAKERS[remedy]
        option = make(order, items, shortage, proposal, sku, now)
        if option is not None:
            found.append(option)
    return sorted(found, key=lambda option: not option.is_proposed)


def _cancel_items(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    proposal: Proposal,
    sku: str,
    now: datetime,
) -> Option:
    (preview,) = remedies.preview_cancel_short([order])
    after = _copies(items)
    for item in after:
        item.cancelled_quantity += preview.units.get(item.pk, ZERO)
    return Option(
        remedy=Remedy.CANCEL_ITEMS,
        is_proposed=proposal.remedy == Remedy.CANCEL_ITEMS,
        refusal=preview.refusal,
        units=preview.short,
        change=-shortage.value if shortage.has_price else None,
        message=draft(order, MessageKind.SHORT_CANCELLED, items=after),
        items=preview.items,
    )


def _cancel_order(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    proposal: Proposal,
    sku: str,
    now: datetime,
) -> Option:
    gone = copy.copy(order)
    gone.status = OrderStatus.CANCELLING
    return Option(
        remedy=Remedy.CANCEL_ORDER,
        is_proposed=proposal.remedy == Remedy.CANCEL_ORDER,
        refusal="",
        units=sum((item.quantity for item in items if item.replaces_id is None), ZERO),
        change=-order.order_total,
        message=draft(gone, MessageKind.CANCELLED, items=items),
    )


def _settle(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    proposal: Proposal,
    sku: str,
    now: datetime,
) -> Option:
    return Option(
        remedy=Remedy.SETTLE,
        is_proposed=False,
        refusal="",
        units=shortage.units,
        change=ZERO,
        message=draft(order, MessageKind.SETTLED_OUTSIDE, items=items),
    )


def _replace(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    proposal: Proposal,
    sku: str,
    now: datetime,
) -> Option | None:
    """Return replacing the only short item; None with several, or with nothing to replace it by."""
    short = [item for item in items if item.open_quantity > 0]
    by = sku or proposal.sku
    if len(short) != 1 or not by:
        return None
    (item,) = short
    item.order = order
    price = remedies.usual_price(item=item, sku=by)
    (preview,) = remedies.preview_replace([item], sku=by, unit_price=price, now=now)
    return Option(
        remedy=Remedy.REPLACE,
        is_proposed=proposal.remedy == Remedy.REPLACE or bool(sku),
        refusal=remedies.why_oci_is_away() or preview.refusal,
        units=preview.units,
        change=preview.price_difference,
        message=draft(order, MessageKind.REPLACED, items=_replaced(items, item, preview)),
        items=(item,),
        replacing=preview,
    )


def _replaced(
    items: Sequence[OrderItem], item: OrderItem, preview: ReplacePreview
) -> list[OrderItem]:
    after = _copies(items)
    old = next(one for one in after if one.pk == item.pk)
    old.replaced_quantity += preview.units
    new = OrderItem(
        order=item.order,
        position=max(one.position for one in after) + 1,
        sku=preview.sku,
        product_name=preview.product_name,
        quantity=preview.units,
        replaces=old,
    )
    return [*after, new]


def _copies(items: Iterable[OrderItem]) -> list[OrderItem]:
    return [copy.copy(item) for item in items]


_MAKERS = {
    Remedy.REPLACE: _replace,
    Remedy.CANCEL_ITEMS: _cancel_items,
    Remedy.CANCEL_ORDER: _cancel_order,
    Remedy.SETTLE: _settle,
}

"""What a person can decide about one short order: each remedy with its effect and its message.

Nothing is changed. A message is drafted for the order as it will be once the remedy is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orders import lifecycle
from orders.customer_messages import Draft
from orders.desk.shortages import Shortage
from orders.fields import ZERO
from orders.models import CustomerMessage, Order, OrderItem
from orders.short_items import bundle_refusal
from reconciliation import remedies
from reconciliation.decisions import drafts
from reconciliation.decisions.proposals import ACTIONS, Proposal, Remedy
from reconciliation.remedies import ReplacePreview

_ORDER = (Remedy.SPLIT, Remedy.REPLACE, Remedy.CANCEL_ITEMS, Remedy.CANCEL_ORDER, Remedy.SETTLE)


@dataclass(frozen=True, slots=True)
class Split:
    """A proposal for several short items: some are replaced, the `rest` is cancelled, in one act.

    `change` is what it all changes of the price; None where a price is not known.
    """

    parts: Sequence[ReplacePreview]
    rest: Sequence[OrderItem]
    change: Decimal | None

    @property
    def cancelled(self) -> list[tuple[OrderItem, Decimal | None]]:
        """Return the items of the rest, with what cancelling each changes of the price."""
        return [(item, _less(item)) for item in self.rest]


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
    split: Split | None = None


def _less(item: OrderItem) -> Decimal | None:
    return None if item.unit_price is None else -item.unit_price * item.open_quantity


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
    price: Decimal | None = None,
) -> list[Option]:
    """Return the remedies of `order` with all its items, the proposed one first.

    `sku` is the replacement that the person has chosen, "" for the proposed one, and `price` is
    what the customer has accepted for it, if anything. A remedy that the
    order does not allow at all is left out; one that can't be done at the moment has a refusal.
    """
    found = []
    for remedy in _ORDER:
        if lifecycle.check(order, ACTIONS[remedy]) is not None:
            continue
        if remedy == Remedy.REPLACE:
            option = _replace(order, items, shortage, proposal, sku, now, price)
        else:
            option = _MAKERS[remedy](order, items, shortage, proposal, sku, now)
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
    return Option(
        remedy=Remedy.CANCEL_ITEMS,
        is_proposed=proposal.remedy == Remedy.CANCEL_ITEMS,
        refusal=preview.refusal,
        units=preview.short,
        change=-shortage.value if shortage.has_price else None,
        message=drafts.cancelled_items(order, items, preview.units),
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
    return Option(
        remedy=Remedy.CANCEL_ORDER,
        is_proposed=proposal.remedy == Remedy.CANCEL_ORDER,
        refusal="",
        units=sum((item.quantity for item in items if item.replaces_id is None), ZERO),
        change=-order.order_total,
        message=drafts.cancelled_order(order, items),
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
        message=drafts.settled_outside(order, items),
    )


def _replace(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    proposal: Proposal,
    sku: str,
    now: datetime,
    price: Decimal | None,
) -> Option | None:
    """Return replacing the only short item; None with several, or with nothing to replace it by."""
    short = [item for item in items if item.open_quantity > 0]
    by = sku or proposal.sku
    if len(short) != 1 or not by:
        return None
    (item,) = short
    item.order = order
    if price is None:
        price = remedies.usual_price(item=item, sku=by)
    (preview,) = remedies.preview_replace([item], sku=by, unit_price=price, now=now)
    return Option(
        remedy=Remedy.REPLACE,
        is_proposed=proposal.remedy == Remedy.REPLACE or bool(sku),
        refusal=remedies.why_oci_is_away() or preview.refusal,
        units=preview.units,
        change=preview.price_difference,
        message=drafts.replaced(
            order, items, item, units=preview.units, sku=preview.sku, name=preview.product_name
        ),
        items=(item,),
        replacing=preview,
    )


def _split(
    order: Order,
    items: Sequence[OrderItem],
    shortage: Shortage,
    proposal: Proposal,
    sku: str,
    now: datetime,
) -> Option | None:
    """Return the split that is proposed for an order; None for one without such a proposal."""
    if proposal.remedy != Remedy.SPLIT:
        return None
    by, parts, rest = dict(proposal.parts), [], []
    changes: list[Decimal | None] = []
    for item in items:
        if item.open_quantity <= 0:
            continue
        if item.sku not in by:
            rest.append(item)
            changes.append(_less(item))
            continue
        item.order = order
        sku = by.pop(item.sku)
        price = remedies.usual_price(item=item, sku=sku)
        (preview,) = remedies.preview_replace([item], sku=sku, unit_price=price, now=now)
        parts.append(preview)
        changes.append(preview.price_difference)
    known = [one for one in changes if one is not None]
    change = sum(known, ZERO) if len(known) == len(changes) else None
    units = {item.pk: item.open_quantity for item in rest}
    refusals = (one.refusal for one in parts)
    return Option(
        remedy=Remedy.SPLIT,
        is_proposed=True,
        refusal=remedies.why_oci_is_away()
        or next(filter(None, refusals), "")
        or bundle_refusal(items, units),
        units=shortage.units,
        change=change,
        message=drafts.split(order, items, parts, rest),
        items=[item for item in items if item.open_quantity > 0],
        split=Split(parts, rest, change),
    )


_MAKERS = {
    Remedy.SPLIT: _split,
    Remedy.CANCEL_ITEMS: _cancel_items,
    Remedy.CANCEL_ORDER: _cancel_order,
    Remedy.SETTLE: _settle,
}

"""What a person can decide about one short order: each remedy with its effect and its message.

Nothing is changed. A message is drafted for the order as it will be once the remedy is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class _Case:
    """A short order with all its items; `sku` and `price` are what a person has chosen, if any."""

    order: Order
    items: Sequence[OrderItem]
    shortage: Shortage
    proposal: Proposal
    sku: str
    price: Decimal | None
    now: datetime

    @property
    def short(self) -> list[OrderItem]:
        """The items of which units are open."""
        return [item for item in self.items if item.open_quantity > 0]

    def preview(self, item: OrderItem, sku: str, price: Decimal | None = None) -> ReplacePreview:
        """Return what replacing a short item by `sku` does, at `price` or the usual one."""
        item.order = self.order
        if price is None:
            price = remedies.usual_price(item=item, sku=sku)
        (found,) = remedies.preview_replace([item], sku=sku, unit_price=price, now=self.now)
        return found


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
    case = _Case(order, items, shortage, proposal, sku, price, now)
    found = [
        make(case)
        for remedy, make in _MAKERS.items()
        if lifecycle.check(order, ACTIONS[remedy]) is None
    ]
    options = [option for option in found if option is not None]
    return sorted(options, key=lambda option: not option.is_proposed)


def _cancel_items(case: _Case) -> Option:
    (preview,) = remedies.preview_cancel_short([case.order])
    return Option(
        remedy=Remedy.CANCEL_ITEMS,
        is_proposed=case.proposal.remedy == Remedy.CANCEL_ITEMS,
        refusal=preview.refusal,
        units=preview.short,
        change=-case.shortage.value if case.shortage.has_price else None,
        message=drafts.cancelled_items(case.order, case.items, preview.units),
        items=preview.items,
    )


def _cancel_order(case: _Case) -> Option:
    return Option(
        remedy=Remedy.CANCEL_ORDER,
        is_proposed=case.proposal.remedy == Remedy.CANCEL_ORDER,
        refusal="",
        units=sum((item.quantity for item in case.items if item.replaces_id is None), ZERO),
        change=-case.order.order_total,
        message=drafts.cancelled_order(case.order, case.items),
    )


def _settle(case: _Case) -> Option:
    return Option(
        remedy=Remedy.SETTLE,
        is_proposed=False,
        refusal="",
        units=case.shortage.units,
        change=ZERO,
        message=drafts.settled_outside(case.order, case.items),
    )


def _replace(case: _Case) -> Option | None:
    """Return replacing the only short item; None with several, or with nothing to replace it by."""
    by = case.sku or case.proposal.sku
    if len(case.short) != 1 or not by:
        return None
    (item,) = case.short
    preview = case.preview(item, by, case.price)
    return Option(
        remedy=Remedy.REPLACE,
        is_proposed=case.proposal.remedy == Remedy.REPLACE or bool(case.sku),
        refusal=remedies.why_oci_is_away() or preview.refusal,
        units=preview.units,
        change=preview.price_difference,
        message=drafts.replaced(
            case.order,
            case.items,
            item,
            units=preview.units,
            sku=preview.sku,
            name=preview.product_name,
        ),
        items=(item,),
        replacing=preview,
    )


def _split(case: _Case) -> Option | None:
    """Return the split that is proposed for an order; None for one without such a proposal."""
    if case.proposal.remedy != Remedy.SPLIT:
        return None
    by, parts, rest = dict(case.proposal.parts), [], []
    for item in case.short:
        if item.sku in by:
            parts.append(case.preview(item, by.pop(item.sku)))
        else:
            rest.append(item)
    changes = [*(one.price_difference for one in parts), *map(_less, rest)]
    known = [one for one in changes if one is not None]
    change = sum(known, ZERO) if len(known) == len(changes) else None
    units = {item.pk: item.open_quantity for item in rest}
    refusals = (one.refusal for one in parts)
    return Option(
        remedy=Remedy.SPLIT,
        is_proposed=True,
        refusal=remedies.why_oci_is_away()
        or next(filter(None, refusals), "")
        or bundle_refusal(case.items, units),
        units=case.shortage.units,
        change=change,
        message=drafts.split(case.order, case.items, parts, rest),
        items=case.short,
        split=Split(parts, rest, change),
    )


# In the order of the page.
_MAKERS: Mapping[Remedy, Callable[[_Case], Option | None]] = {
    Remedy.SPLIT: _split,
    Remedy.REPLACE: _replace,
    Remedy.CANCEL_ITEMS: _cancel_items,
    Remedy.CANCEL_ORDER: _cancel_order,
    Remedy.SETTLE: _settle,
}

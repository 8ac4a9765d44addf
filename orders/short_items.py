"""Cancelling the short items of an order while the rest is shipped.

OCI holds nothing for short units, so it is not called. `orders.settlement.reopen` undoes
the cancellation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from orders import asks, events, handover, lifecycle
from orders.actors import Actor
from orders.errors import CannotRemedy
from orders.fields import ZERO, json_number, quantity
from orders.lifecycle import Action
from orders.models import (
    EventKind,
    Order,
    OrderItem,
    Resolution,
)
from orders.refusals import moved_on, short_differs
from orders.units import note_open


def bundle_refusal(items: Iterable[OrderItem], units: Mapping[int, Decimal]) -> str:
    """Return why `units` of an order's items can't be cancelled alone, or None; no query.

    In a bundle, or a product with options, the remaining share of each part may not exceed that
    of its parent: the shopper would get parts of a product that is not delivered.
    """
    by_key = {item.pk: item for item in items}
    for part in by_key.values():
        parent = by_key.get(part.parent_id or 0)
        if parent is None or parent.pk not in units or not part.takes_stock:
            continue
        stays = _stays(part, units) * parent.quantity
        if stays <= part.quantity * _stays(parent, units):
            continue
        if part.reserved_quantity > 0:
            words = _(
                "%(sku)s belongs to %(parent)s, and OCI holds %(held)s of it. Give them back first"
                " and cancel both, or cancel the whole order."
            )
        else:
            words = _("%(sku)s belongs to %(parent)s. Cancel both.")
        held = f"{part.reserved_quantity.normalize():f}"
        return words % {"sku": part.sku, "parent": parent.sku, "held": held}
    return ""


def _stays(item: OrderItem, units: Mapping[int, Decimal]) -> Decimal:
    """Return the units of an item left to deliver once `units` are cancelled."""
    left: Decimal = item.quantity - item.cancelled_quantity - item.replaced_quantity
    return left - units.get(item.pk, ZERO)


def cancel_besides(order: Order, units: Mapping[int, Decimal], *, check: bool = False) -> None:
    """Cancel open units of an order's items, in the transaction of another remedy that settles it.

    With `check` only look whether that can be done. Raises CannotRemedy.
    """
    items = {item.pk: item for item in OrderItem.objects.filter(order=order)}
    _check_units(items, units)
    if closed := bundle_refusal(items.values(), units):
        raise CannotRemedy(closed)
    for pk in () if check else sorted(units):
        _cancel(items[pk], units[pk])


def cancelled_data(units: Mapping[int, Decimal]) -> dict[str, Any]:
    """Return the members of the event that says that units of items were cancelled."""
    return {"cancelled": {str(pk): json_number(units[pk]) for pk in sorted(units)}}


def cancel_short(
    *, order_id: int, units: Mapping[int, Decimal], actor: Actor, reason: str, now: datetime
) -> Order:
    """Cancel the short items of a partially reserved order; its reserved units stay.

    `units` are the open quantities (OrderItem.open_quantity) of the chosen items by primary key, as
    they were shown: another quantity means that the order has changed. Without open units the
    order is settled. The same again changes nothing. Raises CannotRemedy.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if _is_done(order, units, actor, reason):
            return order
        lifecycle.require(order, Action.CANCEL_SHORT, CannotRemedy)
        items = {item.pk: item for item in OrderItem.objects.filter(order=order)}
        _check_units(items, units)
        if closed := bundle_refusal(items.values(), units):
            raise CannotRemedy(closed)
        left = sum((item.open_quantity for item in items.values()), ZERO)
        settled = left == sum(units.values(), ZERO)
        values: dict[str, Any] = {"claim": "", "claimed_until": None}
        if settled:
            values |= settled_as(Resolution.SHORT_CANCELLED, actor, note=reason, now=now)
        _change_open(order, now=now, values=values)
        for pk in sorted(units):
            _cancel(items[pk], units[pk])
        note_open(OrderItem.objects.filter(order=order))
        # Before its event: the last one tells a second click that this was done.
        asks.withdraw(order, actor=actor, now=now)
        events.record(
            order=order,
            kind=EventKind.ITEMS_CANCELLED,
            actor=actor,
            reason=reason,
            now=now,
            data=cancelled_data(units),
        )
        return order


def settled_as(
    resolution: Resolution, actor: Actor, *, note: str, now: datetime, reference: str = ""
) -> dict[str, Any]:
    """Return the columns for how, when and by whom an order was settled.

    It is decided then, so order management may take it.
    """
    return {
        **handover.columns_when_decided(),
        "resolution_reference": reference[:100],
        "resolution": resolution,
        "resolution_at": now,
        "resolution_by": actor.name[:150],
        "resolution_note": note[:1000],
    }


def _change_open(order: Order, *, now: datetime, values: Mapping[str, Any]) -> None:
    """Write `values` unless the order has moved on since it was read. Raises CannotRemedy."""
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    won = Order.objects.filter(unclaimed, lifecycle.open_to(Action.CANCEL_SHORT), pk=order.pk)
    if not won.update(**values):
        raise CannotRemedy(moved_on())
    order.refresh_from_db()


def resolution_of(items: Sequence[OrderItem]) -> Resolution:
    """Return how an order without open units was settled, by its items."""
    if any(item.replaced_quantity for item in items):
        return Resolution.REPLACED
    if any(item.cancelled_quantity for item in items):
        return Resolution.SHORT_CANCELLED
    return Resolution.RESERVED_AGAIN


def replaced_words(items: Sequence[OrderItem]) -> str:
    """Return an order's replacements in words, for its resolution."""
    skus = {item.pk: item.sku for item in items}
    return ", ".join(
        f"{item.quantity.normalize():f} {skus[item.replaces_id]} by {item.sku}"
        for item in sorted(items, key=lambda item: item.position)
        if item.replaces_id is not None
    )


def _check_units(items: Mapping[int, OrderItem], units: Mapping[int, Decimal]) -> None:
    if not units:
        raise CannotRemedy(_("Choose at least one short item."))
    for pk, wanted in units.items():
        item = items.get(pk)
        if item is None:
            raise CannotRemedy(_("An item that was chosen does not belong to the order."))
        if wanted <= 0 or item.open_quantity != wanted:
            raise CannotRemedy(short_differs(item, wanted))


def _cancel(item: OrderItem, units: Decimal) -> None:
    won = OrderItem.objects.filter(
        pk=item.pk,
        reserved_quantity=item.reserved_quantity,
        cancelled_quantity=item.cancelled_quantity,
        replaced_quantity=item.replaced_quantity,
    ).update(cancelled_quantity=quantity(item.cancelled_quantity + units))
    if not won:
        raise CannotRemedy(moved_on())


def _is_done(order: Order, units: Mapping[int, Decimal], actor: Actor, reason: str) -> bool:
    """Whether the last thing that happened to the order is this very cancellation."""
    last = order.events.order_by("-id").first()
    return (
        last is not None
        and last.kind == EventKind.ITEMS_CANCELLED
        and (last.actor, last.reason) == (actor.name[:150], reason[:1000])
        and last.data == cancelled_data(units)
    )

"""Taking a reservation document's units back from an order: the order's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, Value, When

from orders import asks, events, first_shortage, lifecycle, outcomes
from orders.actors import Actor
from orders.errors import CannotAdjust
from orders.fields import ZERO, json_number, quantity
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import (
    EventKind,
    Order,
    OrderItem,
    Resolution,
)
from orders.refusals import moved_on
from orders.units import note_open


def take_back(
    *,
    order_id: int,
    held: Mapping[Key, Decimal],
    replacements_first: bool,
    actor: Actor,
    reason: str,
    data: Mapping[str, Any],
    now: datetime,
) -> Order:
    """Count `held` units less for an order: it is short of them, and open to remedies, at once.

    Call inside the transaction that stores the release request to OCI. ATO is left alone: it
    follows from OCI's figures. Raises CannotAdjust.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        lifecycle.require(order, Action.GIVE_BACK, CannotAdjust)
        items = list(OrderItem.objects.filter(order=order).order_by("position"))
        less = shares(items, held, replacements_first=replacements_first)
        for pk in sorted(less):
            _lower(next(item for item in items if item.pk == pk), less[pk])
        _write(order, items, now=now)
        asks.withdraw(order, actor=actor, now=now)
        events.record(
            order=order,
            kind=EventKind.GIVEN_BACK,
            actor=actor,
            reason=reason,
            now=now,
            data={"released": {str(pk): json_number(less[pk]) for pk in sorted(less)}} | dict(data),
        )
        return order


def shares(
    items: Sequence[OrderItem], held: Mapping[Key, Decimal], *, replacements_first: bool
) -> dict[int, Decimal]:
    """Distribute the units taken back over the items, the last one that got units first.

    Returns units by primary key. Raises CannotAdjust if the items have less reserved.
    """
    less: dict[int, Decimal] = {}
    in_turn = sorted(
        items,
        key=lambda item: ((item.replaces_id is None) == replacements_first, -item.position),
    )
    for key, units in sorted(held.items()):
        left = units
        for item in in_turn:
            share = min(left, item.reserved_quantity)
            if (item.inventory_list_id, item.sku) == key and share > 0:
                less[item.pk] = share
                left -= share
        if left:
            raise CannotAdjust(moved_on())
    return less


def _lower(item: OrderItem, units: Decimal) -> None:
    won = OrderItem.objects.filter(pk=item.pk, reserved_quantity=item.reserved_quantity).update(
        reserved_quantity=quantity(item.reserved_quantity - units)
    )
    if not won:
        raise CannotAdjust(moved_on())
    item.reserved_quantity -= units


def _write(order: Order, items: list[OrderItem], *, now: datetime) -> None:
    state = outcomes.state_of(
        {item.pk: item.quantity for item in items},
        {item.pk: item.reserved_quantity for item in items},
    )
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    won = Order.objects.filter(
        unclaimed,
        lifecycle.open_to(Action.GIVE_BACK),
        pk=order.pk,
        resolution=order.resolution,
    ).update(reservation_state=state, claim="", claimed_until=None, **short_again(now))
    if not won:
        raise CannotAdjust(moved_on())
    first_shortage.note([order.pk])
    note_open(OrderItem.objects.filter(order=order))
    order.refresh_from_db()


def short_again(now: datetime) -> dict[str, Any]:
    """Return the columns of an order that gives units up: short, and settled by nobody."""
    return {
        "short_at": Case(
            When(short_at=None, then=Value(now)),
            default=F("short_at"),
            output_field=DateTimeField(),
        ),
        "resolution": Resolution.NONE,
        "resolution_at": None,
        "resolution_by": "",
        "resolution_note": "",
    }


def total(held: Mapping[Key, Decimal]) -> Decimal:
    """Return all units of `held`."""
    return sum(held.values(), ZERO)

"""Cancel the short items of an order, and units that a lost rerun may hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from orders import short_items
from orders.actors import Actor
from orders.models import Order
from reconciliation.reservation import release


def cancel_short(
    *, order_id: int, units: Mapping[int, Decimal], actor: Actor, reason: str, now: datetime
) -> Order:
    """Cancel the short items of a partially reserved order; its reserved units stay.

    `units` are the open quantities of the chosen items by primary key, as they were shown. Makes no
    call to OCI, but units that a rerun with an uncounted answer may hold there are given back.
    Raises orders.errors.CannotRemedy. `orders.settlement.reopen` undoes it.
    """
    with transaction.atomic():
        order = short_items.cancel_short(
            order_id=order_id, units=units, actor=actor, reason=reason, now=now
        )
        release.mark_for_cancelling(order_id, states=release.UNCOUNTED)
    release.wake_for(order_id)
    return order

"""Count OCI's answers in the order, once."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from orders import outcomes
from orders.actors import Actor
from orders.fields import ZERO
from orders.models import Order, OrderItem, ReservationState
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.models.attempts import OF_REMEDIES
from reconciliation.oci.documents import shares
from reconciliation.reasons import say


def answered_units(order_id: int) -> dict[int, Decimal]:
    """Return how OCI's answers are divided over order items (primary key), first item first."""
    got: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for document in _answered(order_id):
        for line in document.held:
            got[(line["id"], line["sku"])] += Decimal(str(line["quantity"]))
    by_key: dict[tuple[str, str], list[OrderItem]] = defaultdict(list)
    for item in OrderItem.objects.filter(order_id=order_id).order_by("position"):
        by_key[(item.inventory_list_id, item.sku)].append(item)
    units = {}
    for key, items in by_key.items():
        wanted = [item.open_quantity for item in items]
        for item, share in zip(items, shares(held=got[key], wanted=wanted), strict=True):
            units[item.pk] = share
    return units


def count(
    *, order_id: int, holder: str, purpose: Purpose, actor: Actor, now: datetime
) -> Order | None:
    """Count the answered documents in the order, once; None if the order is no longer ours.

    Call inside a transaction to commit something else with it.
    """
    with transaction.atomic():
        units = answered_units(order_id)
        if purpose == Purpose.ORDER:
            order = outcomes.settle(
                order_id=order_id,
                holder=holder,
                reserved=units,
                actor=actor,
                reason=say("reserved"),
                now=now,
            )
        else:
            order = outcomes.add_reserved(
                order_id=order_id,
                holder=holder,
                added=units,
                actor=actor,
                reason=say("shortfall_reserved"),
                now=now,
            )
        if order is not None:
            _answered(order_id).update(state=DocumentState.COUNTED)
        return order


def _answered(order_id: int) -> QuerySet[ReservationDocument]:
    """Return the documents of the order's own items; remedies count their own documents."""
    answered = ReservationDocument.objects.filter(order_id=order_id, state=DocumentState.ANSWERED)
    return answered.exclude(purpose__in=OF_REMEDIES)


def is_complete(order_id: int) -> bool:
    """Return whether the answers so far cover every item of the order."""
    ordered = dict(OrderItem.objects.filter(order_id=order_id).values_list("pk", "quantity"))
    units = answered_units(order_id)
    return outcomes.state_of(ordered, units) == ReservationState.COMPLETE

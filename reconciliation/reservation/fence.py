"""The recovery fence: nobody takes what an order that waits for its reservation needs."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from orders import ledger, lifecycle
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import Hold, HoldState

# Of holds: those of accepted orders that are reserved by themselves, oldest first.
WAITING = Q(state=HoldState.WAITING) & lifecycle.open_to(Action.RESERVE, "order__")


def is_waited_for(keys: Iterable[Key]) -> bool:
    """Return whether an accepted order waits for one of these SKUs."""
    waiting = Hold.objects.filter(WAITING)
    if not waiting.exists():
        return False
    records = ledger.records_of(keys)
    return waiting.filter(record__in=[record.pk for record in records.values()]).exists()

"""The fence: no order takes units that an earlier order needs.

Orders that wait for their reservation come first (the recovery fence), and so do short orders that
keep their place for arriving stock (`orders.promises`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import Enum

from django.db.models import Exists, Q

from orders import ledger, lifecycle, promises
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import Hold, HoldState, Promise
from reconciliation.models import Connection

# The holds of accepted orders that are reserved automatically, oldest first.
WAITING = Q(state=HoldState.WAITING) & lifecycle.open_to(Action.RESERVE, "order__")


class Ahead(Enum):
    """Orders ahead of a live order at one of its SKUs."""

    WAITING = "an order that waits for its reservation"
    PROMISED = "a short order that keeps its place"


def ahead_of(keys: Collection[Key], *, now: datetime) -> Ahead | None:
    """Return the orders ahead of a live order for `keys`, or None.

    One query if nothing waits and none of the SKUs is promised. Compares orders, not stock, so a
    figure that arrives before the capture changes nothing.
    """
    waiting = Hold.objects.filter(WAITING)
    promised = Promise.objects.filter(promises.of_keys(keys))
    # Both questions in one statement, on a table with a single row.
    asked = Connection.objects.order_by().values_list(Exists(waiting), Exists(promised)).first()
    may_wait, may_be_promised = asked or (True, True)
    if may_wait and is_waited_for(keys):
        return Ahead.WAITING
    if may_be_promised and is_promised(keys, now=now):
        return Ahead.PROMISED
    return None


def is_waited_for(keys: Iterable[Key]) -> bool:
    """Return whether an accepted order waits for one of these SKUs."""
    waiting = Hold.objects.filter(WAITING)
    records = ledger.records_of(keys)
    return waiting.filter(record__in=[record.pk for record in records.values()]).exists()


def is_promised(keys: Collection[Key], *, now: datetime) -> bool:
    """Return whether a short order keeps its place for one of these SKUs and can use units."""
    wanted = promises.of_keys(keys)
    return promises.kept(now).filter(wanted, promises.can_use_units()).exists()

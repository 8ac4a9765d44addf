"""Trials with real work: a waiting order's own document shows whether OCI is back.

The document is repeated as it is, so that a trial is safe whatever comes of it. Trials are spaced,
each by one process, and turn to another order when one fails: one document that OCI cannot take
must not keep everybody offline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from orders import promises
from orders.ledger import Key
from orders.models import Order, OrderItem, Promise
from orders.standing_queries import Look
from reconciliation.connection.state import ANSWERING, row
from reconciliation.models import (
    CallHealth,
    CallKind,
    ConnectionState,
    DocumentState,
    ReservationDocument,
    Run,
)

# Seconds between trials. With the last one, a service that is back is noticed in five.
PAUSES = (1, 2, 4)
# Orders that take turns, and how far to look for them.
_TURNS = 4
_LOOKED_AT = 50


def take(now: datetime) -> int | None:
    """Take the next trial; returns its number, None if none is due.

    One is due while OFFLINE, and while a reservation failed and none has worked since: a few orders
    an hour are too few to tell whether it was the first of many.
    """
    seen = _look()
    if seen["state"] in ANSWERING and not seen["failing"]:
        return None
    found = row().first()
    if found is None:
        return None
    if found.state in ANSWERING:
        if not failing().exists() or Run.objects.filter(is_active=True).exists():
            return None
    elif found.state != ConnectionState.OFFLINE:
        return None
    pause = timedelta(seconds=PAUSES[min(found.trials, len(PAUSES) - 1)])
    won = row().filter(
        Q(next_trial_at=None) | Q(next_trial_at__lte=now), state=found.state, trials=found.trials
    )
    taken = won.update(trials=F("trials") + 1, next_trial_at=now + pause)
    return found.trials if taken else None


def failing() -> QuerySet[CallHealth]:
    """Return the reservations' health if one failed and none has worked since."""
    return CallHealth.objects.filter(pk=CallKind.RESERVE, failures__gt=0)


# Asked at each probe: mostly no trial is due.
_look = Look(lambda: {"state": row().values_list("state"), "failing": failing()})


def orders_to_try() -> Sequence[int]:
    """Return orders whose document may be sent now, the oldest first; 3 small queries.

    None of them wants a SKU that an older waiting order wants, so that no one is overtaken; and OCI
    has still to answer each.
    """
    waiting = list(Order.objects.waiting().values_list("pk", flat=True)[:_LOOKED_AT])
    if not waiting:
        return []
    wanted: dict[int, set[Key]] = defaultdict(set)
    items = OrderItem.objects.filter(order__in=waiting)
    for order_id, list_id, sku in items.values_list("order", "inventory_list", "sku"):
        wanted[order_id].add((list_id, sku))
    documents: dict[int, set[str]] = defaultdict(set)
    rows = ReservationDocument.objects.filter(order__in=waiting)
    for order_id, state in rows.values_list("order", "state"):
        documents[order_id].add(state)
    found: list[int] = []
    ahead: set[Key] = set()
    for order_id in waiting:
        states = documents[order_id]
        is_answered = DocumentState.ANSWERED in states and DocumentState.PREPARED not in states
        if not is_answered and not ahead & wanted[order_id]:
            found.append(order_id)
        ahead |= wanted[order_id]
        if len(found) == _TURNS:
            break
    return _not_behind_promises(found, wanted) or found


def _not_behind_promises(found: Sequence[int], wanted: Mapping[int, set[Key]]) -> list[int]:
    """Return the orders without SKUs for which a short order keeps a place; one query.

    Without any, the others are tried anyway: OCI would never count as back.
    """
    keys = {key for order_id in found for key in wanted[order_id]}
    rows = Promise.objects.filter(promises.of_keys(keys))
    promised = set(rows.values_list("record__inventory_list", "record__sku"))
    return [order_id for order_id in found if not wanted[order_id] & promised]


def in_turn(orders: Sequence[int], trial: int) -> Sequence[int]:
    """Return the orders with the one first whose turn it is in the trial of this number."""
    start = trial % len(orders) if orders else 0
    return [*orders[start:], *orders[:start]]

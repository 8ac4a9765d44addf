"""Handing over messages that a person wrote and whose process died before it could, in a worker.

The process that writes a message hands it over at once. What it left is found here, claimed under
the lock of its order and handed over once, like the messages of bulk remedies (ADR 127).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.models import CustomerMessage, HandOver, Order
from reconciliation import message_handover
from reconciliation.decisions import truth
from reconciliation.models import LetterState

# Longer than a process may take from writing a message to claiming it.
_LEFT_AFTER = timedelta(seconds=60)


def has_left(*, now: datetime) -> bool:
    """Whether a message was written and not handed over, and no process is at it."""
    return _left(now).exists()


def _left(now: datetime) -> QuerySet[CustomerMessage]:
    """Return the messages that were left; those that a bulk remedy sends are found by it."""
    pending = Q(email=HandOver.PENDING) | Q(webhook=HandOver.PENDING)
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    left = CustomerMessage.objects.filter(pending, free, at__lte=now - _LEFT_AFTER)
    return left.exclude(bulk_line__letter=LetterState.DUE).order_by("pk")


def send_left(
    *, clock: Callable[[], datetime], budget: timedelta | None = None, limit: int = 500
) -> int:
    """Hand over messages that were left, at most `limit`; return how many came to an end.

    None is begun when `budget` is over. Any number of workers and people may do this at once.
    """
    began, ended = clock(), 0
    until = None if budget is None else began + budget
    for key, order_id in list(_left(began).values_list("pk", "order")[:limit]):
        if until is not None and clock() >= until:
            break
        ended += _send(key, order_id, clock)
    return ended


def _send(key: int, order_id: int, clock: Callable[[], datetime]) -> bool:
    """Bring a message to its end; False if another process is at it."""
    with transaction.atomic():
        # An undo waits here, or the message finds it undone.
        order = Order.objects.select_for_update().filter(pk=order_id).first()
        now = clock()
        message = _left(now).filter(pk=key).first()
        if order is None or message is None:
            return False
        if truth.give_up_if_ended(message, order, now=now):
            return True
        if not message_handover.claim_first(message, now=now):
            return False
    message_handover.send_claimed(message, clock=clock)
    return True

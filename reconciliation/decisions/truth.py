"""Whether a written message may still be sent by a worker, long after the person saw it."""

from __future__ import annotations

from datetime import datetime, timedelta

from orders import asks
from orders.models import (
    CustomerMessage,
    HandOver,
    MessageKind,
    Order,
    OrderItem,
    OrderStatus,
    Resolution,
)
from reconciliation import message_handover
from reconciliation.models import LetterState
from reconciliation.reasons import say

_GONE = (OrderStatus.CANCELLING, OrderStatus.CANCELLED)
# A customer is not to read of it long after somebody has called.
_LATEST = timedelta(days=1)
# What the page of the order says, where the result of the remedy has the state of the letter.
_WHY = {
    LetterState.INTERRUPTED: say("letter_interrupted"),
    LetterState.LATE: say("letter_late"),
    LetterState.UNDONE: say("letter_undone"),
}


def give_up_if_ended(
    message: CustomerMessage, order: Order, *, now: datetime
) -> LetterState | None:
    """Return how a message ends that is not to be sent, and mark it so; None for one that is.

    Call with the order locked, and not while another process has the message claimed.
    """
    state = _ending(message, order, now=now)
    if state is not None:
        why = _WHY.get(state, "")
        if state == LetterState.UNDONE and message.kind == MessageKind.ASK:
            why = say("question_ended")
        message_handover.give_up(message, why)
    return state


def _ending(message: CustomerMessage, order: Order, *, now: datetime) -> LetterState | None:
    if HandOver.PENDING not in (message.email, message.webhook):
        # A person has sent it.
        return LetterState.ENDED
    if message.claimed_until is not None:
        return LetterState.INTERRUPTED
    if order.customer_erased_at is not None:
        return LetterState.ERASED
    if not (_is_true(order, message.kind) and asks.may_send(message)):
        return LetterState.UNDONE
    if message.tries == 0 and message.at < now - _LATEST:
        return LetterState.LATE
    return None


def _is_true(order: Order, kind: str) -> bool:
    """Whether an order is as its message says; a message of no kind says what its writer typed."""
    is_gone = order.status in _GONE
    if not kind:
        return True
    if kind == MessageKind.CANCELLED or is_gone:
        return is_gone and kind == MessageKind.CANCELLED
    if kind == MessageKind.SETTLED_OUTSIDE:
        return order.resolution == Resolution.SETTLED_OUTSIDE
    if kind == MessageKind.SHORT_CANCELLED:
        return OrderItem.objects.filter(order=order, cancelled_quantity__gt=0).exists()
    return True

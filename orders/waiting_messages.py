"""Messages to customers that wait for a replacement: sent once it is done, deleted if it fails.

A message is written in the transaction that begins the replacement, so that a process that dies
between the two can't lose it. It is sent only after `arm`, which runs in the transaction that makes
the replacement *done*.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, F, Q, Value, When

from orders import ledger
from orders.models import CustomerMessage, HandOver, Replacement

_WAITING = Q(email=HandOver.WAITING) | Q(webhook=HandOver.WAITING)


def arm(replacement: Replacement, *, now: datetime) -> None:
    """Let the message of a replacement be sent, in the transaction that makes it *done*.

    Raises LedgerChanged if another process changed the message; roll the transaction back then.
    """
    waiting = CustomerMessage.objects.filter(_WAITING, replacement=replacement)
    if not waiting.exists():
        return
    won = waiting.update(
        # It is due from now on, however long OCI took to answer.
        at=now,
        **{
            way: Case(When(**{way: HandOver.WAITING}, then=Value(HandOver.PENDING)), default=F(way))
            for way in ("email", "webhook")
        },
    )
    if not won:
        raise ledger.LedgerChanged


def discard(order_id: int) -> None:
    """Delete the message that waits for a replacement of an order, in the transaction that ends it.

    Without such a message nothing happens.
    """
    CustomerMessage.objects.filter(_WAITING, order=order_id).delete()

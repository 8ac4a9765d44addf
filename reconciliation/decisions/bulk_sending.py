"""Handing over the messages of bulk remedies, in a worker.

A message is claimed under the lock of its order, when it is still true, and then handed over once.
What a process may have handed over before it died waits for a person (ADR 127).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from orders.models import CustomerMessage, HandOver, Order, ReplacementState
from reconciliation import message_handover
from reconciliation.decisions import bulk_letters, truth
from reconciliation.decisions.bulk_letters import end
from reconciliation.models import BulkLine, BulkRemedy, LetterState
from reconciliation.queue import enqueue

_ENDED = (ReplacementState.DONE, ReplacementState.REFUSED, ReplacementState.CANCELLED)
_PENDING = Q(message__email=HandOver.PENDING) | Q(message__webhook=HandOver.PENDING)
_FAILED = Q(message__email=HandOver.FAILED) | Q(message__webhook=HandOver.FAILED)
_CAN_BE_SENT_AGAIN = (LetterState.ENDED, LetterState.INTERRUPTED, LetterState.LATE)


def has_due(*, now: datetime) -> bool:
    """Whether a message can be written or handed over now."""
    return _due(now).exists()


def _due(now: datetime) -> QuerySet[BulkLine]:
    """Return the lines with something to do: those that wait for a replacement have nothing."""
    free = Q(message__claimed_until__isnull=True) | Q(message__claimed_until__lte=now)
    written = Q(message__isnull=False) & free
    ended = Q(message__isnull=True, replacement__state__in=_ENDED)
    return BulkLine.objects.filter(written | ended, letter=LetterState.DUE).order_by("pk")


def send_due(
    *, clock: Callable[[], datetime], budget: timedelta | None = None, limit: int = 500
) -> int:
    """Write and hand over due messages, at most `limit`; return how many came to an end.

    None is begun when `budget` is over. Any number of workers may do this at once.
    """
    began, ended = clock(), 0
    until = None if budget is None else began + budget
    for line_id in list(_due(began).values_list("pk", flat=True)[:limit]):
        if until is not None and clock() >= until:
            break
        ended += _send(line_id, clock)
    return ended


def _send(line_id: int, clock: Callable[[], datetime]) -> bool:
    """Bring the message of a line to its end; False if another process is at it."""
    with transaction.atomic():
        line = BulkLine.objects.select_for_update().filter(pk=line_id).first()
        if line is None or line.letter != LetterState.DUE:
            return False
        # An undo waits here, or the message finds it undone.
        order = Order.objects.select_for_update().get(pk=line.order_id)
        message = _claimed(line, order, now=clock())
    if message is None:
        return True
    message = message_handover.send_claimed(message, clock=clock)
    return end(line, LetterState.ENDED)


def _claimed(line: BulkLine, order: Order, *, now: datetime) -> CustomerMessage | None:
    """Return the message of a line, claimed; None if it is not to be sent now, or never."""
    bulk = line.bulk
    if line.message is None:
        if line.replacement is None or line.replacement.state != ReplacementState.DONE:
            end(line, LetterState.NOT_DONE)
            return None
        bulk_letters.write(bulk, line, order, now=now)
    message = line.message
    if message is None or (message.claimed_until is not None and message.claimed_until > now):
        return None
    if state := truth.give_up_if_ended(message, order, now=now):
        end(line, state)
        return None
    return message if message_handover.claim_first(message, now=now) else None


def failed(bulk: BulkRemedy, *, site_ids: Collection[str] | None = None) -> QuerySet[BulkLine]:
    """Return the lines whose message was not handed over and can be sent again."""
    lines = bulk.lines.filter(_FAILED, ~_PENDING, letter__in=_CAN_BE_SENT_AGAIN)
    lines = lines.filter(order__customer_erased_at=None)
    return lines if site_ids is None else lines.filter(order__site__in=site_ids)


def send_again(bulk: BulkRemedy, *, site_ids: Collection[str] | None = None) -> list[int]:
    """Let the failed messages of a remedy be handed over once more; return their keys."""
    again = []
    with transaction.atomic():
        for line in failed(bulk, site_ids=site_ids).select_related("message"):
            if line.message is not None and message_handover.try_again(line.message):
                again.append(line.message.pk)
                # What a person asks for is never too late.
                CustomerMessage.objects.filter(pk=line.message.pk, tries=0).update(tries=1)
                BulkLine.objects.filter(pk=line.pk).update(letter=LetterState.DUE)
        if again:
            enqueue.soon("send_bulk_letters")
    return again

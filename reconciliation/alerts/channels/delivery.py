"""Sending stored deliveries: at least once, with growing pauses, given up in the end.

A worker that dies between sending and marking leaves a claim that runs out; the same delivery is
then sent again under the same id. One cycle is bounded in time, healthy channels come first, and a
channel that fails is left alone for the rest of the cycle.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from reconciliation.alerts.channels import outbox
from reconciliation.alerts.channels import send as sending
from reconciliation.alerts.channels import text as words
from reconciliation.models import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryKind,
    DeliveryState,
)
from reconciliation.queue import leases
from reconciliation.reasons import columns

logger = logging.getLogger(__name__)

MOST_TRIES = 8
BUDGET = timedelta(seconds=15)
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)
# Longer than any sending may take.
_CLAIM = timedelta(seconds=90)
_MAX_ERROR = 300
_LEASE = "deliveries"
_MOST_A_CYCLE = 200


def deliver_due(*, clock: Callable[[], datetime], budget: timedelta = BUDGET) -> int:
    """Store and send due deliveries; returns how many arrived. One worker at a time."""
    holder = uuid.uuid4().hex
    if not leases.take(name=_LEASE, holder=holder, seconds=_CLAIM.total_seconds(), now=clock()):
        return 0
    try:
        outbox.write_due(clock())
        outbox.forget_old(clock())
        return _send_due(clock, time.monotonic() + budget.total_seconds())
    finally:
        leases.give_back(name=_LEASE, holder=holder, now=clock())


def _send_due(clock: Callable[[], datetime], until: float) -> int:
    failed: set[int] = set()
    arrived = 0
    waiting = (
        Delivery.objects.filter(
            state=DeliveryState.PENDING, due_at__lte=clock(), channel__enabled=True
        )
        .select_related("channel")
        .order_by("channel__failures", "pk")
    )
    for delivery in waiting[:_MOST_A_CYCLE]:
        if time.monotonic() >= until:
            break
        if delivery.channel_id in failed:
            continue
        if send(delivery, clock=clock):
            arrived += 1
        else:
            failed.add(delivery.channel_id)
    return arrived


def send(delivery: Delivery, *, clock: Callable[[], datetime]) -> bool:
    """Send one delivery unless another worker does; True if it arrived."""
    now = clock()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    won = Delivery.objects.filter(free, pk=delivery.pk, state=DeliveryState.PENDING).update(
        claimed_until=now + _CLAIM, attempts=F("attempts") + 1
    )
    if not won:
        return False
    delivery.refresh_from_db(fields=["attempts", "claimed_until", "state"])
    try:
        hand_over(delivery, at=now)
    except sending.NotSent as error:
        _note_failure(delivery, error.detail, clock())
        return False
    _note_success(delivery, clock())
    return True


def send_test(channel: Channel, *, clock: Callable[[], datetime]) -> Delivery:
    """Send a test over the channel now, once, whether it is switched on or not."""
    now = clock()
    delivery = Delivery.objects.create(
        channel=channel,
        kind=DeliveryKind.TEST,
        content=words.content_of_test(),
        created_at=now,
        # A test that nobody finished is not sent by anyone else.
        due_at=now + _LONGEST_PAUSE * 24 * 365,
    )
    send(delivery, clock=clock)
    delivery.refresh_from_db()
    return delivery


def hand_over(delivery: Delivery, *, at: datetime) -> None:
    """Put a delivery into the form of its channel and hand it over. Raises NotSent."""
    channel = delivery.channel
    if channel.kind == ChannelKind.EMAIL:
        message_id, headers = words.mail_headers(delivery, channel)
        sending.send_mail(
            to=[part.strip() for part in channel.target.split(",")],
            subject=words.mail_subject(delivery),
            body=words.mail_body(delivery),
            message_id=message_id,
            headers=headers,
        )
        return
    is_slack = channel.kind == ChannelKind.SLACK
    sending.post_json(
        url=channel.target,
        body=words.slack_body(delivery) if is_slack else words.webhook_body(delivery),
        uid=str(delivery.uid),
        secret="" if is_slack else channel.secret,
        at=at.timestamp(),
    )


def _note_success(delivery: Delivery, now: datetime) -> None:
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING).update(
            state=DeliveryState.SENT, finished_at=now, claimed_until=None, error=""
        )
        Channel.objects.filter(pk=delivery.channel_id).update(
            failures=0, failing_since=None, last_error="", last_sent_at=now
        )


def _note_failure(delivery: Delivery, error: str, now: datetime) -> None:
    over = delivery.attempts >= MOST_TRIES or delivery.kind == DeliveryKind.TEST
    pause = min(_FIRST_PAUSE * 2 ** (delivery.attempts - 1), _LONGEST_PAUSE)
    ended = {"state": DeliveryState.FAILED, "finished_at": now} if over else {"due_at": now + pause}
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING).update(
            **ended, claimed_until=None, **columns("error", error, limit=_MAX_ERROR)
        )
        # A test says itself what became of it.
        if delivery.kind != DeliveryKind.TEST:
            Channel.objects.filter(pk=delivery.channel_id).update(
                failures=F("failures") + 1,
                failing_since=Coalesce("failing_since", now),
                **columns("last_error", error, limit=_MAX_ERROR),
            )
    logger.warning("Delivery %s over channel %s: %s", delivery.pk, delivery.channel_id, error)

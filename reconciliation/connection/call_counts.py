"""Counting the calls to OCI: sent, answered, failed, throttled.

Calls are counted in the shared row, so that every process sees what any of them has seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, F, PositiveIntegerField, Q, Value, When
from django.db.models.functions import Coalesce, Greatest, Least

from reconciliation.connection.state import current, row
from reconciliation.connection.transitions import MAX_REASON, lose, lose_if_unanswered
from reconciliation.models import OfflineCause
from reconciliation.reasons import columns, say

# How often a good answer that changes nothing else is written down; also the rate of growth of
# `concurrency`.
GOOD_EVERY = timedelta(seconds=1)
# Retry-After is outside input: a service that asks for a day would keep us offline for a day.
LONGEST_WAIT = timedelta(minutes=5)

_WHOLE = PositiveIntegerField()
_HALVED = Greatest(F("concurrency") / Value(2), Value(1), output_field=_WHOLE)
_DOUBLED = F("concurrency") * Value(2)


def note_sent(now: datetime) -> None:
    """Count a call as it is sent, and see whether the ones before it hang."""
    changes = {
        "unanswered": F("unanswered") + 1,
        "unanswered_since": Coalesce("unanswered_since", Value(now)),
    }
    if not row().update(**changes):
        current()
        row().update(**changes)
    lose_if_unanswered(now)


def note_good(now: datetime) -> None:
    """Note that OCI answered: whatever failed or hung before is forgotten.

    A refusal is a good answer in this sense. Writes only when there is something to write.
    """
    news = (
        Q(failures__gt=0)
        | Q(unanswered__gt=0)
        | Q(last_good_at=None)
        | Q(last_good_at__lte=now - GOOD_EVERY)
    )
    if not row().filter(news).exists():
        return
    most = settings.COC_OCI_CONCURRENCY
    grows = Q(last_good_at=None) | Q(last_good_at__lte=now - GOOD_EVERY)
    row().update(
        unanswered=0,
        unanswered_since=None,
        failures=0,
        last_error="",
        concurrency=Case(
            When(grows, then=Least(_DOUBLED, Value(most), output_field=_WHOLE)),
            default=F("concurrency"),
            output_field=_WHOLE,
        ),
        last_good_at=Case(When(grows, then=Value(now)), default=F("last_good_at")),
    )


def note_failure(*, sent_at: datetime, now: datetime, message: str) -> None:
    """Count a call that brought no trustworthy answer.

    If OCI has answered another call since this one was sent, then it proves nothing about now: a
    call that hung before a recovery must not end the recovery.
    """
    counted = (
        row()
        .filter(Q(last_good_at=None) | Q(last_good_at__lte=sent_at))
        .update(
            failures=F("failures") + 1,
            **columns("last_error", message, limit=MAX_REASON),
            unanswered_since=Coalesce("unanswered_since", Value(sent_at)),
            concurrency=_HALVED,
        )
    )
    if counted:
        lose_if_unanswered(now)


def note_throttled(*, retry_after: float, now: datetime) -> None:
    """Note a 429: send nothing for `retry_after` seconds, and half as much at once from then on.

    Neither a failure nor a good answer, and never an outage (design 5); but the call did not hang.
    Of a burst of calls that are throttled together only the first halves the pace.
    """
    until = now + min(timedelta(seconds=max(0.0, retry_after)), LONGEST_WAIT)
    free = Q(wait_until=None) | Q(wait_until__lte=now)
    row().update(
        unanswered=0,
        unanswered_since=Case(When(failures__gt=0, then=F("unanswered_since")), default=None),
        concurrency=Case(When(free, then=_HALVED), default=F("concurrency"), output_field=_WHOLE),
        wait_until=Case(
            When(free | Q(wait_until__lt=until), then=Value(until)), default=F("wait_until")
        ),
    )


def note_configuration_fault(*, now: datetime, message: str) -> None:
    """Go OFFLINE at once because OCI refuses our credentials; it answers, so nothing hangs."""
    row().update(
        unanswered=0,
        unanswered_since=None,
        failures=0,
        **columns("last_error", message, limit=MAX_REASON),
    )
    lose(
        now=now,
        cause=OfflineCause.CONFIGURATION,
        reason=say("credentials_or_tenant"),
        condition=Q(),
    )

"""One verdict from three kinds of call: whether OCI counts as lost, since when and why.

Reserving decides. Reads that fail are a loss only if no reservation has worked since they began to,
and failing releases never are: the units are given back later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from reconciliation.models import CallHealth, CallKind, OfflineCause
from reconciliation.reasons import say

# Calls that hang count as soon as they are sent, but a healthy burst must not look like a hang.
HUNG_AFTER = timedelta(seconds=2)
# Writes of two orders that were lost for so long are a loss, however few orders come; a little
# under the five seconds within which a loss is noticed.
LOST_AFTER = timedelta(seconds=4)
# OCI says itself that it takes none, so no late answer needs waiting for. The monitor checks once a
# second, which must fit into the five seconds on a busy machine as well.
THROTTLED_AFTER = timedelta(seconds=3)
# OCI asks for longer pauses than this: until they are over nothing can be reserved, and no order
# would show it, since none is sent.
LONG_PAUSE = timedelta(seconds=5)
_FEW = 2
# Slow calls count together for so long; more than one of so many makes the service slow.
SLOW_FOR = timedelta(seconds=30)
_ONE_OF = 20
YOUNG = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class Loss:
    """Why OCI counts as lost. `since` is the first call that brought nothing.

    `kind` and `seen` name the count that shows it, so that a newer good answer wins. `reads_work`
    says that since then reads were answered and none failed.
    """

    kind: CallKind
    seen: datetime
    since: datetime
    cause: OfflineCause
    reason: str
    reads_work: bool = False


def healths() -> dict[str, CallHealth]:
    """Return how each kind of call fares, by kind; one query."""
    found = CallHealth.objects.in_bulk(list(CallKind))
    return {str(kind): found.get(kind) or CallHealth(kind=kind) for kind in CallKind}


def is_lost(health: CallHealth, now: datetime, *, most: int | None = None) -> bool:
    """Whether too many calls of a kind failed, or hang, since the last good answer."""
    most = settings.COC_FAILURES_TO_OFFLINE if most is None else most
    since = health.unanswered_since
    if health.failures >= most:
        return True
    if since is None:
        return False
    if health.unanswered >= most and since <= now - HUNG_AFTER:
        return True
    if health.kind == CallKind.READ or since > now - LOST_AFTER:
        return False
    # One that has just been sent says nothing yet.
    is_young = health.last_sent_at is not None and health.last_sent_at > now - YOUNG
    return health.unanswered - is_young >= _FEW


def is_slow(health: CallHealth, now: datetime) -> bool:
    """Whether more than one call of twenty took longer than a shopper may wait; two at least.

    Unless a call was answered since the first of them was sent, they hang instead.
    """
    since, good = health.slow_since, health.last_good_at
    if since is None or good is None or good <= since or since < now - SLOW_FOR:
        return False
    return health.slow_calls >= _FEW and _ONE_OF * health.slow_calls > health.slow_of


def has_trouble() -> bool:
    """Whether `loss` could find anything: a call is under way or has failed; one small query."""
    return troubled().exists()


def troubled() -> QuerySet[CallHealth]:
    """Return the kinds of call of which one is under way or has failed."""
    signs = Q(unanswered_since__isnull=False) | Q(throttled_since__isnull=False)
    signs |= Q(slow_calls__gte=_FEW)
    return CallHealth.objects.filter(signs)


def loss(now: datetime, *, is_unproven: bool, wait_until: datetime | None = None) -> Loss | None:
    """Return why OCI counts as lost now, or None; one query.

    While the connection `is_unproven`, the first write that fails is enough. `wait_until` is the
    end of the pause that OCI asked for.
    """
    found = healths()
    reads, writes = found[CallKind.READ], found[CallKind.RESERVE]
    if writes.unanswered_since and is_lost(writes, now, most=1 if is_unproven else None):
        return _of_writes(writes, reads, since=writes.unanswered_since)
    if reads.unanswered_since and is_lost(reads, now):
        proof = writes.last_good_at
        if proof is None or proof < reads.unanswered_since:
            since = _first(reads.unanswered_since, writes.unanswered_since)
            return _unreachable(reads, reads.unanswered_since, since)
    for kind, health in found.items():
        storm = health.throttled_since
        if storm and _is_storm(health, writes, storm=storm, wait_until=wait_until, now=now):
            reason = say("reservations_throttled")
            return Loss(CallKind(kind), storm, storm, OfflineCause.THROTTLED, reason)
    if writes.slow_since and is_slow(writes, now):
        since = writes.slow_since
        reason = say("reservations_slow")
        return Loss(CallKind.RESERVE, since, since, OfflineCause.SLOW, reason)
    return None


def _is_storm(
    health: CallHealth,
    writes: CallHealth,
    *,
    storm: datetime,
    wait_until: datetime | None,
    now: datetime,
) -> bool:
    """Whether nothing is reserved since calls of a kind are throttled, whatever kind that is.

    A pause counts for every kind of call.
    """
    if storm > now - THROTTLED_AFTER:
        return False
    if health.kind == CallKind.RESERVE and health.throttles >= _FEW:
        return True
    worked = writes.last_good_at
    if worked is not None and worked > storm:
        return False
    # Several short pauses, one after the other, leave room for orders in between.
    asked_at = storm if health.throttles == 1 else now
    return wait_until is not None and wait_until > max(now, asked_at + LONG_PAUSE)


def _of_writes(writes: CallHealth, reads: CallHealth, *, since: datetime) -> Loss:
    if reads.last_good_at is None or reads.last_good_at <= since:
        return _unreachable(writes, since, _first(since, reads.unanswered_since))
    reason = say("reservations_unanswered")
    failed = reads.last_failed_at
    return Loss(
        CallKind.RESERVE,
        since,
        since,
        OfflineCause.RESERVATIONS,
        reason,
        reads_work=failed is None or failed <= since,
    )


def _unreachable(health: CallHealth, seen: datetime, since: datetime) -> Loss:
    calls = max(1, min(settings.COC_FAILURES_TO_OFFLINE, health.unanswered))
    reason = say("unanswered_calls", limit=calls)
    return Loss(CallKind(health.kind), seen, since, OfflineCause.UNREACHABLE, reason)


def _first(one: datetime, other: datetime | None) -> datetime:
    return one if other is None else min(one, other)

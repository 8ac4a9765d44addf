"""The moves of the connection from state to state.

Each is one conditional update that names the state it leaves; the update that counts a row wins
and writes the line of history and the outage in the same transaction.
"""

from __future__ import annotations

import dataclasses
import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Q

from orders.actors import job
from orders.models import Order, OrderStatus
from orders.standing_queries import Change
from reconciliation.connection import trials
from reconciliation.connection.outage_rows import (
    MAX_REASON,
    open_outage,
    take_seriously,
    write_change,
)
from reconciliation.connection.state import (
    ANSWERING,
    current,
    has_answered,
    row,
    start_concurrency,
)
from reconciliation.connection.verdict import Loss, loss
from reconciliation.models import (
    OWN_FAULTS,
    CallHealth,
    CallKind,
    Connection,
    ConnectionState,
    OfflineCause,
    Outage,
)
from reconciliation.reasons import columns, say

logger = logging.getLogger(__name__)

# A connection that is lost so soon after it had come back had not; each time it is held for longer.
RELAPSE = timedelta(seconds=60)
HOLDS = (timedelta(seconds=60), timedelta(seconds=120), timedelta(seconds=300))
# A first write that fails so soon after reads alone had ended an outage belongs to that outage.
SAME_OUTAGE = timedelta(minutes=10)
_OTHER_THAN_CALLS = (*OWN_FAULTS, OfflineCause.FORCED)
OBSERVER = job("connection")


def lose_if_unanswered(now: datetime) -> bool:
    """Go OFFLINE if the calls so far show that OCI is lost; True if this call made the change.

    Evaluated at each send that is counted, each failure and each tick of the monitor. While OFFLINE
    for another cause, only the cause is brought up to date.
    """
    before = current()
    if before.state == ConnectionState.FORCED_OFFLINE:
        return False
    found = loss(now, is_unproven=before.is_unproven, wait_until=before.wait_until)
    if found is None:
        return False
    if found.cause == OfflineCause.UNREACHABLE and not has_answered(before):
        # A wrong address is likelier than an outage that began before we did.
        reason = say("never_answered")
        found = dataclasses.replace(found, cause=OfflineCause.NOT_SET_UP, reason=reason)
    if before.state == ConnectionState.OFFLINE and not _is_news(before, found):
        return False
    # A good answer, or a recovery, since the look wins.
    shown = CallHealth.objects.filter(
        Q(unanswered_since=found.seen) | Q(throttled_since=found.seen) | Q(slow_since=found.seen),
        pk=found.kind,
    )
    return lose(
        now=now,
        cause=found.cause,
        reason=found.reason,
        lost_at=found.since,
        condition=Q(Exists(shown)),
        by_writes=found.kind == CallKind.RESERVE,
    )


def _is_news(connection: Connection, found: Loss) -> bool:
    """Whether another cause of an outage is worth telling; what writes suffer varies."""
    if connection.cause == found.cause:
        return False
    if connection.cause == OfflineCause.UNREACHABLE:
        # Writes that are refused at once can be lost before the first read has its answer.
        return found.reads_work
    return found.cause == OfflineCause.UNREACHABLE or connection.cause in _OTHER_THAN_CALLS


def lose(
    *,
    now: datetime,
    cause: OfflineCause,
    reason: str,
    lost_at: datetime,
    condition: Q | None = None,
    by_writes: bool = False,
) -> bool:
    """Go OFFLINE from ONLINE or RECOVERING if the row meets `condition`; True for the winner.

    `lost_at` is when the first call brought nothing. A connection that is lost again right after it
    had come back is held: it comes back no earlier than a minute later, then two, then five.
    """
    condition = Q() if condition is None else condition
    for old in ANSWERING:
        with transaction.atomic():
            before = row().select_for_update().filter(condition, state=old).first()
            if before is not None and row().filter(state=old, since=before.since).update(
                state=ConnectionState.OFFLINE,
                cause=cause,
                since=now,
                **columns("reason", reason, limit=MAX_REASON),
                good_probes=0,
                proved_at=None,
                is_unproven=False,
                trials=0,
                next_trial_at=None,
                **_hold(before, now),
            ):
                outage = open_outage(
                    cause=cause,
                    reason=reason,
                    lost_at=lost_at,
                    now=now,
                    goes_on=_is_relapse(before, now, cause=cause)
                    or (by_writes and _just_came_back_unproven(before, now)),
                )
                write_change(outage, old, ConnectionState.OFFLINE, OBSERVER, reason, now)
                return True
    _change_cause(now=now, cause=cause, reason=reason, condition=condition)
    return False


def _hold(before: Connection, now: datetime) -> dict[str, Any]:
    """Return until when a connection that is lost now must stay lost, and how often it was."""
    if not came_back_lately(before.recovered_at, now):
        return {"relapses": 0, "held_until": None}
    relapses = before.relapses + 1
    return {"relapses": relapses, "held_until": now + HOLDS[min(relapses, len(HOLDS)) - 1]}


def came_back_lately(came_back: datetime | None, now: datetime) -> bool:
    """Return whether a loss now would be a relapse.

    `now` may be earlier: it was read before another thread or process brought the connection back.
    """
    return came_back is not None and abs(now - came_back) < RELAPSE


def _is_relapse(before: Connection, now: datetime, *, cause: OfflineCause) -> bool:
    """Whether the outage that ended a moment ago goes on, even if a write had worked since.

    What somebody did on purpose, or a fault of our settings, is another matter.
    """
    if not came_back_lately(before.recovered_at, now) or cause in _OTHER_THAN_CALLS:
        return False
    return last_outage_of_oci() is not None


def last_outage_of_oci() -> int | None:
    """Return the newest outage, which OCI continues if it is lost again soon after it came back.

    None if a person or our settings caused that outage.
    """
    last = Outage.objects.order_by("-pk").first()
    return None if last is None or last.cause in _OTHER_THAN_CALLS else last.pk


def _just_came_back_unproven(before: Connection, now: datetime) -> bool:
    came_back = before.recovered_at
    return before.is_unproven and came_back is not None and now < came_back + SAME_OUTAGE


def _change_cause(*, now: datetime, cause: OfflineCause, reason: str, condition: Q) -> None:
    offline = ConnectionState.OFFLINE
    with transaction.atomic():
        if (
            row()
            .filter(condition, state=offline)
            .exclude(cause=cause)
            .update(cause=cause, good_probes=0, **columns("reason", reason, limit=MAX_REASON))
        ):
            outage = Outage.objects.filter(is_open=True).first()
            if outage is not None and _was_mistaken(outage, cause):
                Outage.objects.filter(pk=outage.pk, cause=outage.cause).update(cause=cause)
            if outage is not None:
                take_seriously(outage, cause=cause, reason=reason)
            write_change(outage, offline, offline, OBSERVER, reason, now)


def _was_mistaken(outage: Outage, cause: OfflineCause) -> bool:
    """Whether `cause` corrects that of the outage: OCI's fault after all, or that of writes."""
    if outage.is_own_fault:
        return cause not in OWN_FAULTS
    return outage.cause == OfflineCause.UNREACHABLE and cause == OfflineCause.RESERVATIONS


def note_good_probe(now: datetime) -> bool:
    """Count a good probe while OFFLINE; True if it was the one that made us RECOVERING."""
    return bool(_count_good_probe()) and mark_recovering(now)


# Asked at each probe: mostly we are not offline.
_count_good_probe = Change(
    lambda: (row().filter(state=ConnectionState.OFFLINE), {"good_probes": F("good_probes") + 1})
)


def note_bad_probe(*, sent_at: datetime) -> None:
    """Restart the count of good probes: they must be consecutive.

    A probe that hung while later ones were answered proves nothing about the present.
    """
    row().filter(
        Q(last_good_at=None) | Q(last_good_at__lte=sent_at),
        state=ConnectionState.OFFLINE,
        good_probes__gt=0,
    ).update(good_probes=0)


def mark_recovering(now: datetime) -> bool:
    """Go from OFFLINE to RECOVERING when that is proved; True for the winner.

    Enough good probes, and a waiting order's reservation that OCI answered. With no order to try,
    good probes suffice, and the connection `is_unproven` until a write has worked.
    """
    ready = row().filter(
        Q(held_until=None) | Q(held_until__lte=now),
        state=ConnectionState.OFFLINE,
        good_probes__gte=settings.COC_GOOD_PROBES_TO_RECOVER,
    )
    found = ready.first()
    if found is None or (found.proved_at is None and trials.orders_to_try()):
        return False
    reason = say("oci_answers_again")
    with transaction.atomic():
        if not ready.filter(proved_at=found.proved_at).update(
            state=ConnectionState.RECOVERING,
            cause=OfflineCause.NONE,
            since=now,
            recovered_at=now,
            **columns("reason", reason, limit=MAX_REASON),
            forced_by="",
            last_error="",
            good_probes=0,
            proved_at=None,
            is_unproven=found.proved_at is None,
            trials=0,
            next_trial_at=None,
            held_until=None,
            concurrency=start_concurrency(),
        ):
            return False
        CallHealth.objects.exclude(pk=CallKind.RELEASE).update(
            unanswered=0,
            unanswered_since=None,
            failures=0,
            last_subject="",
            throttles=0,
            throttled_since=None,
            slow_calls=0,
            slow_of=0,
            slow_since=None,
        )
        Outage.objects.filter(is_open=True).update(recovered_at=now)
        outage = Outage.objects.filter(is_open=True).first()
        write_change(
            outage, ConnectionState.OFFLINE, ConnectionState.RECOVERING, OBSERVER, reason, now
        )
        return True


def is_drained() -> bool:
    """Whether no order waits, and none captured offline is still on its way to waiting."""
    if Order.objects.waiting().exists():
        return False
    return not Order.objects.filter(status=OrderStatus.CREATED, captured_offline=True).exists()


def mark_online_if_drained(now: datetime) -> bool:
    """Go from RECOVERING to ONLINE and close the outage when nothing waits; True for the winner.

    An order that comes between the look and the change is found by the next retry cycle.
    """
    if not row().filter(state=ConnectionState.RECOVERING).exists() or not is_drained():
        return False
    reason = say("nothing_waits")
    with transaction.atomic():
        if (
            not row()
            .filter(state=ConnectionState.RECOVERING)
            .update(
                state=ConnectionState.ONLINE,
                since=now,
                **columns("reason", reason, limit=MAX_REASON),
            )
        ):
            return False
        outage = Outage.objects.filter(is_open=True).first()
        Outage.objects.filter(is_open=True).update(is_open=False, drained_at=now)
        write_change(
            outage, ConnectionState.RECOVERING, ConnectionState.ONLINE, OBSERVER, reason, now
        )
        return True

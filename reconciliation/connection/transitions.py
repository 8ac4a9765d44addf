"""The moves of the connection from state to state.

Each is one conditional update that names the state it leaves; whoever's update counts a row has won
and writes the line of history and the outage in the same transaction.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from orders.actors import Actor, job
from orders.models import Order, OrderStatus
from reconciliation.connection.state import ANSWERING, current, row, start_concurrency
from reconciliation.models import (
    ConnectionChange,
    ConnectionState,
    OfflineCause,
    Outage,
)
from reconciliation.reasons import columns, say

logger = logging.getLogger(__name__)

# Calls that hang count as soon as they are sent, but a healthy burst must not look like a hang.
HUNG_AFTER = timedelta(seconds=2)
OBSERVER = job("connection")
MAX_REASON = 500


class ReasonRequired(ValueError):
    """An operator wants to force or release the connection and gave no reason."""

    def __init__(self) -> None:
        super().__init__("Say why: the reason is shown to everyone who works with this outage.")


def lose_if_unanswered(now: datetime) -> bool:
    """Go OFFLINE if too many calls failed, or hang, since the last good answer.

    Evaluated at each send, each failure and each tick of the monitor. Returns whether this call
    made the change. While OFFLINE for another cause, only the cause is brought up to date.
    """
    limit = settings.COC_FAILURES_TO_OFFLINE
    unreachable = Q(failures__gte=limit) | Q(
        unanswered__gte=limit, unanswered_since__lte=now - HUNG_AFTER
    )
    known = Q(state=ConnectionState.FORCED_OFFLINE) | Q(
        state=ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE
    )
    # Most evaluations find nothing, and reading takes no lock.
    if not row().filter(unreachable).exclude(known).exists():
        return False
    return lose(
        now=now,
        cause=OfflineCause.UNREACHABLE,
        reason=say("unanswered_calls", limit=limit),
        condition=unreachable,
    )


def lose(*, now: datetime, cause: OfflineCause, reason: str, condition: Q) -> bool:
    """Go OFFLINE from ONLINE or RECOVERING if the row meets `condition`; True for the winner."""
    for old in ANSWERING:
        with transaction.atomic():
            if (
                row()
                .filter(condition, state=old)
                .update(
                    state=ConnectionState.OFFLINE,
                    cause=cause,
                    since=now,
                    **columns("reason", reason, limit=MAX_REASON),
                    good_probes=0,
                )
            ):
                lost_at = current().unanswered_since or now
                outage = _open_outage(cause=cause, reason=reason, lost_at=lost_at, now=now)
                _write_change(outage, old, ConnectionState.OFFLINE, OBSERVER, reason, now)
                return True
    _change_cause(now=now, cause=cause, reason=reason, condition=condition)
    return False


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
            _write_change(outage, offline, offline, OBSERVER, reason, now)


def note_good_probe(now: datetime) -> bool:
    """Count a good probe while OFFLINE; True if it was the one that made us RECOVERING."""
    if not row().filter(state=ConnectionState.OFFLINE).update(good_probes=F("good_probes") + 1):
        return False
    return mark_recovering(now)


def note_bad_probe(*, sent_at: datetime) -> None:
    """Begin to count good probes anew: they must come one after the other.

    A probe that hung while later ones were answered says nothing about now.
    """
    row().filter(
        Q(last_good_at=None) | Q(last_good_at__lte=sent_at),
        state=ConnectionState.OFFLINE,
        good_probes__gt=0,
    ).update(good_probes=0)


def mark_recovering(now: datetime) -> bool:
    """Go from OFFLINE to RECOVERING after enough good probes; True for the winner."""
    reason = say("oci_answers_again")
    with transaction.atomic():
        if (
            not row()
            .filter(
                state=ConnectionState.OFFLINE, good_probes__gte=settings.COC_GOOD_PROBES_TO_RECOVER
            )
            .update(
                state=ConnectionState.RECOVERING,
                cause=OfflineCause.NONE,
                since=now,
                **columns("reason", reason, limit=MAX_REASON),
                forced_by="",
                unanswered=0,
                unanswered_since=None,
                failures=0,
                last_error="",
                good_probes=0,
                concurrency=start_concurrency(),
            )
        ):
            return False
        Outage.objects.filter(is_open=True).update(recovered_at=now)
        outage = Outage.objects.filter(is_open=True).first()
        _write_change(
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
        _write_change(
            outage, ConnectionState.RECOVERING, ConnectionState.ONLINE, OBSERVER, reason, now
        )
        return True


def force_offline(*, actor: Actor, reason: str, now: datetime) -> bool:
    """Take the connection offline until it is released; opens an outage or keeps the open one.

    Returns False if it was forced already (nothing changes). Raises ReasonRequired.
    """
    reason = _given(reason)
    while (old := ConnectionState(current().state)) != ConnectionState.FORCED_OFFLINE:
        with transaction.atomic():
            if (
                row()
                .filter(state=old)
                .update(
                    state=ConnectionState.FORCED_OFFLINE,
                    cause=OfflineCause.FORCED,
                    since=now,
                    **columns("reason", reason, limit=MAX_REASON),
                    forced_by=actor.name[:150],
                    good_probes=0,
                )
            ):
                outage = _open_outage(
                    cause=OfflineCause.FORCED, reason=reason, lost_at=now, now=now
                )
                _write_change(outage, old, ConnectionState.FORCED_OFFLINE, actor, reason, now)
                return True
    return False


def release_forced(*, actor: Actor, reason: str, now: datetime) -> bool:
    """End a forced outage: OFFLINE, until probes find that OCI answers; never ONLINE at once.

    Returns False if the connection was not forced (nothing changes). Raises ReasonRequired.
    """
    reason = _given(reason)
    with transaction.atomic():
        if (
            not row()
            .filter(state=ConnectionState.FORCED_OFFLINE)
            .update(
                state=ConnectionState.OFFLINE,
                since=now,
                **columns("reason", reason, limit=MAX_REASON),
                forced_by="",
                good_probes=0,
            )
        ):
            return False
        outage = Outage.objects.filter(is_open=True).first()
        _write_change(
            outage, ConnectionState.FORCED_OFFLINE, ConnectionState.OFFLINE, actor, reason, now
        )
        return True


def _given(reason: str) -> str:
    reason = reason.strip()[:MAX_REASON]
    if not reason:
        raise ReasonRequired
    return reason


def _open_outage(*, cause: OfflineCause, reason: str, lost_at: datetime, now: datetime) -> Outage:
    """Return the open outage, or open one. The connection row is locked by the caller's update."""
    outage = Outage.objects.filter(is_open=True).first()
    if outage is None:
        return Outage.objects.create(
            cause=cause,
            **columns("reason", reason, limit=MAX_REASON),
            lost_at=min(lost_at, now),
            detected_at=now,
        )
    # A relapse: it had not recovered after all.
    Outage.objects.filter(pk=outage.pk).update(recovered_at=None)
    return outage


def _write_change(
    outage: Outage | None,
    old: ConnectionState,
    new: ConnectionState,
    actor: Actor,
    reason: str,
    now: datetime,
) -> None:
    ConnectionChange.objects.create(
        at=now,
        outage=outage,
        old_state=old,
        new_state=new,
        actor=actor.name[:150],
        **columns("reason", reason, limit=MAX_REASON),
    )
    logger.warning("The connection to OCI went from %s to %s: %s", old, new, reason)

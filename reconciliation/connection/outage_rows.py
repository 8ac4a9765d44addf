"""The rows that a move of the connection writes beside its own: the outage, and the history."""

from __future__ import annotations

import logging
from datetime import datetime

from orders.actors import Actor
from reconciliation.models import ConnectionChange, ConnectionState, OfflineCause, Outage
from reconciliation.reasons import columns

logger = logging.getLogger(__name__)

MAX_REASON = 500


def open_outage(
    *,
    cause: OfflineCause,
    reason: str,
    lost_at: datetime,
    now: datetime,
    goes_on: bool = False,
    is_practice: bool = False,
) -> Outage:
    """Return the open outage, or open one. The connection row is locked by the caller.

    With `goes_on` the last one is opened again: it had not ended after all.
    """
    outage = Outage.objects.filter(is_open=True).first()
    if outage is None and goes_on:
        outage = Outage.objects.order_by("-pk").first()
    if outage is None:
        return Outage.objects.create(
            cause=cause,
            **columns("reason", reason, limit=MAX_REASON),
            lost_at=min(lost_at, now),
            detected_at=now,
            is_practice=is_practice,
        )
    # A relapse: it had not recovered after all.
    Outage.objects.filter(pk=outage.pk).update(is_open=True, recovered_at=None, drained_at=None)
    take_seriously(outage, cause=cause, reason=reason)
    return outage


def take_seriously(outage: Outage, *, cause: OfflineCause, reason: str) -> None:
    """Make a practice outage a real one: OCI was lost before it was over."""
    Outage.objects.filter(pk=outage.pk, is_practice=True).update(
        is_practice=False, cause=cause, **columns("reason", reason, limit=MAX_REASON)
    )


def write_change(
    outage: Outage | None,
    old: ConnectionState,
    new: ConnectionState,
    actor: Actor,
    reason: str,
    now: datetime,
) -> None:
    """Write a line of the connection's history and log it, in the caller's transaction."""
    ConnectionChange.objects.create(
        at=now,
        outage=outage,
        old_state=old,
        new_state=new,
        actor=actor.name[:150],
        **columns("reason", reason, limit=MAX_REASON),
    )
    logger.warning("The connection to OCI went from %s to %s: %s", old, new, reason)

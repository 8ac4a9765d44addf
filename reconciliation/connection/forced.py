"""People take the connection offline, and let go of it again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from orders.actors import Actor
from reconciliation.connection.outage_rows import MAX_REASON, open_outage, write_change
from reconciliation.connection.state import current, row
from reconciliation.models import ConnectionState, OfflineCause, Outage
from reconciliation.reasons import Reason, columns


class ReasonRequired(ValueError):
    """An operator wants to force or release the connection and gave no reason."""

    def __init__(self) -> None:
        super().__init__("Say why: the reason is shown to everyone who works with this outage.")


def force_offline(*, actor: Actor, reason: str, now: datetime, is_practice: bool = False) -> bool:
    """Take the connection offline until it is released; opens an outage or keeps the open one.

    Returns False if it was forced already (nothing changes). Raises ReasonRequired.
    `is_practice` marks the outage that this opens.
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
                outage = open_outage(
                    cause=OfflineCause.FORCED,
                    reason=reason,
                    lost_at=now,
                    now=now,
                    is_practice=is_practice,
                )
                write_change(outage, old, ConnectionState.FORCED_OFFLINE, actor, reason, now)
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
                proved_at=None,
                relapses=0,
                held_until=None,
            )
        ):
            return False
        outage = Outage.objects.filter(is_open=True).first()
        write_change(
            outage, ConnectionState.FORCED_OFFLINE, ConnectionState.OFFLINE, actor, reason, now
        )
        return True


def _given(reason: str) -> str:
    if isinstance(reason, Reason):
        return reason
    reason = reason.strip()[:MAX_REASON]
    if not reason:
        raise ReasonRequired
    return reason

"""Which outage an alert is about, so that an acknowledged one does not hide the next.

An outage that someone made on purpose, by a planned window or by forcing the connection offline,
lasts until it is proved that OCI answers. If OCI turns out to be lost, that is another matter,
although the outage in the database goes on.
"""

from __future__ import annotations

from datetime import datetime

from reconciliation.alerts.rule import Data
from reconciliation.models import ConnectionState, OfflineCause
from reconciliation.runs.status import Status


def outage_data(status: Status) -> Data:
    """Return the members of the data that tell one outage from the next."""
    is_held = status.connection == ConnectionState.FORCED_OFFLINE
    return {
        "outage": None if status.outage is None else status.outage.pk,
        "onPurpose": status.cause == OfflineCause.FORCED,
        "heldSince": status.since.isoformat() if is_held else None,
    }


def began_at(status: Status) -> datetime:
    """Return when the matter began: the outage, or what followed one that was on purpose."""
    outage = status.outage
    if outage is None:
        return status.since
    is_being_checked = (
        status.connection == ConnectionState.OFFLINE and status.cause == OfflineCause.FORCED
    )
    if outage.cause == OfflineCause.FORCED and not is_being_checked:
        return status.since
    return outage.lost_at


def is_same_outage(before: Data, after: Data) -> bool:
    """Return whether both are about the same matter; data of an earlier release always are."""
    if "onPurpose" not in before:
        return True
    if before["outage"] != after["outage"]:
        return False
    if not before["onPurpose"]:
        # Taking a lost connection offline asks nothing new of anybody.
        return True
    is_held_again = after["heldSince"] not in (None, before["heldSince"])
    return bool(after["onPurpose"]) and not is_held_again


def carry_hold(before: Data, after: Data) -> Data:
    """Return `after` with the hold that it follows, while the connection is being checked."""
    if not after["onPurpose"] or after["heldSince"]:
        return after
    return {**after, "heldSince": before.get("heldSince")}

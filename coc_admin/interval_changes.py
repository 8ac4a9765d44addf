"""Change the interval of scheduled work. Each change is in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from coc_admin.accounts import audit_log
from coc_admin.edits import ChangeRefused, update_as_seen
from orders.actors import Actor
from reconciliation.maintenance import schedules
from reconciliation.queue import intervals


def change_interval(
    *,
    name: str,
    was: Mapping[str, str],
    values: Mapping[str, Any],
    actor: Actor,
    reason: str,
    now: datetime,
) -> bool:
    """Change the interval of `name` if it still matches `was`; False if nothing differs.

    `values` are members of its row (`reconciliation.models.IntervalSetting`); empty ones stand for
    the environment's value. It applies at once, everywhere. Raises EditedMeanwhile, and
    ChangeRefused for an interval that it cannot have.
    """
    try:
        intervals.check(name, values)
    except intervals.IntervalRefused as refusal:
        raise ChangeRefused(_("This interval is not allowed."), field=refusal.field) from refusal
    with transaction.atomic():
        changes = update_as_seen(intervals.row_to_change(name), was=was, values=values)
        if changes:
            schedules.follow(name, now=now)
            audit_log.append(
                actor=actor,
                now=now,
                action="schedule.changed",
                target=f"schedule:{name}",
                detail=changes,
                reason=reason,
            )
    return bool(changes)

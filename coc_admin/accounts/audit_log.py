"""The audit log: actions of people in the console, separate from the history of orders.

An entry is written in the same transaction as its change, so neither exists without the other: call
`append` inside the `transaction.atomic()` of the change. Entries never change, and are deleted only
when older than COC_RETAIN_AUDIT_DAYS.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from coc_admin import logs
from coc_admin.models import AuditEntry
from orders.actors import Actor
from orders.serializers import iso
from orders.texts import storable

logger = logging.getLogger(__name__)

HIDDEN = "(hidden)"

_SECRET = re.compile(r"password|secret|token_hash|authorization|credential", re.IGNORECASE)
_LONGEST_TEXT = 1000
_MOST_MEMBERS = 200
# Entries per pass, so that a table of years is not locked for long.
_MOST_FORGOTTEN = 5_000


def forget_old(now: datetime) -> bool:
    """Delete entries older than COC_RETAIN_AUDIT_DAYS (0 keeps all); True if there may be more."""
    days = settings.COC_RETAIN_AUDIT_DAYS
    if not days:
        return False
    before = now - timedelta(days=days)
    gone = AuditEntry.objects.all().forget_before(before, most=_MOST_FORGOTTEN)
    if gone:
        logger.info("%s entries of the audit log were older than %s days.", gone, days)
    return gone >= _MOST_FORGOTTEN


def append(
    *,
    actor: Actor,
    action: str,
    target: str,
    now: datetime,
    detail: Mapping[str, object] = {},
    reason: str = "",
) -> AuditEntry:
    """Append an action of `actor`, in the caller's transaction.

    `action` names the action (`site.changed`, `user.disabled`), `target` the kind and key of its
    object (`site:shop`, `run:12`, or only a kind). `detail` is stored as JSON; see `changed` for
    the fields of a form. Members with a name that suggests a secret are hidden.
    """
    entry = AuditEntry(
        at=now,
        actor=actor.name[:150],
        action=action[:60],
        target=storable(target)[:300],
        detail=_plain(detail),
        reason=storable(reason)[:_LONGEST_TEXT],
        request_id=logs.request_id.get()[:64],
    )
    entry.save(force_insert=True)
    return entry


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """Return the members of `after` that differ from `before`, each with both values."""
    return {
        name: {"before": before.get(name), "after": value}
        for name, value in after.items()
        if before.get(name) != value
    }


def _plain(value: object, name: str = "") -> Any:
    """Return `value` in a form for JSON, without secrets and of limited length."""
    if name and _SECRET.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        members = list(value.items())[:_MOST_MEMBERS]
        return {storable(str(key))[:100]: _plain(one, str(key)) for key, one in members}
    if isinstance(value, list | tuple | set | frozenset):
        ones = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        return [_plain(one) for one in ones[:_MOST_MEMBERS]]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return storable(str(value))[:_LONGEST_TEXT]

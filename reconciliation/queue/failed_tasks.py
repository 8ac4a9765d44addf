"""Failed tasks in the queue: keeps enough to investigate, and no more.

The queue itself keeps every failure; a task that fails every minute would fill the disk.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django_q.models import Task

KEPT = 500
KEPT_FOR = timedelta(days=30)
# So many are dropped at a time; the next sweep drops more.
_MOST = 1000


def drop_old(now: datetime) -> int:
    """Drop failures older than KEPT_FOR, and all but the newest KEPT; return how many."""
    failures = Task.objects.filter(success=False).order_by("-stopped", "-id")
    surplus = set(failures.values_list("pk", flat=True)[KEPT : KEPT + _MOST])
    expired = failures.filter(stopped__lt=now - KEPT_FOR)
    surplus.update(expired.values_list("pk", flat=True)[:_MOST])
    return Task.objects.filter(pk__in=sorted(surplus)).delete()[0] if surplus else 0

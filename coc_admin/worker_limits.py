"""Gives the processes of the queue that work on tasks the time that work may take.

Those that hand the tasks out, and that watch over the others, stay as impatient as the web.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django_q.signals import post_spawn

from orders import statement_limit


@receiver(post_spawn, dispatch_uid="worker_limits")
def have_time(**_: Any) -> None:
    """A worker process has begun; it has no connection to the database yet."""
    statement_limit.set_kind(statement_limit.Kind.WORKER)

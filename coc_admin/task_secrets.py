"""Keeps customers' rows out of the tracebacks that the queue stores.

The queue stores the traceback, in which PostgreSQL tells the row that it refused: erasing the
customer would not reach that copy.
"""

from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_save
from django.dispatch import receiver
from django_q.models import Task

from coc_admin.logs import without_secrets


@receiver(pre_save, sender=Task, dispatch_uid="failed_tasks")
def leave_secrets_out(instance: Task, **_: Any) -> None:
    """Store the result of a task without rows of the database and without secret links."""
    if isinstance(instance.result, str):
        instance.result = without_secrets(instance.result)

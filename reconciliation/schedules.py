"""Schedules are code: made true, by name, when the processes start."""

from __future__ import annotations

from django.db import transaction
from django_q.models import Schedule

_EVERY_MINUTE = {"sweep": "reconciliation.tasks.sweep"}


def ensure() -> None:
    """Make the schedules in the database those of the code; safe to call at any time."""
    for name, func in _EVERY_MINUTE.items():
        with transaction.atomic():
            rows = list(Schedule.objects.select_for_update().filter(name=name).order_by("pk"))
            if rows:
                Schedule.objects.filter(pk__in=[row.pk for row in rows[1:]]).delete()
                Schedule.objects.filter(pk=rows[0].pk).update(
                    func=func,
                    args=None,
                    kwargs=None,
                    schedule_type=Schedule.MINUTES,
                    minutes=1,
                    repeats=-1,
                )
            else:
                Schedule.objects.create(
                    name=name, func=func, schedule_type=Schedule.MINUTES, minutes=1, repeats=-1
                )

"""How often things run by themselves, where people have changed it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class IntervalSetting(models.Model):
    """One scheduled task; written by `reconciliation.queue.intervals` alone.

    Empty columns use the environment's value. `every` is in the unit of its kind (seconds or
    minutes); `at` is a time of day in `zone` instead of it.
    """

    name = models.CharField(max_length=20, primary_key=True)
    every = models.PositiveIntegerField(null=True)
    at = models.TimeField(null=True)
    zone = models.CharField(max_length=64, blank=True)
    paused = models.BooleanField(default=False)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "reconciliation_rhythm"  # its name when it shipped
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(at=None) | ~Q(zone=""), name="time_has_a_zone"),
        ]

    def __str__(self) -> str:
        return self.name

"""What home draws: orders by minute, sampled, so that no page counts them again."""

from __future__ import annotations

from django.db import models

from orders.models import Site


class MinuteFigures(models.Model):
    """The orders of one site in one minute; written by `reconciliation.outages.minutes` alone.

    `captured` is how many were accepted in the minute, `waiting` and `short` how many waited for a
    reservation and were oversold when the minute was sampled last.
    """

    # The constraint below serves what is read. None on the site: a capture may hold its lock.
    site = models.ForeignKey(Site, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    minute = models.DateTimeField()
    captured = models.PositiveIntegerField()
    waiting = models.PositiveIntegerField()
    short = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["minute", "site"], name="one_row_a_minute_and_site"),
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.minute:%H:%M}"

"""Planned outages: windows in which Omnichannel Inventory is not called on purpose."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class WindowState(models.TextChoices):
    """How far a window is; made from its row and never stored."""

    PLANNED = "planned", _("Planned")
    RUNNING = "running", _("Running")
    OVER = "over", _("Over")
    CANCELLED = "cancelled", _("Cancelled")


class PlannedOutage(models.Model):
    """One window, for every site; written by `reconciliation.outages.planned` alone.

    `entered_at` is when the monitor began it, `ended_at` when it was over, ended early or was
    cancelled. `end_reason` is empty if it ended on time. A practice begins at once, by
    `reconciliation.maintenance.practice`, and ends like any window.
    """

    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    owner = models.CharField(max_length=100)
    note = models.CharField(max_length=300)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    entered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)
    # The default in the database serves a version that does not know the column.
    is_practice = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="planned_outage_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"planned outage {self.pk}"

    @property
    def state(self) -> WindowState:
        """How far it is. A window that no monitor saw counts as cancelled."""
        if self.ended_at is None:
            return WindowState.PLANNED if self.entered_at is None else WindowState.RUNNING
        return WindowState.CANCELLED if self.entered_at is None else WindowState.OVER

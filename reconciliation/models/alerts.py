"""Alerts as Business Manager has them: current state, one per descriptor and context."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Priority(models.TextChoices):
    """Business Manager's three priorities (contract 3.9)."""

    INFO = "INFO", "Info"
    WARN = "WARN", "Warning"
    ACTION = "ACTION", "Action needed"


class Descriptor(models.TextChoices):
    """What an alert is about."""

    OCI_OFFLINE = "oci_offline", "Inventory service offline"
    RECONCILIATION_RUNNING = "reconciliation_running", "Reconciliation running"
    RECONCILIATION_FINISHED = "reconciliation_finished", "Reconciliation finished"
    RECONCILIATION_SHORTAGES = "reconciliation_shortages", "Reconciliation finished with shortages"
    STILL_OFFLINE = "still_offline", "Inventory service offline again"
    NEEDS_REVIEW = "needs_review", "Orders need review"
    CONFIGURATION_FAULT = "configuration_fault", "Credentials refused"
    REPORT_FAILURE = "report_failure", "Reports cannot be written"
    SILENT_WORKER = "silent_worker", "Worker is silent"
    SILENT_MONITOR = "silent_monitor", "Monitor is silent"


class AlertState(models.TextChoices):
    """Whether the alert is true now."""

    OPEN = "open", "Open"
    RESOLVED = "resolved", "Resolved"


class Alert(models.Model):
    """One alert; updated in place while it is true, resolved when it is no longer."""

    descriptor = models.CharField(max_length=24, choices=Descriptor.choices)
    context = models.CharField(max_length=100, blank=True)
    priority = models.CharField(max_length=6, choices=Priority.choices)
    state = models.CharField(max_length=8, choices=AlertState.choices, default=AlertState.OPEN)
    message = models.CharField(max_length=1000)
    remedy = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=300, blank=True)
    data = models.JSONField(default=dict)
    since = models.DateTimeField()
    updated_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["descriptor", "context"], name="one_alert_per_descriptor_and_context"
            ),
        ]
        indexes = [
            models.Index(fields=["priority"], condition=Q(state="open"), name="open_alerts"),
        ]

    def __str__(self) -> str:
        return f"{self.priority} {self.descriptor} {self.context}"

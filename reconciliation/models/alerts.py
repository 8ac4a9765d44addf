"""Alerts as Business Manager has them: current state, one per descriptor and context."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import ActorKind


class Priority(models.TextChoices):
    """Business Manager's three priorities (contract 3.9)."""

    INFO = "INFO", _("Info")
    WARN = "WARN", _("Warning")
    ACTION = "ACTION", _("Action needed")


class AlertState(models.TextChoices):
    """Whether the alert is true now."""

    OPEN = "open", _("Open")
    RESOLVED = "resolved", _("Resolved")


class Handling(models.TextChoices):
    """People's handling of an open alert. Only earlier versions snoozed it for everybody."""

    NONE = "", _("Open")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    SNOOZED = "snoozed", _("Snoozed")


class Alert(models.Model):
    """One alert; updated in place while its cause lasts, then resolved.

    `occurrence` counts how often it was raised, `revision` every write; `turn` is
    the revision of the last turn (raised, more urgent, resolved), of which people are told.
    `handling` is a person's handling of this occurrence, and `handled` counts handlings,
    to detect conflicts. `resolved_by` is empty unless a person resolved it.
    """

    # The name of a rule's file in `reconciliation.alerts.rules`.
    descriptor = models.CharField(max_length=24)
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
    resolved_by = models.CharField(max_length=150, blank=True)
    occurrence = models.PositiveIntegerField(default=1)
    revision = models.PositiveIntegerField(default=1)
    turn = models.PositiveIntegerField(default=1)
    handling = models.CharField(max_length=12, choices=Handling.choices, blank=True)
    snoozed_until = models.DateTimeField(null=True)
    assignee = models.CharField(max_length=150, blank=True)
    handled = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["descriptor", "context"], name="one_alert_per_descriptor_and_context"
            ),
        ]
        indexes = [
            models.Index(fields=["priority"], condition=Q(state="open"), name="open_alerts"),
            models.Index(
                fields=["resolved_at", "id"],
                condition=Q(state="resolved"),
                name="alerts_by_resolution",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.priority} {self.descriptor} {self.context}"


class AlertSnooze(models.Model):
    """One person does not want to see an alert until a time; everybody else sees it as it is.

    It is about one `turn` of the alert: one that is raised again, or becomes more urgent, is
    shown at once.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_snoozes"
    )
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="snoozes")
    turn = models.PositiveIntegerField()
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "alert"], name="one_snooze_per_person"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} until {self.until}"


class AlertEventKind(models.TextChoices):
    """What can happen to an alert."""

    RAISED = "raised", _("Raised")
    WORSE = "worse", _("Became more urgent")
    RELAPSED = "relapsed", _("Recurred")
    RESOLVED = "resolved", _("Resolved")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    SNOOZED = "snoozed", _("Snoozed")
    OPENED = "opened", _("Reopened")
    ASSIGNED = "assigned", _("Assigned")


class AlertEvent(models.Model):
    """One append-only line of an alert's history."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=AlertEventKind.choices)
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    note = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"

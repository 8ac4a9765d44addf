"""Channels that send alerts to people outside, and their delivery logs."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import Site
from reconciliation.models.alerts import Alert, Priority


class ChannelKind(models.TextChoices):
    """How a channel reaches people."""

    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Webhook")
    SLACK = "slack", _("Slack-compatible webhook")


class Channel(models.Model):
    """A destination of alerts, and its filter.

    `target` is e-mail addresses by commas, or the address of a webhook, which is as secret as
    `secret`, the key of its signatures. `descriptors` are those told of; none: all. One with
    `every_site` off tells what concerns its sites, in their figures, and nothing while none is
    listed. `version` counts changes by people; `failures` the tries in a row that did not succeed.
    """

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=8, choices=ChannelKind.choices)
    target = models.CharField(max_length=2000)
    secret = models.CharField(max_length=200, blank=True)
    least_priority = models.CharField(
        max_length=6, choices=Priority.choices, default=Priority.ACTION
    )
    descriptors = models.JSONField(default=list)
    every_site = models.BooleanField(default=True)
    sites = models.ManyToManyField(Site, blank=True)
    enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    last_error_codes = models.JSONField(null=True)  # orders.reasons
    last_sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DeliveryKind(models.TextChoices):
    """Why a message is sent."""

    RAISED = "raised", _("Raised")
    WORSE = "worse", _("More urgent")
    CHANGED = "changed", _("Changed")
    RESOLVED = "resolved", _("Resolved")
    TEST = "test", _("Test")


class DeliveryState(models.TextChoices):
    """What became of a delivery."""

    PENDING = "pending", _("To be sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Given up")


class Delivery(models.Model):
    """One message about an alert over a channel: stored first, then sent, then marked.

    `uid` is the same however often it is sent, so that a receiver can tell a repetition. `revision`
    counts what the channel is told of the alert; `seen` and `turn` are the alert's own when this
    was written, and `content` is what is said. `claimed_until` keeps others from sending it.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="deliveries")
    occurrence = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    turn = models.PositiveIntegerField(default=0)
    kind = models.CharField(max_length=8, choices=DeliveryKind.choices)
    content = models.JSONField(default=dict)
    state = models.CharField(
        max_length=8, choices=DeliveryState.choices, default=DeliveryState.PENDING
    )
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    error_codes = models.JSONField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "alert", "revision"], name="one_delivery_per_revision"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="pending"), name="deliveries_due"),
            models.Index(fields=["channel", "id"], name="deliveries_of_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid}"

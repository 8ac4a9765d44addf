"""The shared state of the connection to OCI, outages, and who beats and who leads."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

CONNECTION_ID = 1


class ConnectionState(models.TextChoices):
    """State of the connection to OCI (design 2)."""

    ONLINE = "ONLINE", _("Online")
    OFFLINE = "OFFLINE", _("Offline")
    RECOVERING = "RECOVERING", _("Recovering")
    FORCED_OFFLINE = "FORCED_OFFLINE", _("Forced offline")


class OfflineCause(models.TextChoices):
    """Why the connection is not online."""

    NONE = "", _("None")
    UNREACHABLE = "unreachable", _("OCI does not answer")
    CONFIGURATION = "configuration", _("OCI refuses our credentials")
    FORCED = "forced", _("An operator took it offline")


class Connection(models.Model):
    """The one row (id 1) that all processes share; written by `reconciliation.connection` alone.

    `unanswered` counts calls sent since the last good answer, so that calls that hang count as
    soon as they are sent; `failures` counts those that ended badly since then.
    """

    state = models.CharField(
        max_length=14, choices=ConnectionState.choices, default=ConnectionState.ONLINE
    )
    cause = models.CharField(max_length=16, choices=OfflineCause.choices, blank=True)
    since = models.DateTimeField()
    reason = models.CharField(max_length=500, blank=True)
    reason_codes = models.JSONField(null=True)
    forced_by = models.CharField(max_length=150, blank=True)
    unanswered = models.PositiveIntegerField(default=0)
    unanswered_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_codes = models.JSONField(null=True)
    last_good_at = models.DateTimeField(null=True)
    good_probes = models.PositiveIntegerField(default=0)
    # Pacing towards OCI: calls at once, and not before this moment after a 429.
    concurrency = models.PositiveIntegerField(default=4)
    wait_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=CONNECTION_ID), name="one_connection"),
            models.CheckConstraint(
                condition=Q(state__in=ConnectionState.values), name="connection_state_known"
            ),
        ]
        permissions = [("force_offline", "Can force the connection offline and release it")]

    def __str__(self) -> str:
        return f"{self.state} since {self.since}"


class Outage(models.Model):
    """From the loss of the connection until the backlog is reconciled."""

    is_open = models.BooleanField(default=True)
    cause = models.CharField(max_length=16, choices=OfflineCause.choices)
    reason = models.CharField(max_length=500, blank=True)
    reason_codes = models.JSONField(null=True)
    lost_at = models.DateTimeField()  # the first call that was not answered
    detected_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True)  # OCI answers again
    drained_at = models.DateTimeField(null=True)  # nothing waits any more

    class Meta:
        ordering = ["-detected_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_open"], condition=Q(is_open=True), name="one_open_outage"
            ),
        ]

    def __str__(self) -> str:
        return f"outage {self.pk}"


class ConnectionChange(models.Model):
    """One append-only line of the connection's history."""

    at = models.DateTimeField()
    outage = models.ForeignKey(Outage, null=True, on_delete=models.PROTECT, related_name="changes")
    old_state = models.CharField(max_length=14, choices=ConnectionState.choices)
    new_state = models.CharField(max_length=14, choices=ConnectionState.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)
    reason_codes = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.old_state} to {self.new_state}"


class Heartbeat(models.Model):
    """When a component last showed that it works; silence is an alert."""

    component = models.CharField(max_length=40)  # worker, monitor, merger
    instance = models.CharField(max_length=100, default="")
    beat_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["component", "instance"], name="one_beat_per_instance"),
        ]

    def __str__(self) -> str:
        return f"{self.component} {self.beat_at}"


class Lease(models.Model):
    """A named right that one holder has until a moment; taken by conditional update."""

    name = models.CharField(max_length=100, primary_key=True)
    holder = models.CharField(max_length=100, blank=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"

"""Reconciliations: runs, their batches, and each order's place in them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import Order


class Trigger(models.TextChoices):
    """What started a run."""

    RECOVERY = "recovery", _("OCI came back")
    SCHEDULE = "schedule", _("Retry cycle")
    STOCK = "stock", _("Stock arrived")
    PERSON = "person", _("A person")
    API = "api", _("API client")
    COMMAND = "command", _("Command line")


class Scope(models.TextChoices):
    """The orders that a run includes."""

    MISSING = "missing", _("Everything that is waiting")
    OVERSOLD = "oversold", _("Oversold orders")
    RUN_FAILURES = "run_failures", _("Orders that one run left short or waiting")
    ORDERS = "orders", _("Chosen orders")
    SKU = "sku", _("Orders that wait for one SKU")
    PROMISES = "promises", _("Promised orders for which stock has arrived")


class RunState(models.TextChoices):
    """Where a run is, or how it ended; a run with shortages is never plain completed."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    SHORTAGES = "completed_with_shortages", _("Completed with shortages")
    OCI_OFFLINE = "oci_offline", _("Omnichannel Inventory remains offline")
    CONFIGURATION_FAULT = "configuration_fault", _("Stopped: OCI refuses our credentials")


ACTIVE_RUNS = (RunState.QUEUED, RunState.RUNNING)


class Run(models.Model):
    """One reconciliation. Counts are derived from its entries by `reconciliation.runs`."""

    trigger = models.CharField(max_length=8, choices=Trigger.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    reason_codes = models.JSONField(null=True)
    scope = models.CharField(max_length=12, choices=Scope.choices, default=Scope.MISSING)
    # What narrows the scope: {"site": ..., "run": ..., "orders": [ids], "sku": ..., "list": ...}
    scope_data = models.JSONField(default=dict)
    state = models.CharField(max_length=24, choices=RunState.choices, default=RunState.QUEUED)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # Starts of work on it, counted before the work: a run that kills its workers is noticed.
    starts = models.PositiveIntegerField(default=0)
    outage = models.ForeignKey(
        "reconciliation.Outage", null=True, on_delete=models.SET_NULL, related_name="runs"
    )

    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # One reconciliation at a time: oldest first per SKU would not hold across two.
            models.UniqueConstraint(
                fields=["is_active"], condition=Q(is_active=True), name="one_active_run"
            ),
        ]
        permissions = [("start_run", "Can start and dry-run a reconciliation")]

    def __str__(self) -> str:
        return f"run {self.pk} {self.state}"


class BatchState(models.TextChoices):
    """Where a batch is."""

    READY = "ready", _("Ready")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")


class Batch(models.Model):
    """Consecutive orders of one round of a run (`lane`), in order of capture, under a lease.

    One worker has leases of a run at a time.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="batches")
    lane = models.PositiveIntegerField()
    sequence = models.PositiveIntegerField()
    state = models.CharField(max_length=7, choices=BatchState.choices, default=BatchState.READY)
    holder = models.CharField(max_length=64, blank=True)
    leased_until = models.DateTimeField(null=True)
    starts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["run", "lane", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["run", "lane", "sequence"], name="batch_place_unique"),
        ]

    def __str__(self) -> str:
        return f"batch {self.run_id}/{self.lane}/{self.sequence}"


class EntryState(models.TextChoices):
    """A run's outcome for one order."""

    PENDING = "pending", _("Pending")
    COMPLETE = "COMPLETELY_RESERVED", _("Completely Reserved")
    PARTIAL = "PARTIALLY_RESERVED", _("Partially Reserved")
    NOTHING = "NOTHING_RESERVED", _("Nothing Reserved")
    OCI_OFFLINE = "OCI_OFFLINE", _("Omnichannel Inventory remains offline")
    NEEDS_REVIEW = "NEEDS_REVIEW", _("Needs review")
    SKIPPED = "SKIPPED", _("Skipped: already settled or cancelled")


class RunEntry(models.Model):
    """One order in one run."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="entries")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="entries")
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="entries")
    position = models.PositiveIntegerField()
    state = models.CharField(max_length=19, choices=EntryState.choices, default=EntryState.PENDING)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "order"], name="order_once_in_run"),
            models.UniqueConstraint(
                fields=["order"], condition=Q(state="pending"), name="order_in_one_run_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["run", "state"], name="entries_by_state")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"

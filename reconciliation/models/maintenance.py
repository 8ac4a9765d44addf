"""Long work that people start from the console, and what it found."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import ActorKind


class JobKind(models.TextChoices):
    """What a maintenance job does."""

    CHECK = "check", _("Integrity check")
    AUDIT = "audit", _("Audit with OCI")
    IMPORT = "import", _("Import of orders")
    DRY_RUN = "dryrun", _("Dry run")


class JobState(models.TextChoices):
    """Where a maintenance job stands."""

    QUEUED = "queued", _("Waits for a worker")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    STOPPED = "stopped", _("Stopped")


OPEN_JOBS = Q(state="queued") | Q(state="running")


class MaintenanceJob(models.Model):
    """One job; written by `reconciliation.maintenance.jobs` alone.

    `steps_done` of `steps` are done (0 of 0: not known). `found` counts what was found; `rows` are
    the first of it, as the kind's module writes them. `error` says why a job failed. Jobs of a kind
    that do different things have different keys; they are done one after the other.
    """

    kind = models.CharField(max_length=6, choices=JobKind.choices)
    key = models.CharField(max_length=64, blank=True, default="", db_default="")
    state = models.CharField(max_length=7, choices=JobState.choices, default=JobState.QUEUED)
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    steps = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0)
    rows = models.JSONField(default=list)
    error = models.CharField(max_length=500, blank=True)
    error_codes = models.JSONField(null=True)  # orders.reasons; none for an unexpected fault

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"], condition=OPEN_JOBS, name="one_open_job_of_a_key"
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(state="running"), name="one_running_job_of_a_kind"
            ),
        ]
        indexes = [models.Index(fields=["kind", "state", "id"], name="jobs_by_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}: {self.state}"

    @property
    def percent(self) -> int:
        """Steps done of a hundred, rounded down; 0 while their number is not known."""
        return 100 * self.steps_done // self.steps if self.steps else 0

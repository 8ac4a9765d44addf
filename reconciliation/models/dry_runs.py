"""Dry runs that are too large for a request: what was asked for, and what came of it."""

from __future__ import annotations

from django.db import models

from reconciliation.models.maintenance import MaintenanceJob
from reconciliation.models.runs import Scope


class BackgroundDryRun(models.Model):
    """The dry run of a job; written by `reconciliation.maintenance` alone, and deleted with it.

    `sites` are those whose orders it counts and lists; null: of every site. `result` is what
    `reconciliation.runs.dry_run_results` stores, empty until the job is done.
    """

    job = models.OneToOneField(MaintenanceJob, on_delete=models.CASCADE, related_name="dry_run")
    scope = models.CharField(max_length=12, choices=Scope.choices)
    scope_data = models.JSONField(default=dict)
    sites = models.JSONField(null=True)
    result = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"dry run {self.scope} of job {self.job_id}"

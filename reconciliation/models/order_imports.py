"""Order files that people upload: first previewed, then imported once."""

from __future__ import annotations

from django.db import models

from orders.models import Site
from reconciliation.models.maintenance import MaintenanceJob


class OrderImport(models.Model):
    """An uploaded order file; written by `reconciliation.maintenance.order_imports` alone.

    `body` is the packed file, empty once it is imported. `preview` and `counts` hold numbers by
    outcome: what the check found, and what became of the orders. `refused` lists line, order number
    and reason: those of the check, and after the import those of the import.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    actor = models.CharField(max_length=150)
    file_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=5)
    profile = models.CharField(max_length=20, blank=True)
    # What 12/1/2010 means: `mdy`, `dmy`, or blank for what the profile says.
    dates = models.CharField(max_length=3, blank=True)
    body = models.BinaryField()
    created_at = models.DateTimeField()
    order_count = models.PositiveIntegerField()
    preview = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    refused = models.JSONField(default=list)
    # The codes of each reason in `refused` (orders.reasons); null for imports of older versions.
    refused_codes = models.JSONField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    # The latest job; null also when it is so old that it was deleted.
    job = models.ForeignKey(MaintenanceJob, null=True, on_delete=models.SET_NULL, related_name="+")
    is_done = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["created_at"], name="order_imports_by_time")]

    def __str__(self) -> str:
        return f"{self.file_name} for {self.site_id}"

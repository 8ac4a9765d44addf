"""The reconciliation app: the connection to OCI, runs, reports and alerts."""

from __future__ import annotations

from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    """Everything that talks to the inventory service or follows from its answers."""

    name = "reconciliation"
    verbose_name = "Reconciliation"

"""The project's own app: HTTP API, console shell, roles, checks and commands to run it."""

from __future__ import annotations

from django.apps import AppConfig


class CocAdminConfig(AppConfig):
    """The surfaces of the product."""

    name = "coc_admin"
    verbose_name = "Continuous Order Capture"

    def ready(self) -> None:
        """Register the checks and what watches tasks and accounts; show signs of life."""
        from coc_admin import checks, search_checks, task_secrets, worker_limits  # noqa: F401
        from coc_admin.accounts import audit_log, sign_out  # noqa: F401
        from reconciliation import liveness
        from reconciliation.maintenance import retention

        # Here, since every process of the product comes by, the queue's before it forks.
        liveness.start()
        retention.also(audit_log.forget_old)

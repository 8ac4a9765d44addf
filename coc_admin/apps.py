"""The project's own app: HTTP API, console shell, roles, checks and commands to run it."""

from __future__ import annotations

from django.apps import AppConfig


class CocAdminConfig(AppConfig):
    """The surfaces of the product."""

    name = "coc_admin"
    verbose_name = "Continuous Order Capture"

    def ready(self) -> None:
        """Register the system checks, and what watches over what the queue stores."""
        from coc_admin import checks, failed_tasks  # noqa: F401

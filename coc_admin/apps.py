"""The project's own app: HTTP API, console shell, roles, checks and commands to run it."""

from __future__ import annotations

from django.apps import AppConfig


class CocAdminConfig(AppConfig):
    """The surfaces of the product."""

    name = "coc_admin"
    verbose_name = "Continuous Order Capture"

    def ready(self) -> None:
        """Register the system checks."""
        from coc_admin import checks  # noqa: F401

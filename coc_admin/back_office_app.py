"""Django's admin as an app that shows this product's models only (`coc_admin.back_office`)."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class BackOfficeConfig(SimpleAdminConfig):
    """The back office. It doesn't look for models that other apps would register."""

    default = False
    default_site = "coc_admin.back_office.BackOffice"

    def ready(self) -> None:
        """Register the models to show."""
        super().ready()
        from django.contrib.admin import site

        from coc_admin.back_office import ReadOnly, models

        site.register(models(), ReadOnly)

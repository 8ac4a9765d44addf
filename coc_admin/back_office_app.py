"""Django's admin as an app, with our rule of who may enter (`coc_admin.back_office`)."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class BackOfficeConfig(AdminConfig):
    """The back office."""

    default = False
    default_site = "coc_admin.back_office.BackOffice"

"""Common parts of the maintenance pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.console.settings.sections import sections_of


def maintenance_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page of maintenance with the sub-navigation of the settings."""
    whole = {"sections": sections_of(request)} | context
    return render(request, f"console/maintenance/{template}", whole, status=status)

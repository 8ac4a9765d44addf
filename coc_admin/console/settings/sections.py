"""The sub-navigation of the settings: the sections that a person may open."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page

# label, URL name, permission, whether it is only for people who see every site
SECTIONS = (
    (_("Sites"), "settings_sites", "orders.view_site", False),
    (_("Inventory lists"), "settings_lists", "orders.view_inventorylist", False),
    (_("Schedules"), "settings_schedules", "orders.change_site", True),
    (_("OCI connection"), "settings_oci", "reconciliation.force_offline", True),
    (_("Alert channels"), "channels", "reconciliation.change_channel", False),
    (_("Message templates"), "message_templates", "orders.change_messagetemplate", False),
    (_("Maintenance"), "maintenance", "orders.change_site", True),
    (_("API tokens"), "settings_tokens", "coc_admin.view_apitoken", True),
    (_("People"), "settings_people", "auth.view_user", True),
    (_("Audit log"), "settings_audit", "coc_admin.view_auditentry", True),
)


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the sub-navigation."""

    label: str
    url: str
    current: bool


def sections_of(request: HttpRequest) -> list[Section]:
    """Return the sections that the person may open and that exist."""
    sees_all = not site_access(request).is_limited
    found = []
    for label, name, permission, for_all_sites in SECTIONS:
        if not request.user.has_perm(permission) or (for_all_sites and not sees_all):
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        found.append(Section(str(label), url, request.path.startswith(url)))
    return found


@console_page("orders.view_site")
def index(request: HttpRequest) -> HttpResponse:
    """Open the first section."""
    return redirect(sections_of(request)[0].url)

"""The settings as one searchable list, and the sub-navigation of their pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page

_MOST_CHARACTERS = 100

# label, URL name, permission, whether only for people who see every site
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

# The content of a section, and its other pages: label, URL name, permission, content.
_NOTES = {
    "settings_sites": _(
        "Offline capture and its limits, time zone, currency, places in the queue, hand-over."
    ),
    "settings_lists": _("Stock by location or group, stock feeds, limits of what may be sold."),
    "settings_schedules": _("How often retries, stock updates, alerts and reports run."),
    "settings_oci": _(
        "Address, credentials, and a test that distinguishes wrong settings from an outage."
    ),
    "channels": _("Who receives which alerts: e-mail, webhook, Slack."),
    "message_templates": _("Texts of the messages to customers, and how they are sent."),
    "maintenance": _("Check and maintain the installation."),
    "settings_tokens": _("Access of storefronts and programs: sites, scopes, revocation."),
    "settings_people": _("Accounts, roles, sites, links to choose a password."),
    "settings_audit": _("Who did what, when and why."),
}
_PAGES: dict[str, tuple[tuple[Any, str, str, Any], ...]] = {
    "settings_sites": ((_("Add a site"), "settings_site_new", "orders.add_site", ""),),
    "settings_lists": (
        (_("Add an inventory list"), "settings_list_new", "orders.add_inventorylist", ""),
    ),
    "channels": (
        (_("Add an alert channel"), "channel_new", "reconciliation.change_channel", ""),
        (
            _("Deliveries"),
            "deliveries",
            "reconciliation.change_channel",
            _("Log of the messages to all channels."),
        ),
    ),
    "maintenance": (
        (
            _("Health and version"),
            "maintenance_health",
            "orders.change_site",
            _("Processes, queue, schedules, the version that runs and the state of an upgrade."),
        ),
        (
            _("Integrity check and repair"),
            "maintenance_check",
            "orders.change_site",
            _("Checks that orders, stock, reservations and reports agree."),
        ),
        (
            _("Audit with OCI"),
            "maintenance_audit",
            "orders.change_site",
            _("Compares the reservations that OCI holds with ours. Reads only."),
        ),
        (
            _("Import orders"),
            "maintenance_import",
            "orders.change_site",
            _(
                "Places the orders of a file, after a preview: exports of known shops, CSV, XML or"
                " JSON."
            ),
        ),
        (
            _("Erase a customer"),
            "maintenance_erase",
            "orders.change_site",
            _("Removes a customer’s personal data from orders, messages and report files."),
        ),
        (
            _("Retention"),
            "maintenance_retention",
            "orders.change_site",
            _("How long personal data is kept, and what is due."),
        ),
    ),
    "settings_tokens": (
        (_("Create an API token"), "settings_token_new", "coc_admin.add_apitoken", ""),
    ),
    "settings_people": ((_("Add a person"), "settings_person_new", "auth.add_user", ""),),
}


# Pages only for people who see every site, in sections that others may open.
_FOR_ALL_SITES = ("settings_site_new", "settings_list_new")


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the sub-navigation."""

    label: str
    url: str
    current: bool
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the list: its name, address and content."""

    label: str
    url: str
    note: str


def sections_of(request: HttpRequest) -> list[Section]:
    """Return the existing sections that the person may open."""
    sees_all = not site_access(request).is_limited
    found = []
    for label, name, permission, for_all_sites in SECTIONS:
        if not request.user.has_perm(permission) or (for_all_sites and not sees_all):
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        found.append(Section(str(label), url, request.path.startswith(url), name))
    return found


def entries_of(request: HttpRequest, text: str) -> list[tuple[Entry, list[Entry]]]:
    """Return the sections that the person may open, with their pages; `text` filters them."""
    words, sees_all = text.casefold().split(), not site_access(request).is_limited

    def fits(entry: Entry) -> bool:
        whole = f"{entry.label} {entry.note}".casefold()
        return all(word in whole for word in words)

    found = []
    for section in sections_of(request):
        pages = [
            Entry(str(label), reverse(name), str(note))
            for label, name, permission, note in _PAGES.get(section.name, ())
            if request.user.has_perm(permission) and (sees_all or name not in _FOR_ALL_SITES)
        ]
        entry = Entry(section.label, section.url, str(_NOTES.get(section.name, "")))
        shown = pages if fits(entry) else [page for page in pages if fits(page)]
        if shown or fits(entry):
            found.append((entry, shown))
    return found


@console_page("orders.view_site")
def index(request: HttpRequest) -> HttpResponse:
    """List the settings; a word filters them."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:_MOST_CHARACTERS]
    context = {
        "sections": sections_of(request),
        "entries": entries_of(request, text),
        "text": text,
        "most_characters": _MOST_CHARACTERS,
    }
    return render(request, "console/settings/index.html", context)

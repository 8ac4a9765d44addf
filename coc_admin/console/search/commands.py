"""Pages and actions that a person may open, found by their name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from coc_admin.console.frame import frame_of
from coc_admin.console.help import guide
from coc_admin.console.settings.sections import sections_of


@dataclass(frozen=True, slots=True)
class Command:
    """A page or an action: its name and address."""

    label: str
    url: str


# label, URL name, query, permission, whether only for people who see every site
_ACTIONS: tuple[tuple[Any, str, str, str, bool], ...] = (
    (_("Rerun reconciliation (dry run first)"), "run_new", "", "reconciliation.start_run", False),
    (_("Force offline"), "force_offline", "", "reconciliation.force_offline", True),
    (_("Import stock figures"), "stock_import", "", "orders.change_inventorylist", False),
    (_("Import orders"), "maintenance_import", "", "orders.change_site", True),
    (_("Add an alert channel"), "channel_new", "", "reconciliation.change_channel", False),
    (_("Add a person"), "settings_person_new", "", "auth.add_user", True),
    (_("Add a site"), "settings_site_new", "", "orders.add_site", True),
    (_("Add an inventory list"), "settings_list_new", "", "orders.add_inventorylist", True),
    (_("Create an API token"), "settings_token_new", "", "coc_admin.add_apitoken", True),
    (_("Test the OCI connection"), "settings_oci", "", "reconciliation.force_offline", True),
    (_("Waiting orders"), "orders", "?state=waiting", "orders.view_order", False),
    (_("Orders that need review"), "orders", "?state=review", "orders.view_order", False),
    (_("My page"), "me", "", "orders.view_order", False),
    (_("Change my password"), "change_password", "", "orders.view_order", False),
    (_("Glossary"), "glossary", "", "orders.view_order", False),
    (_("Guide"), "guide", "", "orders.view_order", False),
)


def pages_of(request: HttpRequest, text: str) -> list[Command]:
    """Return the pages with `text` in their name, in any case; without a text those of the menu."""
    menu = [
        Command(item.label, item.url)
        for group in frame_of(request).navigation
        for item in group.items
    ]
    if not text:
        return menu
    return _fit([*menu, *(Command(one.label, one.url) for one in sections_of(request))], text)


def actions_of(request: HttpRequest, text: str) -> list[Command]:
    """Return permitted actions with `text` in their name."""
    user, sees_all = request.user, frame_of(request).sees_every_site
    may = [
        Command(str(label), reverse(name) + query)
        for label, name, query, permission, for_all in _ACTIONS
        if user.has_perm(permission) and (sees_all or not for_all)
    ]
    return _fit(may, text)


def guide_of(text: str) -> list[Command]:
    """Return the sections of the guide with `text` in their heading."""
    url = reverse("guide")
    return [Command(one.name, f"{url}#{one.key}") for one in guide.sections_named(text)]


def _fit(commands: list[Command], text: str) -> list[Command]:
    wanted = text.casefold().split()
    return [one for one in commands if all(word in one.label.casefold() for word in wanted)]

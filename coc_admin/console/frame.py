"""The frame around every page: navigation, banner, bell, and the refresh interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from coc_admin import set_up
from coc_admin.accounts.site_access import SiteAccess, profile_of, site_access
from coc_admin.console.alerts.queries import inbox_of
from coc_admin.console.downloads import preferred_form
from coc_admin.console.help import guide
from coc_admin.console.labels import Banner, connection_banner
from coc_admin.console.practice_words import as_practice
from orders.models import Order
from orders.offline_limits import SiteLimits, limits_of
from orders.tables import Form
from reconciliation import connection
from reconciliation.maintenance import practice
from reconciliation.models import (
    ACTIVE_RUNS,
    Connection,
    ConnectionState,
    PlannedOutage,
    Priority,
    Run,
)
from reconciliation.runs import status

BUSY_SECONDS = 2
QUIET_SECONDS = 10


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the navigation."""

    label: str
    url: str
    icon: str
    current: bool
    # pressed after `g` it opens the page; a few have none
    key: str


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Entries for one task."""

    label: str
    items: tuple[NavItem, ...]


# label, icon, URL name, permission (None: people who may enter the back office)
_GROUPS: tuple[tuple[Any, tuple[tuple[Any, str, str, str | None], ...]], ...] = (
    (
        _("Work"),
        (
            (_("Home"), "home", "home", "orders.view_order"),
            (_("Orders"), "receipt", "orders", "orders.view_order"),
            (_("Oversold desk"), "alert-circle", "desk", "orders.view_order"),
            (_("Inventory"), "box", "inventory", "orders.view_inventoryrecord"),
            (_("Alerts"), "bell", "alerts", "reconciliation.view_alert"),
        ),
    ),
    (
        _("Reconciliation"),
        (
            (_("Reconciliation"), "refresh", "runs", "reconciliation.view_run"),
            (_("Outages"), "plug-connected-x", "outages", "reconciliation.view_run"),
            (_("Reports"), "report", "reports", "reconciliation.download_report"),
        ),
    ),
    (
        _("Set-up"),
        (
            ("API", "api", "api-v1:openapi-view", "orders.view_order"),
            (_("Settings"), "settings", "settings", "orders.view_site"),
            (_("Back office"), "user", "admin:index", None),
        ),
    ),
)


# Lists that open the person's first view from the navigation; other links open the whole list.
_WITH_VIEWS = ("desk", "orders")
_FIRST_VIEW = "?view=first"
_KEYS = {
    "home": "h",
    "orders": "o",
    "desk": "d",
    "inventory": "i",
    "alerts": "a",
    "runs": "r",
    "outages": "u",
    "reports": "p",
    "settings": "s",
}


class Frame:
    """The frame of a page; each part is queried at most once, when rendered."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def is_console(self) -> bool:
        """Whether the person is signed in and has a role here."""
        return self._request.user.has_perm("orders.view_order")

    @property
    def access(self) -> SiteAccess:
        """The person's sites, and the chosen one."""
        return site_access(self._request)

    @property
    def sees_every_site(self) -> bool:
        """Whether the person may do things that concern all sites."""
        return not self.access.is_limited

    @property
    def has_sites_to_choose(self) -> bool:
        """Whether there is more than one site to choose from."""
        return len(self.access.sites) > 1

    @property
    def zone_name(self) -> str:
        """The time zone of the times on this page."""
        return timezone.get_current_timezone_name()

    @cached_property
    def connection(self) -> Connection:
        """The connection to OCI."""
        return connection.current()

    @cached_property
    def status(self) -> status.Status:
        """The summary of the sites shown now."""
        return status.summary(sites=self.access.site_ids)

    @property
    def has_open_work(self) -> bool:
        """Whether an order of the shown sites is short, waits, or needs review."""
        status = self.status
        return bool(status.oversold or status.waiting.orders or status.review)

    @cached_property
    def banner(self) -> Banner | None:
        """The message on every page while the connection is not online."""
        if self.connection.state == ConnectionState.ONLINE:
            return None
        has_token = Order.objects.exists() or set_up.has_token()
        found = connection_banner(
            self.status, limits=self.limits, now=timezone.now(), has_token=has_token
        )
        outage = self.status.outage
        if found is None or outage is None or not outage.is_practice:
            return found
        return as_practice(found, self.status.connection, self.practice)

    @cached_property
    def practice(self) -> PlannedOutage | None:
        """The practice outage that is running; no query while the connection isn't forced."""
        if self.connection.state != ConnectionState.FORCED_OFFLINE:
            return None
        window = practice.running()
        return window if window and self.connection.forced_by == str(window) else None

    @cached_property
    def limits(self) -> list[SiteLimits]:
        """The orders that each shown site accepts while it cannot reserve."""
        since = self.status.offline_since
        return limits_of(self.access.shown_sites, offline_since=since, now=timezone.now())

    @cached_property
    def _alert_priorities(self) -> list[str]:
        return inbox_of(self._request).priorities()

    @property
    def alert_count(self) -> int:
        """Alerts that need attention, up to 100."""
        return len(self._alert_priorities)

    @property
    def alerts_are_urgent(self) -> bool:
        """Whether any of them needs action."""
        return Priority.ACTION in self._alert_priorities

    @cached_property
    def shortcuts(self) -> bool:
        """Whether the person wants keyboard shortcuts."""
        profile = profile_of(self._request)
        return profile is None or profile.shortcuts

    @property
    def guide_url(self) -> str:
        """The guide's section about this page."""
        match = self._request.resolver_match
        return guide.address_of((match and match.url_name) or "")

    @cached_property
    def table_form(self) -> str:
        """The person's format for table downloads, one of orders.tables.Form."""
        return preferred_form(self._request).value

    @property
    def csv_form(self) -> str:
        """The person's format for CSV: their language's, unless they chose the one for programs."""
        return Form.CSV.value if self.table_form == Form.CSV else Form.CSV_LOCAL.value

    @cached_property
    def live_seconds(self) -> int:
        """Seconds until a visible page refreshes: fewer while the state is changing."""
        if self.connection.state != ConnectionState.ONLINE:
            return BUSY_SECONDS
        return BUSY_SECONDS if Run.objects.filter(state__in=ACTIVE_RUNS).exists() else QUIET_SECONDS

    @cached_property
    def navigation(self) -> list[NavGroup]:
        """The pages that this person may open, by task."""
        groups = []
        for label, entries in _GROUPS:
            items = tuple(item for entry in entries if (item := self._item(*entry)) is not None)
            if items:
                groups.append(NavGroup(str(label), items))
        return groups

    def _item(self, label: Any, icon: str, name: str, permission: str | None) -> NavItem | None:
        user = self._request.user
        back_office = user.is_superuser and self.sees_every_site
        allowed = back_office if permission is None else user.has_perm(permission)
        if not allowed:
            return None
        try:
            url = reverse(name)
        except NoReverseMatch:
            return None
        path = self._request.path
        current = path == url or (url != "/" and path.startswith(url))
        if name in _WITH_VIEWS:
            url += _FIRST_VIEW
        return NavItem(str(label), url, icon, current, _KEYS.get(name, ""))


def frame_of(request: HttpRequest) -> Frame:
    """Return the frame of `request`; cached on the request."""
    frame: Frame | None = getattr(request, "coc_frame", None)
    if frame is None:
        frame = Frame(request)
        request.coc_frame = frame  # type: ignore[attr-defined]
    return frame

"""The frame around every page: navigation, banner, bell, and how soon to look again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from coc_admin.console.wording import Banner, connection_banner
from orders.models import Site
from reconciliation import alerts, status
from reconciliation import connection as connections
from reconciliation.models import ACTIVE_RUNS, Connection, ConnectionState, Priority, Run

BUSY_SECONDS = 2
QUIET_SECONDS = 10


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the navigation."""

    label: str
    url: str
    icon: str
    current: bool


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Entries that serve one task."""

    label: str
    items: tuple[NavItem, ...]


# label, icon, URL name, permission (None: staff only), beginning of the URL names it stands for
_GROUPS: tuple[tuple[str, tuple[tuple[str, str, str, str | None], ...]], ...] = (
    (
        "Work",
        (
            ("Home", "home", "home", "orders.view_order"),
            ("Orders", "receipt", "orders", "orders.view_order"),
            ("Inventory", "box", "inventory", "orders.view_inventoryrecord"),
            ("Alerts", "bell", "alerts", "reconciliation.view_alert"),
        ),
    ),
    (
        "Reconciliation",
        (
            ("Reconciliation", "refresh", "runs", "reconciliation.view_run"),
            ("Outages", "plug-connected-x", "outages", "reconciliation.view_run"),
            ("Reports", "report", "reports", "reconciliation.download_report"),
        ),
    ),
    (
        "Set-up",
        (
            ("API", "api", "api-v1:openapi-view", "orders.view_order"),
            ("Back office", "settings", "admin:index", None),
        ),
    ),
)


class Frame:
    """What is around a page; each part is asked of the database at most once, when rendered."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def is_console(self) -> bool:
        """Whether the person is signed in and has a role here."""
        return self._request.user.has_perm("orders.view_order")

    @cached_property
    def connection(self) -> Connection:
        """The connection to OCI."""
        return connections.current()

    @cached_property
    def status(self) -> status.Status:
        """The summary of everything."""
        return status.summary()

    @cached_property
    def banner(self) -> Banner | None:
        """What must be said on every page while the connection is not online."""
        if self.connection.state == ConnectionState.ONLINE:
            return None
        refusing = Site.objects.filter(offline_capture=False).values_list("pk", flat=True)
        return connection_banner(self.status, refusing_sites=list(refusing))

    @cached_property
    def _alert_priorities(self) -> list[str]:
        return list(alerts.open_alerts().values_list("priority", flat=True)[:100])

    @property
    def alert_count(self) -> int:
        """Open alerts, up to 100."""
        return len(self._alert_priorities)

    @property
    def alerts_are_urgent(self) -> bool:
        """Whether one of them needs action."""
        return Priority.ACTION in self._alert_priorities

    @cached_property
    def live_seconds(self) -> int:
        """Seconds until a visible page should look again: fewer while something moves."""
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
                groups.append(NavGroup(label, items))
        return groups

    def _item(self, label: str, icon: str, name: str, permission: str | None) -> NavItem | None:
        user = self._request.user
        allowed = user.is_staff if permission is None else user.has_perm(permission)
        if not allowed:
            return None
        try:
            url = reverse(name)
        except NoReverseMatch:
            return None
        path = self._request.path
        current = path == url or (url != "/" and path.startswith(url))
        return NavItem(label, url, icon, current)


def frame_of(request: HttpRequest) -> Frame:
    """Return the frame of `request`, the same one however often it is asked for."""
    frame: Frame | None = getattr(request, "coc_frame", None)
    if frame is None:
        frame = Frame(request)
        request.coc_frame = frame  # type: ignore[attr-defined]
    return frame

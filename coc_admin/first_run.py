"""What a new installation needs before it serves a shop, each line with what is the case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, Q, QuerySet
from django.utils.translation import gettext as _

from coc_admin import set_up
from orders import reasons
from orders.models import InventoryList, InventoryRecord, Order, RiskAcceptance, Site
from reconciliation import connection
from reconciliation.maintenance import practice
from reconciliation.models import (
    CallHealth,
    Channel,
    ConnectionState,
    OfflineCause,
    StockFeed,
)
from reconciliation.models import Connection as ConnectionRow

_OCI_SETTINGS = (
    "COC_OCI_BASE_URL",
    "COC_OCI_TENANT_GROUP_ID",
    "COC_OCI_TOKEN_URL",
    "COC_OCI_CLIENT_ID",
    "COC_OCI_CLIENT_SECRET",
)

# More lists than these that OCI refuses are not looked at.
_MOST_FEEDS = 20


class State(StrEnum):
    """Where one line of the list stands."""

    DONE = "done"
    TO_DO = "to do"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Step:
    """One line: its name, where it stands, what is the case and what to do, and the page for it."""

    key: str
    title: str
    state: State
    text: str
    page: str

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do here."""
        return self.state == State.DONE


def steps() -> list[Step]:
    """Return the lines in the order in which a person can do them; some small queries."""
    found = _found()
    return [
        *_oci_steps(),
        _step(
            "list",
            _("Inventory list"),
            found["has_list"],
            _("Add the location or group of locations at OCI that the shop sells from."),
            "settings_list_new",
        ),
        _stock_step(has_list=found["has_list"], has_stock=found["has_stock"]),
        _step(
            "site",
            _("Site"),
            found["has_site"],
            _("Add the storefront, with its list and currency."),
            "settings_site_new",
        ),
        _step(
            "terms",
            _("Terms of offline capture accepted"),
            found["has_terms"],
            _("Open the site, read what offline capture risks, and turn it on."),
            "settings_sites",
        ),
        _step(
            "token",
            _("Token for the storefront"),
            set_up.has_token(),
            _("Create a token that may place orders, and enter it in the storefront."),
            "settings_token_new",
        ),
        _step(
            "order",
            _("First order"),
            found["has_order"],
            _(
                "Place one in the storefront, or with the command on the next page. It appears"
                " here within seconds."
            ),
            "orders",
        ),
        _step(
            "channel",
            _("Alerts reach a person"),
            found["has_channel"],
            _("Add a channel and send a test alert."),
            "channels",
        ),
        _step(
            "people",
            _("A second person"),
            found["has_people"],
            _("Add the people who decide about oversold orders, each with a role."),
            "settings_person_new",
        ),
        _practice_step(),
    ]


def _stock_step(*, has_list: bool, has_stock: bool) -> Step:
    title = _("Stock figures")
    refused = _refused_feed() if has_list else None
    if refused is not None:
        words = {
            "list": refused.pk,
            "reason": reasons.read(refused.last_error, refused.last_error_codes),
        }
        text = _(
            "OCI refuses the list %(list)s. %(reason)s Check its id, and whether it is a location"
            " or a group. If the id is wrong, add a list with the right one."
        )
        return Step("stock", title, State.WRONG, text % words, "settings_lists")
    text = _("OCI sends the figures within a minute of adding a list. You can also import a file.")
    return _step("stock", title, has_stock, text, "stock_import")


def _refused_feed() -> StockFeed | None:
    """Return a list that a site needs, or may need, and that OCI doesn't know; one query."""
    without_figures = StockFeed.objects.exclude(last_error="").filter(
        exported_at=None, inventory_list__inventoryrecord=None
    )
    used = Q(inventory_list__site__isnull=False) | ~Exists(Site.objects.all())
    for feed in without_figures.filter(used).distinct().order_by("pk")[:_MOST_FEEDS]:
        parts = (feed.last_error_codes or {}).get("parts", [])
        if any(part.get("code") == "oci_refused_call" for part in parts):
            return feed
    return None


def _practice_step() -> Step:
    found = practice.practised()
    text = _("Take OCI offline on purpose for some minutes, and see what happens to an order.")
    if found.is_running:
        text = _("The practice is running until its orders are reconciled.")
    elif found.was_empty:
        text = _(
            "The last practice captured no order. Practise again, and place an order meanwhile."
        )
    return _step("practice", _("Practised an outage"), found.is_done, text, "practice_outage")


def _step(key: str, title: str, is_done: bool, text: str, page: str) -> Step:
    state = State.DONE if is_done else State.TO_DO
    return Step(key, title, state, "" if is_done else text, page)


def _found() -> dict[str, bool]:
    """Return what is there; one query."""
    people = User.objects.filter(is_active=True).order_by("pk")
    asked: dict[str, QuerySet[Any]] = {
        "has_list": InventoryList.objects.all(),
        "has_stock": InventoryRecord.objects.filter(snapshot_ato__isnull=False),
        "has_site": Site.objects.all(),
        "has_terms": RiskAcceptance.objects.all(),
        "has_order": Order.objects.order_by(),
        "has_channel": Channel.objects.filter(enabled=True, last_sent_at__isnull=False),
        "has_people": people.filter(pk__gt=people.values("pk")[:1]),
    }
    connection.current()  # makes the row in an empty database
    row: Any = ConnectionRow.objects.order_by().values(
        **{name: Exists(rows) for name, rows in asked.items()}
    )[0]
    return dict(row)


def _oci_steps() -> list[Step]:
    """Return the two lines about OCI: a wrong address, a wrong secret and an outage differ."""
    reached, title = _("OCI reachable"), _("Credentials accepted")
    missing = [name for name in _OCI_SETTINGS if not getattr(settings, name)]
    if missing:
        text = _("Set %(names)s in the environment and start again.") % {
            "names": ", ".join(missing)
        }
        later = _("Known once OCI answers.")
        return [
            Step("oci", reached, State.TO_DO, text, "settings_oci"),
            Step("credentials", title, State.TO_DO, later, "settings_oci"),
        ]
    now = connection.current()
    has_answered = CallHealth.objects.filter(Q(last_good_at__isnull=False)).exists()
    state, text, known_text = State.DONE, "", ""
    known = State.DONE if has_answered else State.TO_DO
    if now.cause == OfflineCause.CONFIGURATION:
        known = State.WRONG
        known_text = _(
            "OCI answers and refuses our credentials. Test the connection: the result names the"
            " settings to check."
        )
    elif not has_answered:
        is_lost = now.state == ConnectionState.OFFLINE
        state = State.WRONG if is_lost else State.TO_DO
        text = (
            _(
                "Nothing has ever answered there: the address is probably wrong. Check"
                " COC_OCI_BASE_URL, COC_OCI_TOKEN_URL and the network."
            )
            if is_lost
            else _("No call has been made yet. Test the connection.")
        )
        known_text = _("Known once OCI answers.")
    elif now.state == ConnectionState.OFFLINE:
        state = State.WRONG
        text = _(
            "OCI answered before but does not answer now: this is an outage. Address and"
            " credentials are correct; you do not need to do anything here."
        )
    return [
        Step("oci", reached, state, text, "settings_oci"),
        Step("credentials", title, known, known_text, "settings_oci"),
    ]

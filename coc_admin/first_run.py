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
from orders.models import InventoryList, InventoryRecord, Order, RiskAcceptance, Site
from reconciliation import connection
from reconciliation.maintenance import practice
from reconciliation.models import (
    CallHealth,
    Channel,
    ConnectionState,
    OfflineCause,
)
from reconciliation.models import Connection as ConnectionRow

_OCI_SETTINGS = (
    "COC_OCI_BASE_URL",
    "COC_OCI_TENANT_GROUP_ID",
    "COC_OCI_TOKEN_URL",
    "COC_OCI_CLIENT_ID",
    "COC_OCI_CLIENT_SECRET",
)


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
        _step(
            "stock",
            _("Stock figures"),
            found["has_stock"],
            _(
                "Once a list is known, figures arrive from OCI within minutes. You can also"
                " import a file."
            ),
            "stock_import",
        ),
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
            _("Place one in the storefront. It appears here within seconds."),
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
            "OCI answers and refuses our credentials. Check COC_OCI_CLIENT_ID,"
            " COC_OCI_CLIENT_SECRET and COC_OCI_TENANT_GROUP_ID."
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

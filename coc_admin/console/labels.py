"""States in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coc_admin.console.formats import format_money, format_quantity, format_time
from coc_admin.console.limit_labels import acceptance_words
from orders import handover, reasons
from orders.fields import ZERO
from orders.models import (
    ExportStatus,
    HoldState,
    Order,
    OrderItem,
    OrderStatus,
    ReservationState,
    Resolution,
)
from orders.offline_limits import SiteLimits
from orders.units import units_of
from reconciliation.models import ConnectionState, EntryState, OfflineCause, RunState
from reconciliation.runs.status import Status, Waiting

TONES: dict[str, str] = {
    ReservationState.MISSING: "warn",
    EntryState.PENDING: "info",
    ReservationState.COMPLETE: "ok",
    ReservationState.PARTIAL: "warn",
    ReservationState.NOTHING: "bad",
    EntryState.OCI_OFFLINE: "quiet",
    EntryState.NEEDS_REVIEW: "bad",
    EntryState.SKIPPED: "quiet",
    ConnectionState.ONLINE: "ok",
    ConnectionState.RECOVERING: "info",
    ConnectionState.OFFLINE: "bad",
    ConnectionState.FORCED_OFFLINE: "warn",
    RunState.QUEUED: "info",
    RunState.RUNNING: "info",
    RunState.COMPLETED: "ok",
    RunState.SHORTAGES: "warn",
    RunState.OCI_OFFLINE: "bad",
    RunState.CONFIGURATION_FAULT: "bad",
    HoldState.WAITING: "warn",
    HoldState.ANSWERED: "info",
    "INFO": "info",
    "WARN": "warn",
    "ACTION": "bad",
    "open": "warn",
    "resolved": "quiet",
    "sent": "ok",
    "failed": "bad",
    "pending": "info",
}


@dataclass(frozen=True, slots=True)
class Banner:
    """A state of the connection: since when, what still works, what is at stake, what follows."""

    tone: str
    icon: str
    title: str
    since: datetime
    works: str
    at_stake: str
    next_step: str
    is_practice: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one order: a headline, its meaning, and the next step."""

    tone: str
    icon: str
    title: str
    text: str
    next_step: str = ""


_TITLES = {
    OfflineCause.RESERVATIONS: gettext_lazy(
        "Omnichannel Inventory takes no reservations, although it answers reads"
    ),
    OfflineCause.SLOW: gettext_lazy(
        "Omnichannel Inventory reserves too slowly for a shopper to wait"
    ),
    OfflineCause.THROTTLED: gettext_lazy(
        "Omnichannel Inventory asks us to slow down and reserves nothing"
    ),
}


def money_by_currency(waiting: Waiting) -> str:
    """Return the value of waiting orders, separately for each currency."""
    return ", ".join(format_money(value, code) for code, value in waiting.value.items())


def connection_banner(
    status: Status, *, limits: Sequence[SiteLimits], now: datetime, has_token: bool = True
) -> Banner | None:
    """Return the banner of a connection that is not online; None if it is.

    `limits` are those of the shown sites. `has_token` is False in a new installation, where nobody
    can place an order yet.
    """
    if status.connection == ConnectionState.ONLINE:
        return None
    banner = partial(Banner, at_stake=_at_stake(status.waiting))
    if status.connection == ConnectionState.RECOVERING:
        return banner(
            tone="info",
            icon="refresh",
            title=_("Omnichannel Inventory answers again; the backlog is being reconciled"),
            since=status.since,
            works=_(
                "New orders are reserved live again. One that needs the same stock as a waiting"
                " order queues behind it."
            ),
            next_step=_("The oldest orders are reserved first. You do not need to do anything."),
        )
    works = acceptance_words(limits, now=now)
    if limits and not has_token:
        works = _("No API token may place orders: the storefront needs one.")
    banner = partial(banner, tone="warn", since=status.since, works=works)
    if status.window is not None:
        return banner(
            icon="hand-stop",
            title=_("Planned outage (%(who)s: %(reason)s)")
            % {"who": status.window.owner, "reason": status.window.note},
            next_step=_("It ends automatically at %(time)s.")
            % {"time": format_time(status.window.ends_at)},
        )
    if status.connection == ConnectionState.FORCED_OFFLINE:
        return banner(
            icon="hand-stop",
            title=_("Taken offline by %(who)s: %(reason)s")
            % {"who": status.forced_by or _("an operator"), "reason": status.reason},
            next_step=_("The connection stays offline until an operator releases it."),
        )
    banner = partial(banner, tone="bad", since=status.offline_since or status.since)
    if status.cause == OfflineCause.CONFIGURATION:
        return banner(
            icon="alert-triangle",
            title=_("Omnichannel Inventory refuses our credentials"),
            next_step=_(
                "This is not an outage. Check the token address, the client id and the secret,"
                " then restart the processes. After that, the waiting orders are reserved."
            ),
        )
    if status.cause == OfflineCause.NOT_SET_UP:
        return banner(
            icon="alert-triangle",
            title=_("Omnichannel Inventory has never answered with these settings"),
            next_step=_(
                "A wrong address is more likely than an outage. Check COC_OCI_BASE_URL, the"
                " tenant group id and the token address, then restart the processes."
            ),
        )
    return banner(
        icon="plug-connected-x",
        title=str(_TITLES.get(status.cause) or _("Omnichannel Inventory is offline")),
        next_step=_(
            "The connection is checked continuously. When OCI answers, the waiting orders are"
            " reserved automatically, oldest first."
        ),
    )


def _at_stake(waiting: Waiting) -> str:
    if not waiting.orders:
        return _("No order waits for a reservation.")
    words = ngettext(
        "%(orders)s order waits for a reservation (units: %(units)s, worth %(value)s). It may turn"
        " out oversold if other channels sell the same stock meanwhile.",
        "%(orders)s orders wait for a reservation (units: %(units)s, worth %(value)s). Some may"
        " turn out oversold if other channels sell the same stock meanwhile.",
        waiting.orders,
    )
    return words % {
        "orders": format_quantity(waiting.orders),
        "units": format_quantity(waiting.units),
        "value": money_by_currency(waiting),
    }


def order_state(order: Order) -> tuple[str, str]:
    """Return the tone and the words of an order's state, for a list."""
    if order.needs_review_since:
        return "bad", _("Needs review")
    if order.status == OrderStatus.CANCELLING:
        return "warn", _("Being cancelled")
    if order.status in (OrderStatus.CANCELLED, OrderStatus.FAILED):
        return "quiet", order.get_status_display()
    if order.resolution and order.reservation_state != ReservationState.COMPLETE:
        return "info", order.get_resolution_display()
    return TONES[ReservationState(order.reservation_state)], order.get_reservation_state_display()


def standing(
    order: Order,
    *,
    items: Sequence[OrderItem],
    connection: str,
    waiting_before: int,
    held: Decimal = ZERO,
) -> Standing:
    """Return the state of `order` in words.

    `waiting_before` counts the waiting orders captured earlier; `held` is the number of units that
    a failed order still keeps off ATO.
    """
    if order.needs_review_since:
        return Standing(
            "bad",
            "alert-triangle",
            _("Needs review by a person"),
            reasons.read(order.needs_review_reason, order.needs_review_reason_codes),
            _review_ends(order),
        )
    if order.status == OrderStatus.FAILED:
        return _failed(connection=connection, held=held)
    if order.status != OrderStatus.NEW:
        return _unusual(order)
    if order.reservation_state == ReservationState.MISSING:
        return _waiting(connection=connection, before=waiting_before)
    return _settled(order, items)


def _review_ends(order: Order) -> str:
    if order.status == OrderStatus.NEW:
        return _(
            "It is not retried automatically. End its review when the cause is fixed, or cancel it."
        )
    return _(
        "The cancellation of its reservation is not retried automatically, and its stock stays"
        " held until then. End its review when the cause is fixed."
    )


def _unusual(order: Order) -> Standing:
    if order.status == OrderStatus.CREATED:
        text = _("OCI is being asked for its reservation.")
        return Standing("info", "clock", _("Just captured"), text)
    who = {"who": order.resolution_by}
    note = ""
    if order.resolution_note:
        note = " " + _("Reason: %(reason)s") % {"reason": order.resolution_note}
    if order.status == OrderStatus.CANCELLING:
        asked = _("Cancellation was requested.")
        if order.resolution_by:
            asked = _("Cancellation was requested by %(who)s.") % who
        return Standing(
            "warn",
            "clock",
            _("Being cancelled"),
            asked + note,
            _("The cancellation is final once OCI confirms that it holds nothing for the order."),
        )
    title = _("Cancelled by %(who)s") % who if order.resolution_by else _("Cancelled")
    text = _("Nothing is reserved for it, and its stock was given back.")
    return Standing("quiet", "ban", title, text + note)


def _failed(*, connection: str, held: Decimal) -> Standing:
    title = _("Failed: the order was refused")
    told = _(
        "The order was not accepted, and the shopper was informed. The history below shows why."
    )
    if not held:
        return Standing("quiet", "ban", title, f"{told} {_('Nothing is held for it.')}")
    kept = _(
        "Units still held for it and not in ATO: %(units)s. OCI was asked to reserve them and"
        " may still do so."
    ) % {"units": format_quantity(held)}
    following = _("They are given back once OCI confirms that the reservation is cancelled.")
    if connection in (ConnectionState.OFFLINE, ConnectionState.FORCED_OFFLINE):
        following += " " + _("This waits until OCI can be called again.")
    return Standing("quiet", "clock", title, f"{told} {kept}", following)


def _waiting(*, connection: str, before: int) -> Standing:
    text = _(
        "The order is accepted and its stock is taken off ATO, but OCI has not reserved it yet."
    )
    if connection == ConnectionState.FORCED_OFFLINE:
        following = _("It is reserved once the connection is released.")
    elif connection == ConnectionState.OFFLINE:
        following = _("It is reserved automatically when OCI answers again, oldest order first.")
    else:
        following = _("OCI answers. The next reconciliation reserves it automatically.")
    if before:
        queue = ngettext(
            "%(orders)s order captured earlier will be served first.",
            "%(orders)s orders captured earlier will be served first.",
            before,
        )
        following += " " + queue % {"orders": format_quantity(before)}
    return Standing("warn", "clock", _("Waiting for its reservation"), text, following)


def _settled(order: Order, items: Sequence[OrderItem]) -> Standing:
    units = units_of(order, items)
    export = _export(order)
    if order.reservation_state == ReservationState.COMPLETE:
        title = _("Completely reserved")
        if order.resolution == Resolution.RESERVED_AGAIN:
            title = _("Completely reserved, at a later attempt")
        return Standing("ok", "circle-check", title, _("OCI holds every unit of it."), export)
    words = _("%(reserved)s of %(ordered)s units are reserved.") % {
        "reserved": format_quantity(units.reserved),
        "ordered": format_quantity(units.ordered),
    }
    if order.resolution:
        text = f"{words} {order.resolution_note}".strip()
        return Standing("info", "info-circle", _resolved(order), text, export)
    if order.reservation_state == ReservationState.PARTIAL:
        title = _("Oversold in part: partially reserved")
        rest = _("OCI holds none of the remaining units.")
        text = f"{words} {rest}"
    else:
        title = _("Oversold: nothing reserved")
        text = _("OCI holds none of its items.")
    following = _("Replace or cancel the short items, or reserve them again once there is stock.")
    return Standing("bad", "alert-circle", title, f"{text} {export}", following)


def _export(order: Order) -> str:
    words = {
        ExportStatus.EXPORTED: _("Order management has taken it."),
        ExportStatus.READY: _("Order management may take it."),
        ExportStatus.FAILED: _("Order management could not take it."),
    }
    unready = _("It is not ready for order management.")
    if handover.is_held(order):
        unready = _("Order management gets it when a person decides, or hands it over.")
    elif handover.is_waiting(order):
        due = format_time(order.export_due_at) if order.export_due_at else ""
        unready = _("Order management gets it at %(time)s, or as soon as a person decides.") % {
            "time": due
        }
    return words.get(ExportStatus(order.export_status), unready)


def _resolved(order: Order) -> str:
    words = {"how": order.get_resolution_display(), "who": order.resolution_by}
    if order.resolution_by:
        return _("%(how)s by %(who)s; it was oversold") % words
    return _("%(how)s; it was oversold") % words

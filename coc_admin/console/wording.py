"""Where things stand, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from coc_admin.console.formats import format_money, format_quantity
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
from reconciliation.models import ConnectionState, EntryState, OfflineCause, RunState
from reconciliation.status import Status, Waiting

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
    RunState.STOPPED: "quiet",
    HoldState.WAITING: "warn",
    HoldState.ANSWERED: "info",
    "INFO": "info",
    "WARN": "warn",
    "ACTION": "bad",
    "open": "warn",
    "resolved": "quiet",
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


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one order stands: a headline, what it means, and what happens next."""

    tone: str
    icon: str
    title: str
    text: str
    next_step: str = ""


def plural(number: int, one: str, many: str = "") -> str:
    """Return the number with its noun: `1 order`, `2,000 orders`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def money_by_currency(waiting: Waiting) -> str:
    """Return the value of what waits, each currency on its own."""
    return ", ".join(format_money(value, code) for code, value in waiting.value.items())


def connection_banner(status: Status, *, refusing_sites: Sequence[str]) -> Banner | None:
    """Return what to say about a connection that is not online; None if it is."""
    if status.connection == ConnectionState.ONLINE:
        return None
    at_stake = _at_stake(status.waiting)
    if status.connection == ConnectionState.RECOVERING:
        return Banner(
            tone="info",
            icon="refresh",
            title="Omnichannel Inventory answers again; the backlog is being reconciled",
            since=status.since,
            works="New orders are reserved live again. One that needs the same stock as a waiting"
            " order queues behind it.",
            at_stake=at_stake,
            next_step="The oldest orders are reserved first. You do not need to do anything.",
        )
    works = "Orders are still accepted, on the last known stock."
    if refusing_sites:
        works += f" Not for {', '.join(refusing_sites[:5])}: offline capture is switched off there."
    if status.connection == ConnectionState.FORCED_OFFLINE:
        return Banner(
            tone="warn",
            icon="hand-stop",
            title=f"Taken offline by {status.forced_by or 'an operator'}: {status.reason}",
            since=status.since,
            works=works,
            at_stake=at_stake,
            next_step="It stays so until an operator releases it.",
        )
    if status.cause == OfflineCause.CONFIGURATION:
        return Banner(
            tone="bad",
            icon="alert-triangle",
            title="Omnichannel Inventory refuses our credentials",
            since=status.offline_since or status.since,
            works=works,
            at_stake=at_stake,
            next_step="An operator must put the client id and secret right; then it goes on by"
            " itself.",
        )
    return Banner(
        tone="bad",
        icon="plug-connected-x",
        title="Omnichannel Inventory is offline",
        since=status.offline_since or status.since,
        works=works,
        at_stake=at_stake,
        next_step="The connection is tried again all the time. When it answers, the waiting orders"
        " are reserved by themselves, oldest first.",
    )


def _at_stake(waiting: Waiting) -> str:
    if not waiting.orders:
        return "No order waits for a reservation."
    return (
        f"{plural(waiting.orders, 'order')} with {format_quantity(waiting.units)}"
        f" {'unit' if waiting.units == 1 else 'units'}, worth {money_by_currency(waiting)},"
        f" {'waits' if waiting.orders == 1 else 'wait'} for a reservation. Some may turn out"
        " oversold if other channels sell the same stock meanwhile."
    )


def order_state(order: Order) -> tuple[str, str]:
    """Return the tone and the words of an order's state, for a list."""
    if order.status == OrderStatus.NEW and order.needs_review_since:
        return "bad", "Needs review"
    if order.status == OrderStatus.CANCELLING:
        return "warn", "Being cancelled"
    if order.status in (OrderStatus.CANCELLED, OrderStatus.FAILED):
        return "quiet", order.get_status_display()
    if order.resolution and order.reservation_state != ReservationState.COMPLETE:
        return "info", order.get_resolution_display()
    return TONES[ReservationState(order.reservation_state)], order.get_reservation_state_display()


def standing(
    order: Order, *, items: Sequence[OrderItem], connection: str, waiting_before: int
) -> Standing:
    """Return where `order` stands; `waiting_before` counts the waiting orders captured earlier."""
    if order.status == OrderStatus.NEW and order.needs_review_since:
        return Standing(
            "bad",
            "alert-triangle",
            "Needs review: a person must look at it",
            order.needs_review_reason,
            "It is not retried by itself. When the cause is put right, end its review; or cancel"
            " it.",
        )
    if order.status != OrderStatus.NEW:
        return _unusual(order)
    if order.reservation_state == ReservationState.MISSING:
        return _waiting(connection=connection, before=waiting_before)
    return _settled(order, items)


def _unusual(order: Order) -> Standing:
    if order.status == OrderStatus.CREATED:
        return Standing(
            "info", "clock", "Just captured", "OCI is being asked for its reservation right now."
        )
    by = f" by {order.resolution_by}" if order.resolution_by else ""
    note = f" Reason: {order.resolution_note}" if order.resolution_note else ""
    if order.status == OrderStatus.CANCELLING:
        return Standing(
            "warn",
            "clock",
            "Being cancelled",
            f"Cancellation was asked for{by}.{note}",
            "It is cancelled for good as soon as it is certain that OCI holds nothing for it.",
        )
    if order.status == OrderStatus.CANCELLED:
        return Standing(
            "quiet",
            "ban",
            f"Cancelled{by}",
            f"Nothing is reserved for it any more, and its stock was given back.{note}",
        )
    return Standing(
        "quiet",
        "ban",
        "Failed: refused to the shopper",
        "OCI had less than was ordered, and the shopper was told so. Nothing is held for it.",
    )


def _waiting(*, connection: str, before: int) -> Standing:
    text = "The order is accepted and its stock is taken off ATO, but OCI has not reserved it yet."
    queue = f" {plural(before, 'order')} captured earlier will be served first." if before else ""
    if connection == ConnectionState.FORCED_OFFLINE:
        following = "It is reserved when an operator releases the connection."
    elif connection == ConnectionState.OFFLINE:
        following = "It is reserved by itself when OCI answers again, oldest order first."
    else:
        following = "OCI answers. The next reconciliation reserves it by itself."
    return Standing("warn", "clock", "Waits for its reservation", text, following + queue)


def _settled(order: Order, items: Sequence[OrderItem]) -> Standing:
    ordered = sum((item.quantity for item in items), ZERO)
    reserved = sum((item.reserved_quantity for item in items), ZERO)
    export = {
        ExportStatus.EXPORTED: "Order management has taken it.",
        ExportStatus.READY: "Order management may take it.",
        ExportStatus.FAILED: "Order management could not take it.",
    }.get(ExportStatus(order.export_status), "It is not ready for order management.")
    if order.reservation_state == ReservationState.COMPLETE:
        again = order.resolution == Resolution.RESERVED_AGAIN
        title = "Completely reserved, at a later attempt" if again else "Completely reserved"
        return Standing("ok", "circle-check", title, "OCI holds every unit of it.", export)
    units = f"{format_quantity(reserved)} of {format_quantity(ordered)} units are reserved"
    if order.resolution:
        done = order.get_resolution_display().lower()
        text = f"{units}. {order.resolution_note}".strip()
        by = f" by {order.resolution_by}" if order.resolution_by else ""
        return Standing("info", "info-circle", f"Oversold, {done}{by}", text, export)
    if order.reservation_state == ReservationState.PARTIAL:
        title, text = "Oversold in part: partially reserved", f"{units}; the rest was sold out."
    else:
        title, text = "Oversold: nothing reserved", "OCI had none of its items any more."
    following = "Cancel it, or reserve again what is short once there is stock."
    return Standing("bad", "alert-circle", title, f"{text} {export}", following)

"""Repairs of orders: their history, their quantities, their states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from orders import first_shortage, ledger, outcomes
from orders.fields import ZERO, json_number
from orders.ledger import Key
from orders.models import (
    SETTLED_STATES,
    SHORT_STATES,
    EventKind,
    ExportStatus,
    Order,
    OrderEvent,
    OrderItem,
    OrderStatus,
    ReservationState,
)
from orders.serializers import iso
from orders.units import is_short, keeps_sums, note_open, units_of, wrongly_noted
from reconciliation.maintenance.repair.plans import (
    ByHand,
    Plan,
    Work,
    change,
    order_of,
    record_repair,
    units_text,
)
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.reservation.release_rows import still_held

_TELL_UNITS = (EventKind.SETTLED, EventKind.RESOLVED)
# After one of these the last settlement's quantities are out of date.
_CHANGE_UNITS = (
    EventKind.GIVEN_BACK,
    EventKind.ADJUSTMENT_DONE,
    EventKind.REPLACED,
    EventKind.CANCELLED,
)


def history(pk: int, work: Work) -> Plan | None:
    """The event of the capture is missing: recreate it from the order itself."""
    order = order_of(pk, work)
    if order is None:
        return None
    offline = order.captured_offline
    kind = EventKind.CAPTURED_OFFLINE if offline else EventKind.CAPTURED
    noted = OrderEvent.objects.filter(order=order)
    kinds = [kind] if offline else [EventKind.CAPTURED, EventKind.CAPTURED_OFFLINE]
    if noted.filter(kind__in=kinds).exists():
        return None
    text = f"The event of its capture was missing; it was captured at {iso(order.captured_at)}."
    return Plan(
        before="no event tells of its capture",
        after=f"an event '{kind.label}', written now"
        + (", and the reports are told" if offline else ""),
        why="The order itself says when and how it was captured.",
        act=partial(record_repair, order, work, text, kind=kind),
    )


def outcome(pk: int, work: Work) -> Plan | None:
    """The event of the settlement is missing: recreate it from the order's current state."""
    order = order_of(pk, work)
    if order is None or order.reservation_state not in SETTLED_STATES:
        return None
    if OrderEvent.objects.filter(order=order, kind__in=_TELL_UNITS).exists():
        return None
    reserved = dict(OrderItem.objects.filter(order=order).values_list("pk", "reserved_quantity"))
    text = "The event of its settlement was missing; who settled it is not known."
    return Plan(
        before="no event tells who cleared its state",
        after=f"an event '{EventKind.SETTLED.label}', written now, which says that",
        why="The order and its items say what it came to.",
        act=partial(
            record_repair,
            order,
            work,
            text,
            kind=EventKind.SETTLED,
            data={
                "state": order.reservation_state,
                "reserved": {str(item): json_number(units) for item, units in reserved.items()},
            },
        ),
    )


def _by_documents(order: Order) -> dict[Key, Decimal]:
    held: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for document in ReservationDocument.objects.filter(order=order, state=DocumentState.COUNTED):
        for key, units in still_held(document).items():
            held[key] += units
    return {key: units for key, units in held.items() if units}


def _sums(items: list[OrderItem], reserved: Mapping[int, Decimal]) -> dict[Key, Decimal]:
    sums: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for item in items:
        sums[(item.inventory_list_id, item.sku)] += reserved.get(item.pk, ZERO)
    return {key: units for key, units in sums.items() if units}


def _by_history(order: Order) -> dict[int, Decimal] | None:
    """Return the units by item of the last settlement; None if they have changed."""
    history = OrderEvent.objects.filter(order=order).order_by("-id")
    settled = next((e for e in history.filter(kind__in=_TELL_UNITS) if "reserved" in e.data), None)
    later = history.filter(kind__in=_CHANGE_UNITS)
    if settled is None:
        return None if later.exists() else {}
    if later.filter(pk__gt=settled.pk).exists():
        return None
    return {int(pk): Decimal(str(n)) for pk, n in settled.data["reserved"].items()}


def units(pk: int, work: Work) -> Plan | ByHand | None:
    """Items and documents disagree: correct the items if documents and history agree."""
    order = order_of(pk, work)
    if order is None or order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
        return None
    items = list(OrderItem.objects.filter(order=order).order_by("position"))
    by_items = _sums(items, {item.pk: item.reserved_quantity for item in items})
    by_documents = _by_documents(order)
    if by_items == by_documents:
        return None
    settled = _by_history(order)
    if settled is None or _sums(items, settled) != by_documents:
        return ByHand(
            f"Its items say {units_text(by_items)}, its documents {units_text(by_documents)}, and"
            " its history does not tell which is right. Look in OCI what its reservations hold."
            " To be safe, cancel the order: everything that OCI may hold for it is given back."
        )

    def act() -> None:
        for item in items:
            right = settled.get(item.pk, ZERO)
            if item.reserved_quantity != right:
                rows = OrderItem.objects.filter(pk=item.pk)
                rows = rows.filter(reserved_quantity=item.reserved_quantity)
                change(rows, reserved_quantity=right)
        if order.reservation_state in SHORT_STATES:
            note_open(OrderItem.objects.filter(order=order))
        record_repair(
            order, work, f"Its items say again what OCI holds: {units_text(by_documents)}."
        )

    return Plan(
        before=f"its items have {units_text(by_items)} reserved",
        after=f"its items have {units_text(by_documents)} reserved",
        why="Its reservation documents and its history agree; only the items say otherwise.",
        act=act,
    )


def sum_of_units(pk: int, work: Work) -> Plan | None:
    """The order's total units differ from its items: recompute the total."""
    order = order_of(pk, work)
    if order is None or order.units is None:
        return None
    right = units_of(order, OrderItem.objects.filter(order=order)).ordered
    if order.units == right:
        return None

    def act() -> None:
        change(Order.objects.filter(pk=order.pk, units=order.units), units=right)
        record_repair(order, work, f"It has {right.normalize():f} units again, as its items say.")

    return Plan(
        before=f"{order.units.normalize():f} units",
        after=f"{right.normalize():f} units",
        why="Its items are what was captured; the sum is only kept beside them.",
        act=act,
    )


def open_units(pk: int, work: Work) -> Plan | None:
    """A short order or its items have wrong open units: recompute them."""
    order = order_of(pk, work)
    if order is None or not is_short(
        reservation_state=order.reservation_state, resolution=order.resolution
    ):
        return None
    items = OrderItem.objects.filter(order=order)
    wrong = list(wrongly_noted(items).order_by("position"))
    if not wrong and keeps_sums(order, items):
        return None

    def act() -> None:
        note_open(items)
        record_repair(order, work, "Its items keep again what is open of them.")

    before = [f"{(item.open_short or ZERO):f} of {item.sku} open" for item in wrong]
    after = [f"{item.open_quantity:f} of {item.sku} open" for item in wrong]
    return Plan(
        before=", ".join(before or ["other sums than its open items have"]),
        after=", ".join(after or ["the sums of its open items"]),
        why="What is open follows from the item's other figures; it is only kept beside them.",
        act=act,
    )


def state(pk: int, work: Work) -> Plan | ByHand | None:
    """The state contradicts the items: derive it from them, if the documents agree."""
    order = order_of(pk, work)
    if order is None or order.status not in (OrderStatus.NEW, OrderStatus.CREATED):
        return None
    items = list(OrderItem.objects.filter(order=order))
    reserved = {item.pk: item.reserved_quantity for item in items}
    right = outcomes.state_of({item.pk: item.quantity for item in items}, reserved)
    missing = order.reservation_state == ReservationState.MISSING
    if not items or order.reservation_state == right or (missing and not any(reserved.values())):
        return None
    if _sums(items, reserved) != _by_documents(order):
        return ByHand("Its items and its documents must agree first; see the line about them.")
    if order.claimed_until is not None and order.claimed_until > work.now:
        return ByHand("The order is being reserved. Check again in a minute.")
    return Plan(
        before=f"state {order.get_reservation_state_display()}",
        after=f"state {right.label}",
        why="Its items and its reservation documents agree on that.",
        act=partial(_correct_state, order, right, work),
    )


def _correct_state(order: Order, right: ReservationState, work: Work) -> None:
    values: dict[str, Any] = {"reservation_state": right, "status": OrderStatus.NEW}
    if order.export_status == ExportStatus.NOT_EXPORTED:
        values["export_status"] = ExportStatus.READY
    if order.reconciled_at is None:
        values["reconciled_at"] = work.now
    if right in SHORT_STATES and order.short_at is None:
        values["short_at"] = work.now
    rows = Order.objects.filter(pk=order.pk, reservation_state=order.reservation_state)
    change(rows.filter(status=order.status), claim="", claimed_until=None, **values)
    first_shortage.note([order.pk])
    if right in SHORT_STATES:
        note_open(OrderItem.objects.filter(order=order))
    ledger.mark_answered(order=order, now=work.now)
    record_repair(order, work, f"Its state is {right.label} again, as its items say.")


def export(pk: int, work: Work) -> Plan | None:
    """A settled order was withheld from order management: make it available."""
    order = order_of(pk, work)
    if (
        order is None
        or order.status != OrderStatus.NEW
        or order.reservation_state not in SETTLED_STATES
        or order.export_status != ExportStatus.NOT_EXPORTED
    ):
        return None

    def act() -> None:
        rows = Order.objects.filter(
            pk=pk, status=OrderStatus.NEW, export_status=ExportStatus.NOT_EXPORTED
        )
        change(rows, export_status=ExportStatus.READY)
        record_repair(order, work, "It is offered to order management.")

    return Plan(
        before=f"export {ExportStatus.NOT_EXPORTED.label}",
        after=f"export {ExportStatus.READY.label}",
        why="Its reservation state is cleared.",
        act=act,
    )


def no_items(pk: int, work: Work) -> ByHand | None:
    """An order without items: the ordered items can't be reconstructed."""
    if OrderItem.objects.filter(order=pk).exists() or not Order.objects.filter(pk=pk).exists():
        return None
    return ByHand(
        "Restore its rows of orders_orderitem from a backup; its payload shows what was ordered."
        " If there is none, cancel the order and have it placed again."
    )


def parent(pk: int, work: Work) -> ByHand | None:
    """A part belongs to an item of another order: its own bundle is unknown."""
    if not OrderItem.objects.filter(order=pk, parent__isnull=False).exists():
        return None
    return ByHand(
        "Restore its rows of orders_orderitem from a backup; its payload shows what was ordered."
        " What is taken and reserved of the part is counted right all the same."
    )

"""Repairs of missing orders, and of orders that differ from their capture."""

from __future__ import annotations

from typing import Any

from orders.models import Order, OrderItem
from reconciliation.maintenance import evidence
from reconciliation.maintenance.evidence import Difference
from reconciliation.maintenance.repair.plans import (
    ByHand,
    Plan,
    Work,
    change,
    order_of,
    record_repair,
)
from reconciliation.models import ReportDay
from reconciliation.reports import names

_FROM_A_BACKUP = "Restore its row from a backup, or correct it by hand."


def vanished(key: str, work: Work) -> ByHand:
    """A missing order: nothing that still refers to it may change."""
    return ByHand(
        "Restore the order with all its rows from a backup. Else place it again: let the storefront"
        " send it, or import it with manage.py import_orders. If it cannot be restored, settle it"
        f" with the customer and then run coc_repair --give-up '{key}' --reason R."
    )


def payload(pk: int, work: Work) -> ByHand:
    """The payload is missing or was changed: there is no other copy."""
    return ByHand(
        f"Restore its row of orders_orderpayload (order_id {pk}) from a backup. Until then nobody"
        " can tell whether its items and its customer are as they were ordered."
    )


def changed(pk: int, work: Work) -> Plan | ByHand | None:
    """Columns differ from the capture: those proved by an independent trace are restored."""
    order = order_of(pk, work)
    if order is None:
        return None
    found = evidence.evidence_of([order])[0].differences()
    proven = [one for one in found if one.is_proven]
    if not proven:
        return ByHand(_advice(found))

    def act() -> None:
        for one in proven:
            _restore(order, one)
        if any(one.column == "captured_at" for one in proven):
            _mark_day(order)
        record_repair(order, work, f"As it was captured again: {', '.join(map(_name, proven))}.")

    return Plan(
        before="; ".join(f"{_name(one)} {_value(one, one.now)}" for one in proven),
        after="; ".join(f"{_name(one)} {_value(one, one.then)}" for one in proven),
        why=f"Its {' and its '.join(dict.fromkeys(one.source for one in proven))} says so.",
        act=act,
    )


def _advice(found: list[Difference]) -> str:
    if not found:
        return (
            "Its row changed, or the file did, and neither payload nor capture trace tells which."
            " Compare both with the storefront. " + _FROM_A_BACKUP
        )
    return (
        f"{_FROM_A_BACKUP} Quantities and products are not restored automatically: stock and"
        " reservations depend on them."
    )


def _restore(order: Order, one: Difference) -> None:
    values = {one.column: one.then}
    if one.item is not None:
        rows = OrderItem.objects.filter(pk=one.item.pk, **{one.column: one.now})
        change(rows, **values)
    elif one.column == "customer":
        # The databases compare JSON differently; the row is locked.
        change(Order.objects.filter(pk=order.pk, customer_erased_at=None), **values)
    else:
        change(Order.objects.filter(pk=order.pk, **{one.column: one.now}), **values)


def _mark_day(order: Order) -> None:
    """Mark the reports that contained the order because of its wrong time."""
    day = names.day_of(order.captured_at, order.site)
    ReportDay.objects.filter(site=order.site_id, date=day).update(
        needs_merge=True, changed_since=None
    )


def _name(one: Difference) -> str:
    return one.column if one.item is None else f"{one.column} of item {one.item.item_id}"


def _value(one: Difference, value: Any) -> str:
    if one.column == "customer":
        return "as now" if value == one.now else "as sent"
    return evidence.shown(value)

"""Repairs of rows that remedies left behind in one order; see `remedies.integrity`."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Sum

from orders import ledger, lifecycle, open_remedies
from orders.fields import ZERO
from orders.lifecycle import OpenRemedy
from orders.models import (
    SETTLED_STATES,
    SHORT_STATES,
    Hold,
    HoldState,
    Order,
    OrderItem,
    OrderStatus,
    Resolution,
)
from orders.short_items import resolution_of, settled_as
from reconciliation.maintenance.repair.plans import (
    ByHand,
    Plan,
    Work,
    change,
    order_of,
    record_repair,
)
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.models.attempts import OF_REMEDIES
from reconciliation.queue import enqueue

_Step = tuple[str, str, Callable[[], None]]
"""What is, what it becomes, and the doing of it."""


def remedy(pk: int, work: Work) -> Plan | ByHand:
    """Repair the safe cases; a person decides the rest."""
    order = order_of(pk, work)
    steps: list[_Step] = []
    if order is not None and (mark := _open_remedy(order)) is not None:
        steps.append(mark)
    elif order is not None and _may_be_judged(order):
        for one in (_left_holds, _left_documents, _settlement, _mark):
            step = one(order, work)
            if step is not None:
                steps.append(step)
    if order is None or not steps:
        return ByHand(
            "The replacement ends automatically when OCI answers. Otherwise look at the order's"
            " items: open it again if something of it is open, or cancel it."
        )

    def act() -> None:
        for _, _, do in steps:
            do()
        record_repair(order, work, f"Now: {'; '.join(after for _, after, _ in steps)}.")

    return Plan(
        before="; ".join(before for before, _, _ in steps),
        after="; ".join(after for _, after, _ in steps),
        why="The rows of its remedies and its items say so.",
        act=act,
    )


def _may_be_judged(order: Order) -> bool:
    """Whether the order has no open remedy, and its replacements exist as items."""
    if lifecycle.open_remedy(order) != OpenRemedy.NONE:
        return False
    items = OrderItem.objects.filter(order=order).annotate(made=Sum("replacements__quantity"))
    return all(item.replaced_quantity == (item.made or ZERO) for item in items)


def _open_remedy(order: Order) -> _Step | None:
    """First make the order's column match the rows of its remedies."""
    found = open_remedies.mismatched([order.pk])
    if order.pk not in found:
        return None
    there = found[order.pk]
    rows = Order.objects.filter(pk=order.pk, open_remedy=order.open_remedy)
    return (
        f"marked as {order.open_remedy or 'none'}",
        f"marked as {there or 'none'}",
        lambda: change(rows, open_remedy=there),
    )


def _left_holds(order: Order, work: Work) -> _Step | None:
    waiting = Hold.objects.filter(order=order, state=HoldState.WAITING)
    if order.reservation_state not in SETTLED_STATES or not waiting.exists():
        return None
    return (
        "units wait for an answer that has come",
        "the next figure from OCI takes their holds off",
        lambda: ledger.mark_answered(order=order, now=work.now),
    )


def _left_documents(order: Order, work: Work) -> _Step | None:
    left = ReservationDocument.objects.filter(
        order=order,
        purpose__in=OF_REMEDIES,
        state__in=[DocumentState.PREPARED, DocumentState.ANSWERED],
    )
    ids = list(left.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return None

    def act() -> None:
        for pk in ids:
            change(left.filter(pk=pk), state=DocumentState.CANCELLING)
        enqueue.soon("finish_cancellations")

    return "a reservation that nothing asks for any more", "it is given back at OCI", act


def _settlement(order: Order, work: Work) -> _Step | None:
    items = list(OrderItem.objects.filter(order=order))
    if not lifecycle.is_oversold(order) or any(item.open_quantity for item in items):
        return None
    resolution = resolution_of(items)
    values = settled_as(resolution, work.actor, note=work.reason, now=work.now)
    rows = Order.objects.filter(pk=order.pk, status=OrderStatus.NEW, resolution=Resolution.NONE)
    return (
        "nothing is open, and it is not settled",
        f"settled as {resolution.label}",
        lambda: change(rows, **values),
    )


def _mark(order: Order, work: Work) -> _Step | None:
    if order.short_at is not None or order.reservation_state not in SHORT_STATES:
        return None
    rows = Order.objects.filter(pk=order.pk, short_at=None)
    return (
        "short, and not marked for the oversold report",
        "marked for the oversold report",
        lambda: change(rows, short_at=order.reconciled_at or work.now),
    )

"""Repairs of rows around orders: documents, entries of runs, holds and records, reports."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from functools import partial

from orders import ledger
from orders.fields import ZERO
from orders.ledger import Key, repair
from orders.models import (
    HoldState,
    InventoryRecord,
    Order,
    OrderItem,
    OrderStatus,
    ReservationState,
    Site,
)
from reconciliation.maintenance.repair.plans import (
    ByHand,
    Plan,
    RepairLost,
    Work,
    change,
    order_of,
    record_repair,
    units_text,
)
from reconciliation.models import (
    DocumentState,
    EntryState,
    ReportDay,
    ReservationDocument,
    RunEntry,
)
from reconciliation.queue import enqueue
from reconciliation.reports import names, publish
from reconciliation.reservation import give_back_if_cancelled, not_yet_cancelled
from reconciliation.reservation.release import MAY_HOLD

_OVER = (OrderStatus.CANCELLED, OrderStatus.FAILED)


def foreign_id(pk: int, work: Work) -> ByHand:
    """A document has an id of another order: only OCI knows what it holds."""
    return ByHand(
        "Nobody can tell from here under which id OCI holds something. Look in OCI for both, the"
        " one named here and the order's own; cancel the one too many there, then the order here."
    )


def document(pk: int, work: Work) -> Plan | None:
    """OCI may hold units for an order that is over: queue the cancel."""
    found = ReservationDocument.objects.filter(pk=pk).select_related("order").first()
    if found is None or found.state not in MAY_HOLD or found.order.status not in _OVER:
        return None
    order = order_of(found.order_id, work) or found.order
    after = DocumentState.CANCELLING if found.sends else DocumentState.CANCELLED

    def act() -> None:
        change(ReservationDocument.objects.filter(pk=pk, state=found.state), state=after)
        give_back_if_cancelled(order.pk, now=work.now)
        record_repair(order, work, f"Reservation {found.reservation_id} is given back.")
        enqueue.soon("finish_cancellations")

    return Plan(
        before=f"reservation {found.reservation_id}: {found.get_state_display()}",
        after=f"reservation {found.reservation_id}: {after.label}",
        why="The order is over; a job cancels at OCI what may be held, and that does no harm.",
        act=act,
    )


def entry(pk: int, work: Work) -> Plan | None:
    """An order is pending in a run that has ended: close the entry."""
    pending = RunEntry.objects.filter(pk=pk, state=EntryState.PENDING, run__is_active=False)
    found = pending.select_related("order").first()
    if found is None:
        return None
    order = found.order
    waits = order.status == OrderStatus.NEW and order.reservation_state == ReservationState.MISSING
    after = EntryState.OCI_OFFLINE if waits else EntryState.SKIPPED

    def act() -> None:
        rows = RunEntry.objects.filter(pk=pk, state=EntryState.PENDING)
        change(rows, state=after, finished_at=work.now)
        record_repair(order, work, f"Run {found.run_id} has ended without it.")

    return Plan(
        before=f"run {found.run_id}: {EntryState.PENDING.label}",
        after=f"run {found.run_id}: {after.label}",
        why="The run has ended; a pending entry keeps the order out of every later run.",
        act=act,
    )


def holds(pk: int, work: Work) -> Plan | ByHand | None:
    """An order has wrong holds: a waiting order holds its units, any other none.

    Applies only to orders that wait or are over; for the others OCI's figures decide when a hold
    ends. A failed order keeps its hold while OCI may hold units for it.
    """
    order = order_of(pk, work)
    if order is None:
        return None
    live = order.status in (OrderStatus.NEW, OrderStatus.CREATED)
    if live and order.reservation_state != ReservationState.MISSING:
        return None
    if not live and order.status not in _OVER:
        return None
    if order.status == OrderStatus.FAILED and not_yet_cancelled().filter(order=order).exists():
        return None
    wanted = _wanted(order) if live else {}
    if live and not wanted:
        return ByHand("It has no items; see the line about them.")
    kept = repair.open_holds_of(order)
    now = {(hold.record.inventory_list_id, hold.record.sku): hold.quantity for hold in kept}
    if now == wanted and all(hold.state == HoldState.WAITING for hold in kept):
        return None
    if len(ledger.records_of(wanted)) != len(wanted):
        return None

    def act() -> None:
        repair.hold_exactly(order=order, wanted=wanted, now=work.now)
        record_repair(order, work, f"It holds {units_text(wanted)} again.")

    return Plan(
        before=f"it holds {units_text(now)}" + _answered(any(h.answered_at for h in kept)),
        after=f"it holds {units_text(wanted)}",
        why="It waits for OCI." if live else "It is over; its stock is given back.",
        act=act,
    )


def _answered(some: bool) -> str:
    return ", as if OCI had answered" if some else ""


def _wanted(order: Order) -> dict[Key, Decimal]:
    wanted: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for item in OrderItem.objects.filter(order=order, quantity__gt=0):
        wanted[(item.inventory_list_id, item.sku)] += item.quantity
    return dict(wanted)


def record(pk: int, work: Work) -> Plan | None:
    """A record does not add up: recompute it from its holds and OCI's figure, with a movement."""
    records = InventoryRecord.objects.filter(pk=pk)
    found = (records.select_for_update() if work.lock else records).first()
    if found is None:
        return None
    sums = repair.sums_of(found)
    if sums.add_up:
        return None
    key = (found.inventory_list_id, found.sku)
    moved = f"movements that add up to {sums.moved_ato} and {sums.moved_held}"
    return Plan(
        before=f"ATO {sums.ato}, held {sums.held}, {moved}",
        after=f"ATO {sums.right_ato}, held {sums.right_held}, and a movement that balances them",
        why="The holds of its orders and OCI's last figure say so; the next figure confirms it.",
        act=partial(repair.recompute, keys=[key], now=work.now),
    )


def report(pk: int, work: Work) -> Plan | None:
    """A report is missing, torn, changed or miscounted: write it from the database."""
    found = ReportDay.objects.filter(pk=pk).select_related("site").first()
    if found is None:
        return None
    return Plan(
        before=f"revision {found.revision}, {found.order_count} orders",
        after=f"revision {found.revision + 1}, rewritten",
        why="Reports are projections of the database.",
        act=lambda: _written(publish.rebuild_one(found, now=work.now)),
        in_transaction=False,
    )


def reports_of_site(pk: str, work: Work) -> Plan | None:
    """Days of a site have no report: create all reports for its orders."""
    site = Site.objects.filter(pk=pk).first()
    if site is None:
        return None
    captured = Order.objects.filter(site=site, captured_offline=True)
    days = sorted({names.day_of(at, site) for at in captured.values_list("captured_at", flat=True)})
    known = ReportDay.objects.filter(site=site, report_type="offline")
    lacking = sorted(set(days) - set(known.values_list("date", flat=True)))
    if not lacking:
        return None

    def act() -> None:
        for day in lacking:
            _written(publish.rebuild(now=work.now, site=site, day=day))

    return Plan(
        before=f"no report of {', '.join(day.isoformat() for day in lacking[:5])}",
        after="reports of these days, written from the database",
        why="Reports are projections of the database.",
        act=act,
        in_transaction=False,
    )


def _written(done: publish.Done) -> None:
    if done.busy or done.failed:
        raise RepairLost

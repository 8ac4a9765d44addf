"""Checks the seven promises on live data; each finding names the row.

Reads while others write: a suspicious row is read once more before it is reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import chain

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.db.models.functions import Now

from orders import handover, outcomes
from orders.fields import ZERO
from orders.ledger import Key
from orders.models import (
    SETTLED_STATES,
    EventKind,
    ExportStatus,
    Hold,
    HoldState,
    InventoryRecord,
    Movement,
    Order,
    OrderItem,
    OrderStatus,
    ReservationState,
)
from orders.models.inventory import OPEN_HOLDS
from orders.units import is_short, keeps_sums, open_of, units_of
from reconciliation.maintenance import captures
from reconciliation.maintenance.findings import Broken as Broken
from reconciliation.maintenance.findings import Fault as Fault
from reconciliation.models import DocumentState, ReservationDocument, RunEntry
from reconciliation.oci.documents import reservation_id
from reconciliation.remedies import release_integrity
from reconciliation.remedies.integrity import faults
from reconciliation.reports.faithful import unfaithful_days
from reconciliation.reservation import not_yet_cancelled, release_rows
from reconciliation.reservation.release import MAY_HOLD

_CHUNK = 500
# The sweep hands over what is due, about every minute.
_LATE = timedelta(minutes=15)


def check(progress: Callable[[int, int], None] | None = None) -> Iterator[Broken]:
    """Yield every broken promise visible in the database and the files.

    `progress` gets the number of checks done and of all checks.
    """
    checks = (
        _orders_without_history,
        _documents_against_items,
        _documents_of_their_own,
        _states_against_items,
        _records_against_rows,
        _holds_against_orders,
        _rows_of_remedies,
        _entries_without_run,
        _exports_withheld,
        captures.vanished_orders,
        captures.changed_orders,
        unfaithful_files,
    )
    for number, one in enumerate(checks, 1):
        yield from _twice(one)
        if progress is not None:
            progress(number, len(checks))


def _twice(one: Callable[[], Iterator[Broken]]) -> Iterator[Broken]:
    """Yield findings that appear twice in a row: a concurrent change appears at most once."""
    first = dict.fromkeys(one())
    if first:
        again = set(one())
        yield from (found for found in first if found in again)


def _chunks() -> Iterator[list[Order]]:
    last = 0
    while orders := list(Order.objects.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        yield orders
        last = orders[-1].pk


def _name(order: Order) -> str:
    return f"order {order.site_id} {order.order_no} (id {order.pk})"


def _of(order: Order, promise: int, fault: Fault, detail: str) -> Broken:
    return Broken(promise, _name(order), detail, fault, order.pk)


def _orders_without_history() -> Iterator[Broken]:
    """Promises 1 and 7: history records each order's capture and settlement, with an actor."""
    captured = Q(events__kind__in=[EventKind.CAPTURED, EventKind.CAPTURED_OFFLINE])
    settled = Q(events__kind__in=[EventKind.SETTLED, EventKind.RESOLVED])
    orders = Order.objects.annotate(
        captures=Count("events", filter=captured), cleared=Count("events", filter=settled)
    )
    for order in orders.filter(captures=0).iterator():
        yield _of(order, 7, Fault.HISTORY, "no event tells of its capture")
    for order in orders.filter(cleared=0, reservation_state__in=SETTLED_STATES).iterator():
        yield _of(order, 7, Fault.OUTCOME, "its state was cleared and no event tells by whom")
    offline = Order.objects.filter(captured_offline=True).exclude(
        events__kind=EventKind.CAPTURED_OFFLINE
    )
    for order in offline.iterator():
        yield _of(order, 1, Fault.HISTORY, "captured offline, and no event has told the reports")


def _documents_against_items() -> Iterator[Broken]:
    """Promise 2: the documents' units equal the items' reserved units."""
    for orders in _chunks():
        ids = [order.pk for order in orders]
        held: dict[int, dict[Key, Decimal]] = {pk: defaultdict(lambda: ZERO) for pk in ids}
        counted = list(
            ReservationDocument.objects.filter(order__in=ids, state=DocumentState.COUNTED)
        )
        released = release_rows.released_by([document.pk for document in counted])
        for document in counted:
            for key, units in release_rows.held_by(document).items():
                left = units - released.get(document.pk, {}).get(key, ZERO)
                if left:
                    held[document.order_id][key] += left
        reserved: dict[int, dict[Key, Decimal]] = {pk: defaultdict(lambda: ZERO) for pk in ids}
        for item in OrderItem.objects.filter(order__in=ids, reserved_quantity__gt=0):
            reserved[item.order_id][(item.inventory_list_id, item.sku)] += item.reserved_quantity
        for order in orders:
            if order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
                continue
            if held[order.pk] != reserved[order.pk]:
                detail = "its items and its reservation documents hold different units"
                yield _of(order, 2, Fault.UNITS, detail)


def _documents_of_their_own() -> Iterator[Broken]:
    """Promise 2: each id is derived from its order; an order that is over holds nothing."""
    for document in ReservationDocument.objects.select_related("order").iterator():
        order = document.order
        derived = reservation_id(
            site_id=order.site_id,
            order_no=order.order_no,
            generation=document.generation,
            part=document.part,
        )
        if document.reservation_id != derived:
            detail = f"reservation {document.reservation_id} is not its own"
            yield Broken(2, _name(order), detail, Fault.FOREIGN_ID, document.pk)
        over = order.status in (OrderStatus.CANCELLED, OrderStatus.FAILED)
        if over and document.state in MAY_HOLD:
            detail = f"over, and reservation {document.reservation_id} may be held"
            yield Broken(2, _name(order), detail, Fault.DOCUMENT, document.pk)


def _states_against_items() -> Iterator[Broken]:
    """Promise 1: exactly one outcome, which matches the quantities."""
    for orders in _chunks():
        ids = [order.pk for order in orders]
        items: dict[int, list[OrderItem]] = defaultdict(list)
        for item in OrderItem.objects.filter(order__in=ids):
            items[item.order_id].append(item)
        for order in orders:
            mine = items[order.pk]
            keys = {item.pk for item in mine}
            for item in mine:
                if item.parent_id is not None and item.parent_id not in keys:
                    detail = f"{item.sku} is below an item of another order"
                    yield _of(order, 1, Fault.PARENT, detail)
            ordered = units_of(order, mine).ordered
            if mine and order.units not in (None, ordered):
                yield _of(order, 1, Fault.SUM, f"it has {order.units} units, its items {ordered}")
            if not mine:
                yield _of(order, 1, Fault.NO_ITEMS, "it has no items")
            elif order.reservation_state == ReservationState.MISSING:
                if any(item.reserved_quantity for item in mine):
                    detail = "Reservation Missing, and items are reserved"
                    yield _of(order, 1, Fault.STATE, detail)
            elif order.status == OrderStatus.NEW:
                state = outcomes.state_of(
                    {item.pk: item.quantity for item in mine},
                    {item.pk: item.reserved_quantity for item in mine},
                )
                if state != order.reservation_state:
                    yield _of(order, 1, Fault.STATE, f"its items say {state}")
                yield from _open_units(order, mine)


def _open_units(order: Order, items: list[OrderItem]) -> Iterator[Broken]:
    """Yield what a short order, or an item of it, keeps wrongly of its open units."""
    if not is_short(reservation_state=order.reservation_state, resolution=order.resolution):
        return
    if any(open_of(item) != (item.open_short or ZERO) for item in items):
        yield _of(order, 1, Fault.OPEN, "its items keep other open units than they have")
    elif not keeps_sums(order, items):
        yield _of(order, 1, Fault.OPEN, "it keeps other sums than its open items have")


def _records_against_rows() -> Iterator[Broken]:
    """Promise 3: ATO and holds equal the sums of the ledger's rows."""
    moved = {
        row["record"]: (row["ato"], row["held"])
        for row in Movement.objects.order_by()
        .values("record")
        .annotate(ato=Sum("ato_change"), held=Sum("held_change"))
    }
    open_holds = dict(
        Hold.objects.filter(state__in=OPEN_HOLDS)
        .order_by()
        .values_list("record")
        .annotate(n=Sum("quantity"))
    )
    for record in InventoryRecord.objects.iterator():
        name = f"inventory record {record.inventory_list_id} {record.sku} (id {record.pk})"
        ato, held = moved.get(record.pk, (ZERO, ZERO))
        kept = open_holds.get(record.pk, ZERO)
        details = []
        if ato != record.ato:
            details.append(f"ATO is {record.ato}, its movements add up to {ato}")
        if held != record.held:
            details.append(f"{record.held} held, its movements add up to {held}")
        if kept != record.held:
            details.append(f"{record.held} held, its holds add up to {kept}")
        for detail in details:
            yield Broken(3, name, detail, Fault.RECORD, record.pk)


def _holds_against_orders() -> Iterator[Broken]:
    """Promise 3: a waiting order holds its units; a finished one holds nothing.

    A failed order keeps its holds while OCI may hold units for it.
    """
    undone = ~Exists(not_yet_cancelled().filter(order=OuterRef("order")))
    over = Q(order__status=OrderStatus.CANCELLED) | Q(undone, order__status=OrderStatus.FAILED)
    kept_on = Hold.objects.filter(over, state__in=OPEN_HOLDS)
    for hold in kept_on.select_related("order").iterator():
        yield _of(hold.order, 3, Fault.HOLDS, f"over, and still holds {hold.quantity}")
    waiting = Order.objects.filter(
        status__in=[OrderStatus.NEW, OrderStatus.CREATED],
        reservation_state=ReservationState.MISSING,
    )
    asked = dict(waiting.order_by().values_list("pk").annotate(n=Sum("items__quantity")))
    kept = dict(
        Hold.objects.filter(order__in=waiting.order_by().values("pk"), state=HoldState.WAITING)
        .order_by()
        .values_list("order")
        .annotate(n=Sum("quantity"))
    )
    for order in waiting.filter(pk__in=[pk for pk in asked if asked[pk] != kept.get(pk)]):
        yield _of(order, 3, Fault.HOLDS, "it waits, and does not hold what it asks for")


def _rows_of_remedies() -> Iterator[Broken]:
    for promise, order, detail in chain(faults(), release_integrity.faults()):
        yield _of(order, promise, Fault.REMEDY, detail)


def _entries_without_run() -> Iterator[Broken]:
    """Promise 5: nothing is pending in a run that has ended."""
    left = RunEntry.objects.filter(state="pending", run__is_active=False)
    for entry in left.select_related("order").iterator():
        detail = f"pending in run {entry.run_id}, which has ended"
        yield Broken(5, _name(entry.order), detail, Fault.ENTRY, entry.pk)


def _exports_withheld() -> Iterator[Broken]:
    """Design 4: an order can be exported once its state is clear.

    A short order without a decision can be exported when its time comes, or, without a time, after
    a decision.
    """
    late = Order.objects.filter(
        status=OrderStatus.NEW,
        reservation_state__in=SETTLED_STATES,
        export_status=ExportStatus.NOT_EXPORTED,
    ).exclude(handover.UNDECIDED & (Q(export_due_at=None) | Q(export_due_at__gt=Now() - _LATE)))
    for order in late.iterator():
        yield _of(order, 1, Fault.EXPORT, "settled, and not ready for order management")


def unfaithful_files() -> Iterator[Broken]:
    """Promise 6: each daily report exists, is unchanged, and agrees with the rows."""
    for unfaithful in unfaithful_days():
        row, detail = f"report {unfaithful.name}", unfaithful.fault
        if unfaithful.order_id:
            yield Broken(6, row, detail, Fault.CHANGED, unfaithful.order_id)
        elif unfaithful.report_id:
            yield Broken(6, row, detail, Fault.REPORT, unfaithful.report_id)
        else:
            yield Broken(6, row, detail, Fault.REPORTS_OF_SITE, unfaithful.site_id)

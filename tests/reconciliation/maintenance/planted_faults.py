"""Faults of rows that tests plant by hand, and those with a safe repair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db.models import F, Model

from orders.actors import person
from orders.fields import quantity
from orders.models import Hold, InventoryRecord, Movement, Order, OrderEvent, OrderItem
from reconciliation.maintenance import repair
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import ReportDay, ReservationDocument, RunEntry
from reconciliation.oci.documents import reservation_id
from reconciliation.reports import names
from tests.engine import D, Engine
from tests.reconciliation.maintenance.test_integrity_check import ORDERS as PLANTED
from tests.reconciliation.maintenance.test_integrity_check import of, write_items

OPS = person("ops")


Plant = Callable[[], object]


def everything() -> list[Any]:
    """All rows that a repair may write."""
    tables: list[type[Model]] = [
        Order,
        OrderItem,
        OrderEvent,
        Hold,
        InventoryRecord,
        Movement,
        ReservationDocument,
        RunEntry,
        ReportDay,
    ]
    return [list(table._default_manager.order_by("pk").values()) for table in tables]


def rounds(engine: Engine) -> int:
    """Do every repair that is proposed until none is; return how many were done."""
    done = 0
    for _ in range(5):
        ids = [proposal.id for proposal in repair.proposals(now=engine.clock()) if proposal.id]
        if not ids:
            break
        done += sum(
            repair.apply(proposal_id=i, actor=OPS, reason="drill", now=engine.clock()) for i in ids
        )
    return done


def wrong_hold() -> None:
    Hold.objects.filter(**of("waits")).update(quantity=D(5))


def hold_gone() -> None:
    Movement.objects.filter(hold__order__order_no="waits").update(hold=None)
    Hold.objects.filter(**of("waits")).delete()


def movement_changed() -> None:
    movement = Movement.objects.filter(record__sku="CUP", reason="captured")[0]
    Movement.objects.filter(pk=movement.pk).update(
        ato_change=F("ato_change") - quantity(D(0.5)),
        held_change=F("held_change") + quantity(D(0.25)),
    )


def state_lost() -> None:
    Order.objects.filter(order_no="done").update(
        reservation_state="RESERVATION_MISSING", export_status="not_exported"
    )


def stray(purpose: str) -> None:
    document = ReservationDocument.objects.get(**of("partial"))
    document.pk, document.generation, document.purpose = None, 1, purpose
    document.reservation_id = reservation_id(site_id="shop", order_no="partial", generation=1)
    document.state, document.held = "prepared", []
    document.save()


def offline_report() -> Path:
    return names.path_of(ReportDay.objects.get(report_type="offline"))


# What is planted, and the faults that it shows as.
SAFE: dict[str, tuple[Plant, set[Fault]]] = {
    "capture not told": (PLANTED[0][0], {Fault.HISTORY}),
    "settlement not told": (PLANTED[1][0], {Fault.OUTCOME}),
    "reports not told": (PLANTED[2][0], {Fault.HISTORY}),
    "items written past": (PLANTED[3][0], {Fault.UNITS, Fault.STATE}),
    "open units written past": (
        lambda: OrderItem.objects.filter(**of("partial")).update(open_short=D(9)),
        {Fault.OPEN},
    ),
    "open sums written past": (
        lambda: Order.objects.filter(order_no="partial").update(open_units=None, open_value=7.0),
        {Fault.OPEN},
    ),
    "waiting, items written": (
        lambda: OrderItem.objects.filter(**of("waits")).update(reserved_quantity=1),
        {Fault.UNITS, Fault.STATE},
    ),
    "sum written past": (
        lambda: Order.objects.filter(order_no="waits").update(units=D(9)),
        {Fault.SUM},
    ),
    "state written past": (
        lambda: Order.objects.filter(order_no="partial").update(
            reservation_state="COMPLETELY_RESERVED"
        ),
        {Fault.STATE},
    ),
    "state lost": (state_lost, {Fault.STATE, Fault.HOLDS}),
    "export withheld": (
        lambda: Order.objects.filter(order_no="done").update(export_status="not_exported"),
        {Fault.EXPORT},
    ),
    "may be held, never sent": (
        lambda: ReservationDocument.objects.filter(**of("gone")).update(state="prepared", sends=0),
        {Fault.DOCUMENT},
    ),
    "entry pending": (
        lambda: RunEntry.objects.filter(**of("nothing")).update(state="pending"),
        {Fault.ENTRY},
    ),
    "hold as if answered": (
        lambda: Hold.objects.filter(**of("waits")).update(state="answered"),
        {Fault.HOLDS},
    ),
    "hold of another size": (wrong_hold, {Fault.HOLDS, Fault.RECORD}),
    "hold gone": (hold_gone, {Fault.HOLDS, Fault.RECORD}),
    "hold of a cancelled order": (
        lambda: Hold.objects.filter(**of("gone")).update(state="answered"),
        {Fault.HOLDS, Fault.RECORD},
    ),
    "movements changed": (movement_changed, {Fault.RECORD}),
    "record written past": (
        lambda: InventoryRecord.objects.filter(sku="CUP").update(held=6, ato=94),
        {Fault.RECORD},
    ),
    "settled, and a hold waits": (
        lambda: Hold.objects.filter(**of("done")).update(state="waiting", answered_at=None),
        {Fault.REMEDY},
    ),
    "a reservation for no replacement": (lambda: stray("replace"), {Fault.REMEDY}),
    "a reservation for no adjustment": (lambda: stray("rearrange"), {Fault.REMEDY}),
    "nothing open, not settled": (
        lambda: write_items("nothing", cancelled_quantity=D(2)),
        {Fault.REMEDY},
    ),
    "short, not marked": (
        lambda: Order.objects.filter(order_no="partial").update(short_at=None),
        {Fault.REMEDY},
    ),
    "report gone": (lambda: offline_report().unlink(), {Fault.REPORT}),
    "report torn": (
        lambda: offline_report().write_bytes(offline_report().read_bytes()[:-9]),
        {Fault.REPORT},
    ),
    "report miscounted": (
        lambda: ReportDay.objects.filter(report_type="oversold").update(order_count=7),
        {Fault.REPORT},
    ),
    "day forgotten": (
        lambda: ReportDay.objects.filter(report_type="offline").delete(),
        {Fault.REPORTS_OF_SITE},
    ),
}

"""`coc_repair`: for every kind of finding of `coc_check`, planted by hand, a repair or advice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, Model

from orders import outcomes
from orders.actors import person
from orders.errors import OfflineCaptureRefused
from orders.fields import quantity
from orders.models import (
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
)
from reconciliation.maintenance import integrity_check, repair
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import ReportDay, ReservationDocument, RunEntry
from reconciliation.oci.documents import reservation_id
from reconciliation.reports import names, publish
from reconciliation.reservation import release
from tests.engine import D, Engine, ato, reserved_by_items
from tests.reconciliation.maintenance.test_integrity_check import ORDERS as PLANTED
from tests.reconciliation.maintenance.test_integrity_check import clone_document, of, write_items

pytestmark = pytest.mark.django_db

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


def test_what_can_be_repaired_is(
    orders: dict[str, Order], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One scene for all that is planted: each is rolled back, and its files with it."""
    # Dozens of reports are written here; whether they survive a power cut is tested elsewhere.
    monkeypatch.setattr("os.fsync", lambda handle: None)
    kept = tmp_path / "kept"
    shutil.copytree(names.folder(), kept)
    for planted, (plant, faults) in SAFE.items():
        with transaction.atomic():
            check_repair(planted, plant, faults, engine)
            transaction.set_rollback(True)
        shutil.rmtree(names.folder())
        shutil.copytree(kept, names.folder())
    assert list(integrity_check.check()) == []


def check_repair(planted: str, plant: Plant, faults: set[Fault], engine: Engine) -> None:
    plant()
    before = everything()
    proposed = repair.proposals(now=engine.clock())
    # Reports that have been written already do not agree with what is planted in some orders.
    found = {proposal.fault for proposal in proposed}
    assert found - {Fault.REPORT} == faults - {Fault.REPORT}, planted
    assert everything() == before, f"{planted}: a dry run has written"
    done, ids = 0, [proposal.id for proposal in proposed if proposal.id]
    while ids and done < 20:
        for i in ids:
            done += repair.apply(proposal_id=i, actor=OPS, reason="drill", now=engine.clock())
        # What a repaired order says anew is told by the reports as ever.
        publish.project_and_merge(now=engine.clock())
        ids = [p.id for p in repair.proposals(now=engine.clock())]
    assert (done > 0, ids) == (True, []), planted
    after = everything()
    for proposal in proposed:
        assert not proposal.id or not repair.apply(
            proposal_id=proposal.id, actor=OPS, reason="again", now=engine.clock()
        ), planted
    assert everything() == after, f"{planted}: a second repair has written"


def test_every_fault_is_planted_here() -> None:
    planted = {fault for _, faults in SAFE.values() for fault in faults}
    by_hand = {Fault.FOREIGN_ID, Fault.NO_ITEMS, Fault.PARENT}
    # These are planted in test_missing_orders and test_changed.
    of_captures = {Fault.VANISHED, Fault.CHANGED, Fault.PAYLOAD}
    assert set(Fault) - planted == by_hand | of_captures
    assert set(repair._PLANNERS) == set(Fault)


NOT_TOLD = (
    " and its history does not tell which is right. Look in OCI what its reservations hold. To be"
    " safe, cancel the order: everything that OCI may hold for it is given back."
)
RESTORE = (
    "Restore its rows of orders_orderitem from a backup; its payload shows what was ordered."
    " If there is none, cancel the order and have it placed again."
)
BY_HAND = (
    "The replacement ends automatically when OCI answers. Otherwise look at the order's items: open"
    " it again if something of it is open, or cancel it."
)
UNSAFE: dict[str, tuple[Plant, str, list[str]]] = {
    "documents written past": (
        lambda: ReservationDocument.objects.filter(**of("partial")).update(held=[]),
        "partial",
        ["Its items say 1 of MUG, its documents nothing," + NOT_TOLD],
    ),
    "a foreign id": (
        PLANTED[6][0],
        "live",
        [
            "Nobody can tell from here under which id OCI holds something. Look in OCI for both,"
            " the one named here and the order's own; cancel the one too many there, then the"
            " order here."
        ],
    ),
    "no items": (
        lambda: OrderItem.objects.filter(**of("waits")).delete(),
        "waits",
        [RESTORE, "It has no items; see the line about them."],
    ),
    "no items, reserved": (
        lambda: OrderItem.objects.filter(**of("live")).delete(),
        "live",
        [RESTORE, "Its items say nothing, its documents 1 of MUG," + NOT_TOLD],
    ),
    "replaced by nothing": (
        lambda: write_items("partial", sku="CUP", replaced_quantity=D(1)),
        "partial",
        [BY_HAND],
    ),
    "counted twice": (
        clone_document,
        "done",
        [
            "Its items say 2 of MUG, its documents 4 of MUG," + NOT_TOLD,
            "Nobody can tell from here under which id OCI holds something. Look in OCI for both,"
            " the one named here and the order's own; cancel the one too many there, then the"
            " order here.",
        ],
    ),
}


def test_what_only_a_person_can_judge_is_left_to_one(
    orders: dict[str, Order], engine: Engine
) -> None:
    for planted, (plant, order_no, advice) in UNSAFE.items():
        with transaction.atomic():
            plant()
            before = everything()
            proposed = repair.proposals(now=engine.clock())
            name = f"order shop {order_no} (id {orders[order_no].pk})"
            found = [(p.id, p.row, p.advice) for p in proposed]
            assert found == [("", name, text) for text in advice], planted
            assert rounds(engine) == 0
            assert everything() == before, planted
            transaction.set_rollback(True)


@pytest.mark.parametrize("state", ["prepared", "counted"])
def test_what_oci_may_hold_for_an_order_that_is_over_is_given_back_there(
    orders: dict[str, Order], engine: Engine, state: str
) -> None:
    """OCI is asked, and answers that nothing is held any more; the order stays cancelled."""
    ReservationDocument.objects.filter(**of("gone")).update(state=state)
    (proposal,) = repair.proposals(now=engine.clock())
    assert repair.apply(proposal_id=proposal.id, actor=OPS, reason="drill", now=engine.clock())
    assert list(integrity_check.check()) == []
    document = ReservationDocument.objects.get(**of("gone"))
    assert document.state == "cancelling"
    engine.clock.go(90)
    release.finish_cancellations(clock=engine.clock)
    document.refresh_from_db()
    assert document.state == "cancelled"
    assert engine.held() == reserved_by_items()
    event = OrderEvent.objects.filter(**of("gone")).latest("id")
    assert (event.kind, event.actor, event.reason) == (
        "repaired",
        "ops",
        f"Reservation {document.reservation_id} is given back. drill",
    )


def test_the_ledger_is_put_right_by_movements_of_its_own(
    orders: dict[str, Order], engine: Engine
) -> None:
    InventoryRecord.objects.filter(sku="CUP").update(held=6, ato=94)
    movements = list(Movement.objects.values())
    (proposal,) = repair.proposals(now=engine.clock())
    assert (proposal.before, proposal.after) == (
        "ATO 94.000, held 6.000, movements that add up to 95.000 and 5.000",
        "ATO 95.000, held 5.000, and a movement that balances them",
    )
    assert repair.apply(proposal_id=proposal.id, actor=OPS, reason="drill", now=engine.clock())
    assert ato("CUP") == (D(95), D(5))
    assert list(Movement.objects.values()) == movements, "the movements were right"
    movement_changed()
    (proposal,) = repair.proposals(now=engine.clock())
    assert repair.apply(proposal_id=proposal.id, actor=OPS, reason="drill", now=engine.clock())
    own = Movement.objects.get(reason="repaired")
    assert (own.record.sku, own.ato_change, own.held_change) == ("CUP", D(0.5), D(-0.25))
    assert ato("CUP") == (D(95), D(5))


def test_a_proposal_whose_row_has_changed_meanwhile_is_left_out(
    orders: dict[str, Order], engine: Engine
) -> None:
    InventoryRecord.objects.filter(sku="CUP").update(held=6, ato=94)
    (proposal,) = repair.proposals(now=engine.clock())
    InventoryRecord.objects.filter(sku="CUP").update(held=7, ato=93)
    before = everything()
    for wrong in (
        proposal.id,
        f"{proposal.id}0",
        "record:1",
        "record:x:y",
        "nonsense",
        "units:99:abcdef",
        "",
    ):
        assert not repair.apply(proposal_id=wrong, actor=OPS, reason="drill", now=engine.clock())
    assert everything() == before
    assert rounds(engine) == 1
    assert ato("CUP") == (D(95), D(5))


def test_an_order_that_is_being_reserved_keeps_its_state(
    orders: dict[str, Order], engine: Engine
) -> None:
    state_lost()
    Order.objects.filter(order_no="done").update(
        claim="w", claimed_until=engine.clock() + timedelta(seconds=30)
    )
    (by_hand,) = [
        p for p in repair.proposals(now=engine.clock()) if "state" in p.advice or not p.id
    ]
    assert by_hand.advice == "The order is being reserved. Check again in a minute."


def refused(engine: Engine) -> Order:
    """An order that was refused without an answer; OCI holds it, and so do we."""
    site = engine.site({"MUG": 5}, offline_capture=False)
    engine.oci.fault("drop", operations=["put"])
    with pytest.raises(OfflineCaptureRefused):
        engine.place(site, "A1", [("MUG", 2)])
    engine.oci.fault("none")
    return Order.objects.get()


def test_what_a_failed_order_holds_is_no_fault_while_oci_may_hold_it(engine: Engine) -> None:
    order = refused(engine)
    assert (list(integrity_check.check()), repair.proposals(now=engine.clock())) == ([], [])
    # A version that gave the stock back at once has left rows like these: they are right as well.
    outcomes.give_back_failed(order_id=order.pk, now=engine.clock())
    assert (list(integrity_check.check()), repair.proposals(now=engine.clock())) == ([], [])
    release.finish_cancellations(clock=engine.clock)
    assert (engine.held(), ato("MUG")) == ({}, (D(5), D(0)))


def test_a_failed_order_that_holds_what_is_undone_is_repaired(engine: Engine) -> None:
    order = refused(engine)
    release.finish_cancellations(clock=engine.clock)
    Hold.objects.update(state="waiting", closed_at=None)
    InventoryRecord.objects.update(held=2, ato=3)
    Movement.objects.filter(reason="released").delete()
    assert [(found.fault, found.key) for found in integrity_check.check()] == [
        (Fault.HOLDS, order.pk)
    ]
    assert rounds(engine) == 1
    assert ato("MUG") == (D(5), D(0))
    assert list(integrity_check.check()) == []


def test_a_failed_order_with_a_document_that_was_never_sent_gives_its_stock_back(
    engine: Engine,
) -> None:
    refused(engine)
    ReservationDocument.objects.update(state="prepared", sends=0)
    assert [found.fault for found in integrity_check.check()] == [Fault.DOCUMENT]
    assert rounds(engine) == 1
    assert ato("MUG") == (D(5), D(0))
    assert list(integrity_check.check()) == []

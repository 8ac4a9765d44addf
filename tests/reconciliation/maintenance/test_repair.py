"""`coc_repair`: for every kind of finding of `coc_check`, planted by hand, a repair or advice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.db import transaction

from orders.models import Order, OrderItem
from reconciliation.maintenance import integrity_check, repair
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import ReservationDocument
from reconciliation.reports import names, publish
from tests.engine import D, Engine
from tests.reconciliation.maintenance.planted_faults import OPS, SAFE, Plant, everything, rounds
from tests.reconciliation.maintenance.test_integrity_check import ORDERS as PLANTED
from tests.reconciliation.maintenance.test_integrity_check import clone_document, of, write_items

pytestmark = pytest.mark.django_db


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
    # These are planted in test_missing_orders, test_kept_files and test_changed.
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

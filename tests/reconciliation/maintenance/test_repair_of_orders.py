"""Repairs of orders in motion: rows that change meanwhile, and units that OCI may hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orders import outcomes
from orders.errors import OfflineCaptureRefused
from orders.models import Hold, InventoryRecord, Movement, Order, OrderEvent
from reconciliation.maintenance import integrity_check, repair
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import ReservationDocument
from reconciliation.reservation import release
from tests.engine import D, Engine, ato, reserved_by_items
from tests.reconciliation.maintenance.planted_faults import (
    OPS,
    everything,
    movement_changed,
    rounds,
    state_lost,
)
from tests.reconciliation.maintenance.test_integrity_check import of

pytestmark = pytest.mark.django_db


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

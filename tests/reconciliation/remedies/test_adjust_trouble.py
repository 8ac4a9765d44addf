"""Adjusting a reservation while processes die and others act on the order."""

from __future__ import annotations

from typing import Any

import pytest

from orders import adjustments, cancellation
from orders.errors import (
    CannotAdjust,
    CannotRemedy,
    CannotReplace,
    CannotSettle,
    ExportRefused,
)
from orders.exports import change_export_status
from orders.ledger import LedgerChanged
from orders.models import (
    Adjustment,
    ExportStatus,
    Hold,
    Order,
    OrderItem,
)
from reconciliation import remedies
from reconciliation.connection import clients
from reconciliation.maintenance import integrity_check, sweep
from reconciliation.models import ReservationDocument, Scope
from reconciliation.remedies import adjust, integrity, swap
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, ato, quantities, set_connection
from tests.reconciliation.remedies.adjustments import (
    MOVED,
    ONE_LESS,
    PARTIAL,
    Death,
    adjust_reservation,
    assert_one_less,
    assert_untouched,
    documents,
    everything,
    finish,
    keep,
    killed,
    settle,
)
from tests.reconciliation.remedies.adjustments import order as order

pytestmark = pytest.mark.django_db


STEPS = {
    "reconciliation.remedies.swap.finish": "reserving",
    "reconciliation.reservation.send.prepare": "reserving",
    "reconciliation.reservation.send._Caller.answered": "reserving",
    "reconciliation.remedies.swap._shortfalls": "reserving",
    "reconciliation.remedies.swap._complete": "reserving",
    "orders.swaps.settle": "reserving",
    "orders.swaps.record": "",
    "reconciliation.reservation.write_kept": "",
    "reconciliation.remedies.swap._let_go": "done",
    "reconciliation.remedies.swap.stock_refresh.refresh": "done",
}


@pytest.mark.in_turn(2)
@pytest.mark.parametrize("step", STEPS)
def test_death_at_any_step_is_made_good_by_the_sweep(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for _ in killed(monkeypatch, step):
        with pytest.raises(Death):
            adjust_reservation(order, engine, *ONE_LESS)
    if not STEPS[step]:
        # Nothing was written down, and nothing is claimed.
        assert_untouched(order, engine)
        assert not Adjustment.objects.exists()
        assert adjust_reservation(order, engine, *ONE_LESS).done
    elif STEPS[step] == "reserving":
        assert Adjustment.objects.get().state == "reserving"
        assert finish(engine) == 0  # the claim of the dead one still stands
        engine.clock.go(61)
        assert "adjustments" in sweep.sweep(clock=engine.clock)
        assert finish(engine) == 1
    else:
        sweep.sweep(clock=engine.clock)
        release.finish_cancellations(clock=engine.clock)
    assert_one_less(order, engine)
    assert [state for state, _ in engine.documents("A1")] == ["CANCELLED", "OPEN"]


@pytest.mark.parametrize("step", ["_give_back", "_undo", "_refuse"])
def test_death_while_it_is_given_back_is_made_good(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    engine.at_oci({"MUG": 1}, location="dc2")
    for _ in killed(monkeypatch, f"reconciliation.remedies.swap.{step}"):
        with pytest.raises(Death):
            adjust_reservation(order, engine, *MOVED)
    engine.clock.go(61)
    assert finish(engine) == 1
    assert Adjustment.objects.get().state == "refused"
    assert_untouched(order, engine)
    assert ato("MUG", "outlet") == (D(1), D(0))
    assert len(engine.puts()) == 2


# What else happens to the order


def test_nobody_else_acts_on_the_order_meanwhile(engine: Engine, order: Order) -> None:
    adjust_reservation(order, engine, *ONE_LESS)
    settle(engine)
    engine.oci.fault("drop", operations=["put"])
    adjust_reservation(order, engine, keep("MUG", 2, 1), keep("CUP", 2, 2), number=1)
    engine.oci.fault("none")
    set_connection("ONLINE")
    run = engine.reconcile(Scope.ORDERS, orders=[order.pk])
    assert run.entries.get().state == "SKIPPED"
    before = everything()
    item = OrderItem.objects.get(sku="MUG")
    now = engine.clock()
    with pytest.raises(CannotRemedy, match="is being adjusted"):
        remedies.cancel_short(
            order_id=order.pk, units={item.pk: D(1)}, actor=MIA, reason="r", now=now
        )
    with pytest.raises(CannotReplace, match="is being adjusted"):
        engine.replace(item, "JUG", units=D(1))
    counted = ReservationDocument.objects.select_related("order").get(state="counted")
    assert "is being adjusted" in remedies.preview_give_back(counted).refusal
    with pytest.raises(CannotAdjust, match="is being adjusted"):
        remedies.give_back(
            document_id=counted.pk,
            actor=MIA,
            reason="r",
            clock=engine.clock,
        )
    with pytest.raises(CannotAdjust, match="is being adjusted"):
        adjust_reservation(order, engine, keep("MUG", 2, 2), keep("CUP", 2, 1), number=1)
    with pytest.raises(CannotSettle, match="is being adjusted"):
        release.settle_outside(order_id=order.pk, reference="P", actor=MIA, reason="r", now=now)
    with pytest.raises(ExportRefused, match="is being adjusted"):
        change_export_status(order_id=order.pk, to=ExportStatus.EXPORTED, actor=MIA, now=now)
    assert everything() == before
    assert finish(engine) == 1
    assert quantities(order) == [("MUG", D(3), D(1)), ("CUP", D(2), D(2))]


@pytest.mark.parametrize("lost", [False, True])
def test_cancelling_the_order_gives_both_documents_back(
    engine: Engine, order: Order, lost: bool
) -> None:
    if lost:
        engine.oci.fault("drop", operations=["put"])
    adjust_reservation(order, engine, *ONE_LESS)
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert engine.held() == {"MUG": D(5 if lost else 2), "CUP": D(4 if lost else 2)}
    release.cancel_order(order_id=order.pk, actor=MIA, reason="r", now=engine.clock())
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert finish(engine) == 0
    assert engine.held() == {}
    assert Adjustment.objects.get().state == ("cancelled" if lost else "done")
    order.refresh_from_db()
    assert (order.status, order.resolution) == ("cancelled", "cancelled")
    assert Hold.objects.filter(state__in=["waiting", "answered"]).count() == 0


def test_nothing_is_called_broken_while_the_claim_of_a_dead_one_holds_a_cancellation_up(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in killed(monkeypatch, "reconciliation.remedies.swap._complete"):
        with pytest.raises(Death):
            adjust_reservation(order, engine, *ONE_LESS)
    release.cancel_order(order_id=order.pk, actor=MIA, reason="r", now=engine.clock())
    assert release.finish_cancellations(clock=engine.clock) == 0
    assert documents(order)[1] == ("rearrange", "answered")

    assert list(integrity_check.check()) == []

    engine.clock.go(61)
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert list(integrity_check.check()) == []
    assert documents(order)[1] == ("rearrange", "cancelled")
    assert engine.held() == {}


def test_an_order_cancelled_between_answer_and_count_is_not_adjusted(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel_first(*args: Any, **more: Any) -> Any:
        cancellation.request_cancellation(
            order_id=order.pk, actor=MIA, reason="r", now=engine.clock()
        )
        return complete(*args, **more)

    complete = swap._complete
    monkeypatch.setattr(swap, "_complete", cancel_first)
    with pytest.raises(CannotAdjust, match="cancelled in the meantime"):
        adjust_reservation(order, engine, *ONE_LESS)
    assert quantities(order) == [("MUG", D(3), D(3)), ("CUP", D(2), D(2))]
    # Nobody has to wait for the end of a claim.
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert engine.held() == {}


def test_items_that_were_changed_by_hand_meanwhile_end_it(engine: Engine, order: Order) -> None:
    """As coc_repair may: the order's items do not have what the document holds."""
    engine.oci.fault("drop", operations=["put"])
    adjust_reservation(order, engine, *ONE_LESS)
    engine.oci.fault("none")
    set_connection("ONLINE")
    OrderItem.objects.filter(sku="MUG").update(reserved_quantity=D(1))
    assert finish(engine) == 1
    mine = Adjustment.objects.get()
    assert (mine.state, "just changed" in mine.refusal) == ("refused", True)
    assert documents(order) == [("order", "counted"), ("rearrange", "cancelled")]
    OrderItem.objects.filter(sku="MUG").update(reserved_quantity=D(3))
    assert_untouched(order, engine)


def test_one_that_resists_does_not_keep_the_others_waiting(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resist(*args: Any, adjustment_id: int, **more: Any) -> Any:
        if adjustment_id == first.pk:
            raise LedgerChanged
        return complete(*args, adjustment_id=adjustment_id, **more)

    other = engine.place(order.site, "A2", [("MUG", 2)]).order
    settle(engine)
    engine.oci.fault("drop", operations=["put"])
    first = adjust_reservation(order, engine, *ONE_LESS).adjustment
    set_connection("ONLINE")
    second = adjust_reservation(other, engine, keep("MUG", 2, 1)).adjustment
    engine.oci.fault("none")
    set_connection("ONLINE")
    complete = adjustments.complete
    with monkeypatch.context() as patched:
        patched.setattr(adjustments, "complete", resist)
        assert finish(engine) == 1
    states = Adjustment.objects.order_by("pk").values_list("pk", "state")
    assert list(states) == [(first.pk, "reserving"), (second.pk, "done")]
    assert finish(engine) == 1
    assert engine.held() == {"MUG": D(3), "CUP": D(2)}


def test_what_another_worker_has_ended_is_left_alone(engine: Engine, order: Order) -> None:
    done = adjust_reservation(order, engine, *ONE_LESS).adjustment
    before = everything(), len(engine.oci.requests())
    ended = swap.finish(
        adjust.SWAP, done.pk, holder="late", client=clients.shared_client(), clock=engine.clock
    )
    assert ended is None
    assert (everything(), len(engine.oci.requests())) == before


def test_one_that_does_not_hold_its_units_is_found(engine: Engine, order: Order) -> None:
    engine.oci.fault("drop", operations=["put"])
    adjust_reservation(order, engine, *ONE_LESS)
    assert list(integrity.faults()) == []
    Hold.objects.filter(state="waiting", record__sku="MUG").update(quantity=D(1))
    ((promise, found, detail),) = integrity.faults()
    assert (promise, found, "does not hold its MUG" in detail) == (3, order, True)
    Hold.objects.filter(state="waiting", record__sku="MUG").update(quantity=D(2))
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert finish(engine) == 1


def test_a_replacement_that_is_kept_in_part_is_short_itself(engine: Engine, order: Order) -> None:
    other = engine.capture(order.site, "B1", [("CUP", 3)])
    engine.at_oci({"CUP": 3})  # 2 of them are the first order's
    engine.reconcile()
    engine.replace(OrderItem.objects.get(order=other), "MUG", units=D(2))
    settle(engine)
    assert adjust_reservation(other, engine, keep("MUG", 2, 1), number=1).done
    assert quantities(other) == [("CUP", D(3), D(1)), ("MUG", D(2), D(1))]
    other.refresh_from_db()
    assert (other.reservation_state, other.resolution) == (PARTIAL, "")
    assert engine.held() == {"MUG": D(4), "CUP": D(3)}

"""The open remedy as a column of its order: true at every step, corrected where it is not."""

from __future__ import annotations

import pytest

from orders import open_remedies
from orders.errors import AdjustmentShort
from orders.models import Adjustment, Order, OrderEvent, OrderItem
from reconciliation import remedies
from reconciliation.maintenance import integrity_check, repair, sweep
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, set_connection
from tests.reconciliation.remedies.adjustments import (
    MOVED,
    ONE_LESS,
    adjust_reservation,
    finish,
)
from tests.reconciliation.remedies.adjustments import order as order

pytestmark = pytest.mark.django_db


def mark(order: Order) -> str | None:
    return Order.objects.get(pk=order.pk).open_remedy


def left_open(order: Order, engine: Engine) -> None:
    """Begin an adjustment that OCI does not answer."""
    engine.oci.fault("drop", operations=["put"])
    assert not adjust_reservation(order, engine, *ONE_LESS).done
    engine.oci.fault("none")
    set_connection("ONLINE")


def test_an_adjustment_marks_its_order_until_it_is_done(engine: Engine, order: Order) -> None:
    left_open(order, engine)
    assert mark(order) == "adjustment"
    assert finish(engine) == 1
    assert mark(order) is None


def test_a_replacement_marks_its_order_until_it_is_done(engine: Engine, order: Order) -> None:
    other = engine.capture(order.site, "A2", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    engine.oci.fault("drop", operations=["put"])
    item = OrderItem.objects.get(order=other)
    engine.replace(item, "CUP", units=item.open_quantity)
    assert mark(other) == "replacement"
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert remedies.finish_replacements(clock=engine.clock) == 1
    assert mark(other) is None


def test_a_refused_adjustment_leaves_no_mark(engine: Engine, order: Order) -> None:
    engine.at_oci({"MUG": 1}, location="dc2")
    with pytest.raises(AdjustmentShort):
        adjust_reservation(order, engine, *MOVED)
    assert mark(order) is None


def test_cancelling_the_order_takes_the_mark_off(engine: Engine, order: Order) -> None:
    left_open(order, engine)
    release.cancel_order(order_id=order.pk, actor=MIA, reason="r", now=engine.clock())
    assert Adjustment.objects.get().state == "cancelled"
    assert mark(order) is None


@pytest.mark.parametrize("written", [None, "replacement"])
def test_a_mark_that_differs_from_the_rows_is_found_and_corrected(
    engine: Engine, order: Order, written: str | None
) -> None:
    left_open(order, engine)
    Order.objects.update(open_remedy=written)
    (broken,) = integrity_check.check()
    assert (broken.promise, broken.key) == (2, order.pk)
    assert "its open remedy is adjustment" in broken.detail
    assert "marks of open remedies" in sweep.sweep(clock=engine.clock)
    assert mark(order) == "adjustment"
    assert list(integrity_check.check()) == []
    assert "marks of open remedies" not in sweep.sweep(clock=engine.clock)


def test_a_mark_without_a_remedy_is_repaired(engine: Engine, order: Order) -> None:
    Order.objects.update(open_remedy="adjustment")
    (proposal,) = repair.proposals(now=engine.clock())
    assert (proposal.before, proposal.after) == ("marked as adjustment", "marked as none")
    assert repair.apply(proposal_id=proposal.id, actor=MIA, reason="drill", now=engine.clock())
    assert mark(order) is None
    assert OrderEvent.objects.latest("id").reason == "Now: marked as none. drill"
    assert list(integrity_check.check()) == []


def test_what_was_seen_before_the_lock_is_not_believed(engine: Engine, order: Order) -> None:
    """As when a swap begins between the look and the lock; without a second look it is lost."""
    left_open(order, engine)
    assert not open_remedies._correct(order.pk)
    assert mark(order) == "adjustment"
    assert Order.objects.get(pk=order.pk).items.get(sku="MUG").reserved_quantity == D(3)

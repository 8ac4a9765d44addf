"""Keep a part of a reservation document, or move it: reserve again before the old one goes."""

from __future__ import annotations

import pytest

from orders.errors import (
    AdjustmentShort,
    CannotAdjust,
)
from orders.models import (
    Adjustment,
    InventoryList,
    Order,
    OrderEvent,
    OrderItem,
)
from reconciliation.maintenance import sweep
from reconciliation.models import ReservationDocument, Scope
from reconciliation.reservation import release
from tests import factories
from tests.engine import D, Engine, ato, kinds, quantities, set_connection
from tests.reconciliation.remedies.adjustments import (
    COMPLETE,
    MOVED,
    ONE_LESS,
    adjust_reservation,
    assert_one_less,
    assert_untouched,
    documents,
    everything,
    finish,
    keep,
    lists,
    places,
    settle,
)
from tests.reconciliation.remedies.adjustments import order as order

pytestmark = pytest.mark.django_db


def test_a_part_is_released_and_the_rest_reserved_anew(engine: Engine, order: Order) -> None:
    now = engine.clock()
    done = adjust_reservation(order, engine, *ONE_LESS)
    assert (done.done, done.released) == (True, True)
    assert [(call.operation, call.outcome, call.message) for call in done.calls] == [
        ("reserve", COMPLETE, ""),
        ("cancel", "", "cancelled"),
    ]
    assert_one_less(order, engine)
    assert (order.short_at, order.export_status) == (now, "ready")
    event = OrderEvent.objects.latest("pk")
    assert (event.kind, event.actor, event.reason) == ("rearranged", "mia", "One is damaged.")
    mug = OrderItem.objects.get(sku="MUG")
    assert event.data["released"] == {str(mug.pk): 1}
    assert event.data["lines"][1] == {
        "inventoryListId": "web",
        "sku": "MUG",
        "held": 3,
        "kept": 2,
        "toListId": "web",
    }
    # 10 on hand, 2 held: when OCI's figures have caught up, 8 are available.
    settle(engine)
    assert ato("MUG") == (D(8), D(0))
    # It can be reserved again, under the next id.
    engine.reconcile(Scope.OVERSOLD)
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == (COMPLETE, "reserved_again")
    assert engine.held() == {"MUG": D(3), "CUP": D(2)}


def test_an_item_moves_to_another_list(engine: Engine, order: Order) -> None:
    assert adjust_reservation(order, engine, *MOVED).done
    assert lists(order) == ["outlet", "web"]
    assert quantities(order) == [("MUG", D(3), D(3)), ("CUP", D(2), D(2))]
    assert places(engine) == {("outlet", "MUG"): D(3), ("web", "CUP"): D(2)}
    assert documents(order) == [("order", "cancelled"), ("rearrange", "counted")]
    order.refresh_from_db()
    # Nothing is short: it stays as it was.
    assert (order.reservation_state, order.resolution, order.short_at) == (COMPLETE, "", None)
    settle(engine)
    assert (ato("MUG"), ato("MUG", "outlet")) == ((D(10), D(0)), (D(6), D(0)))


def test_what_moves_may_leave_something_behind_which_is_short_in_the_new_list(
    engine: Engine, order: Order
) -> None:
    assert adjust_reservation(order, engine, keep("MUG", 3, 2, "outlet"), keep("CUP", 2, 0)).done
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(0))]
    # What has nothing left stays where it was.
    assert lists(order) == ["outlet", "web"]
    assert places(engine) == {("outlet", "MUG"): D(2)}
    # Reserving again asks the new list for the third.
    settle(engine)
    engine.reconcile(Scope.OVERSOLD)
    assert places(engine) == {("outlet", "MUG"): D(3), ("web", "CUP"): D(2)}


def test_it_can_be_adjusted_again_and_moved_back(engine: Engine, order: Order) -> None:
    adjust_reservation(order, engine, *MOVED)
    settle(engine)
    back = (keep("MUG", 3, 3, "web", "outlet"), keep("CUP", 2, 1))
    assert adjust_reservation(order, engine, *back, number=1).done
    assert lists(order) == ["web", "web"]
    assert places(engine) == {("web", "MUG"): D(3), ("web", "CUP"): D(1)}
    assert [state for _, state in documents(order)] == ["cancelled", "cancelled", "counted"]
    generations = ReservationDocument.objects.values_list("generation", flat=True)
    assert list(generations.order_by("generation")) == [0, 1, 2]


def test_the_same_again_changes_nothing(engine: Engine, order: Order) -> None:
    first = adjust_reservation(order, engine, *ONE_LESS).adjustment
    before = everything(), len(engine.puts())
    again = adjust_reservation(order, engine, *ONE_LESS)
    assert (again.adjustment, again.done, again.released) == (first, True, True)
    assert (everything(), len(engine.puts())) == before
    with pytest.raises(CannotAdjust, match="Nothing is counted under this document"):
        adjust_reservation(order, engine, *MOVED)
    assert (everything(), len(engine.puts())) == before


def test_lines_of_several_places_meet_in_one(engine: Engine, order: Order) -> None:
    adjust_reservation(order, engine, *MOVED)
    settle(engine)
    # CUP joins MUG; a new item of the same SKU would, too.
    factories.know_stock({"CUP": 4}, list_id="outlet", at=engine.clock())
    engine.at_oci({"CUP": 4}, location="dc2")
    together = (keep("MUG", 3, 3, "outlet", "outlet"), keep("CUP", 2, 2, "outlet"))
    assert adjust_reservation(order, engine, *together, number=1).done
    assert lists(order) == ["outlet", "outlet"]
    assert places(engine) == {("outlet", "MUG"): D(3), ("outlet", "CUP"): D(2)}


def test_of_two_items_of_a_sku_the_last_gives_up_first(engine: Engine, order: Order) -> None:
    two = engine.place(order.site, "A2", [("MUG", 2), ("MUG", 1)]).order
    settle(engine)
    assert adjust_reservation(two, engine, keep("MUG", 3, 2, "outlet")).done
    assert quantities(two) == [("MUG", D(2), D(2)), ("MUG", D(1), D(0))]
    assert lists(two) == ["outlet", "web"]


# OCI has less, or does not answer


def test_oci_short_of_it_leaves_everything_as_it_was(engine: Engine, order: Order) -> None:
    engine.at_oci({"MUG": 1}, location="dc2")
    engine.clock.go(1)
    with pytest.raises(
        AdjustmentShort, match="OCI had 1 of MUG in outlet, and 3 are needed"
    ) as refused:
        adjust_reservation(order, engine, *MOVED)
    assert "give" in refused.value.detail
    assert refused.value.members() == {
        "shortfalls": [{"sku": "MUG", "inventoryListId": "outlet", "requested": 3, "available": 1}]
    }
    assert_untouched(order, engine)
    assert documents(order)[1] == ("rearrange", "cancelled")
    assert kinds(order)[-2:] == ["rearranging", "not_rearranged"]
    assert Adjustment.objects.get().state == "refused"
    # The figures are renewed: last-known ATO was wrong. Nothing is held back.
    assert ato("MUG", "outlet") == (D(1), D(0))
    assert ato("CUP") == (D(3), D(0))
    # Another attempt is another document.
    engine.at_oci({"MUG": 9}, location="dc2")
    settle(engine)
    assert adjust_reservation(order, engine, *MOVED).done


def test_a_scarce_sku_is_refused_before_anything_is_kept(engine: Engine, order: Order) -> None:
    engine.at_oci({"MUG": 4})
    settle(engine)
    before = everything(), len(engine.puts())
    with pytest.raises(AdjustmentShort, match=r"1 of MUG \(web\) are available") as refused:
        adjust_reservation(order, engine, *ONE_LESS)
    assert "give the whole document back" in refused.value.detail
    assert (everything(), len(engine.puts())) == before


@pytest.mark.parametrize("fault", ["drop", "down", "5xx"])
def test_without_a_clear_answer_it_is_finished_by_itself(
    engine: Engine, order: Order, fault: str
) -> None:
    engine.oci.fault(fault, operations=["put"])
    asked = adjust_reservation(order, engine, *ONE_LESS)
    assert (asked.done, asked.released) == (False, False)
    assert quantities(order) == [("MUG", D(3), D(3)), ("CUP", D(2), D(2))]
    body = ReservationDocument.objects.get(purpose="rearrange").body
    engine.oci.fault("none")
    set_connection("ONLINE")
    # It is no rerun that ended half done.
    assert not sweep._half_rerun().exists()
    # A second click finds it under way.
    assert not adjust_reservation(order, engine, *ONE_LESS).done
    assert finish(engine) == 1
    assert_one_less(order, engine)
    assert ReservationDocument.objects.get(purpose="rearrange").body == body
    assert finish(engine) == 0


@pytest.mark.parametrize("fault", ["drop", "down", "5xx"])
def test_an_old_document_that_cannot_be_cancelled_now_is_cancelled_later(
    engine: Engine, order: Order, fault: str
) -> None:
    engine.oci.fault(fault, operations=["patch"])
    done = adjust_reservation(order, engine, *ONE_LESS)
    assert (done.done, done.released) == (True, False)
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(2))]
    assert documents(order)[0] == ("order", "cancelling")
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert release.something_to_undo()
    release.finish_cancellations(clock=engine.clock)
    assert_one_less(order, engine)


def test_what_cannot_be_given_back_now_is_given_back_later(engine: Engine, order: Order) -> None:
    engine.at_oci({"MUG": 1}, location="dc2")
    engine.oci.fault("5xx", operations=["patch"])
    with pytest.raises(AdjustmentShort):
        adjust_reservation(order, engine, *MOVED)
    assert documents(order)[1] == ("rearrange", "cancelling")
    engine.oci.fault("none")
    set_connection("ONLINE")
    release.finish_cancellations(clock=engine.clock)
    assert documents(order)[1] == ("rearrange", "cancelled")
    assert_untouched(order, engine)


def test_what_oci_refuses_for_good_leaves_everything_as_it_was(
    engine: Engine, order: Order
) -> None:
    InventoryList.objects.filter(pk="outlet").update(list_type="location")
    with pytest.raises(CannotAdjust, match="OCI refused the reservation"):
        adjust_reservation(order, engine, *MOVED)
    assert Adjustment.objects.get().state == "refused"
    assert ato("MUG", "outlet") == (D(9), D(0))
    engine.clock.go(61)
    release.finish_cancellations(clock=engine.clock)
    assert_untouched(order, engine)


def test_an_id_that_oci_refuses_is_followed_by_the_next(engine: Engine, order: Order) -> None:
    engine.oci.settings(replay="exists")
    engine.oci.fault("drop", operations=["put"])
    adjust_reservation(order, engine, *ONE_LESS)
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert finish(engine) == 1
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(2))]
    assert engine.held() == {"MUG": D(2), "CUP": D(2)}
    assert documents(order) == [
        ("order", "cancelled"),
        ("rearrange", "cancelled"),
        ("rearrange", "counted"),
    ]

"""Giving a reservation document back at OCI by hand; its order stays."""

from __future__ import annotations

from typing import Any

import pytest

from orders.errors import CannotAdjust
from orders.models import Order, OrderEvent, OrderItem, Replacement
from reconciliation import remedies
from reconciliation.models import ReservationDocument, Scope
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, ato, kinds, quantities, set_connection

pytestmark = pytest.mark.django_db

COMPLETE, PARTIAL, NOTHING = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED", "NOTHING_RESERVED"


@pytest.fixture
def order(engine: Engine) -> Order:
    """An order of 3 MUG, completely reserved."""
    return engine.place(engine.site({"MUG": 5, "CUP": 5}), "A1", [("MUG", 3)]).order


def give_back(order: Order, engine: Engine, number: int = 0, **more: Any) -> remedies.Adjusted:
    document = ReservationDocument.objects.filter(order=order).order_by("generation")[number]
    return remedies.give_back(
        **{
            "document_id": document.pk,
            "actor": MIA,
            "reason": "The stock is damaged.",
            "clock": engine.clock,
            **more,
        }
    )


def everything() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, ReservationDocument)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_oci_releases_it_and_the_order_is_short(engine: Engine, order: Order) -> None:
    engine.clock.go(10)
    done = give_back(order, engine)
    assert (done.released, done.said) == (True, "cancelled")
    assert (done.order.status, done.order.reservation_state) == ("new", NOTHING)
    assert (done.order.short_at, done.order.export_status) == (engine.clock(), "ready")
    assert quantities(order) == [("MUG", D(3), D(0))]
    assert engine.held() == {}
    assert list(Order.objects.oversold()) == [done.order]
    event = OrderEvent.objects.latest("pk")
    item = OrderItem.objects.get()
    assert (event.kind, event.actor, event.reason) == ("adjusted", "mia", "The stock is damaged.")
    assert event.data["released"] == {str(item.pk): 3}
    assert ato("MUG")[0] == 5
    # It can be reserved again, under the next id.
    engine.reconcile(Scope.OVERSOLD)
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == (COMPLETE, "reserved_again")
    assert engine.held() == {"MUG": D(3)}


def test_the_same_again_changes_nothing(engine: Engine, order: Order) -> None:
    give_back(order, engine)
    before = everything()
    assert give_back(order, engine).released is True
    assert everything() == before


@pytest.mark.parametrize("fault", ["drop", "down", "5xx"])
def test_without_an_answer_it_is_released_in_the_end(
    engine: Engine, order: Order, fault: str
) -> None:
    engine.oci.fault(fault, operations=["patch"])
    assert give_back(order, engine).released is False
    assert quantities(order) == [("MUG", D(3), D(0))]
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert release.something_to_undo()
    release.finish_cancellations(clock=engine.clock)
    assert engine.held() == {}
    assert ReservationDocument.objects.get().state == "cancelled"


def test_while_oci_is_away_it_is_written_down(engine: Engine, order: Order) -> None:
    set_connection("OFFLINE")
    done = give_back(order, engine)
    assert (done.released, done.said) == (False, "")
    set_connection("ONLINE")
    release.finish_cancellations(clock=engine.clock)
    assert engine.held() == {}


def test_of_two_documents_one_is_given_back(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    engine.at_oci({"MUG": 5})
    engine.reconcile(Scope.OVERSOLD)
    done = give_back(order, engine, 1)
    assert (done.order.reservation_state, done.order.resolution) == (PARTIAL, "")
    assert quantities(order) == [("MUG", D(3), D(1))]
    assert engine.held() == {"MUG": D(1)}


def test_a_replacement_given_back_is_short_itself(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5, "CUP": 5}), "A1", [("MUG", 2)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    engine.replace(OrderItem.objects.get(), "CUP", units=D(1))
    done = give_back(order, engine, 1)
    assert (done.order.reservation_state, done.order.resolution) == (PARTIAL, "")
    assert quantities(order) == [("MUG", D(2), D(1)), ("CUP", D(1), D(0))]
    assert engine.held() == {"MUG": D(1)}
    assert Replacement.objects.get().state == "done"
    assert kinds(order)[-1] == "adjusted"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"export_status": "exported"}, "may be shipping"),
        ({"status": "cancelled"}, "The order is cancelled"),
        ({"resolution": "settled_outside"}, "settled outside"),
        ({"claim": "run", "claimed_until": "later"}, "is being reserved"),
    ],
)
def test_what_must_stay_stays(
    engine: Engine, order: Order, change: dict[str, Any], message: str
) -> None:
    engine.keeps_promises = False
    if "claimed_until" in change:
        now = engine.clock()
        engine.clock.go(10)
        change = change | {"claimed_until": engine.clock()}
        engine.clock.now = now
    Order.objects.update(**change)
    before = everything()
    with pytest.raises(CannotAdjust, match=message):
        give_back(order, engine)
    assert everything() == before
    assert engine.held() == {"MUG": D(3)}

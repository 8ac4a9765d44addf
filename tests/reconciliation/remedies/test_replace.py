"""Replacing what is short: reserved at OCI in full, or nothing has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders import cancellation, outcomes
from orders.errors import (
    CannotRemedy,
    CannotReplace,
    CannotSettle,
    ExportRefused,
    ReplacementShort,
)
from orders.exports import change_export_status
from orders.models import (
    ExportStatus,
    Hold,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    Replacement,
)
from reconciliation import remedies
from reconciliation.maintenance import integrity_check, sweep
from reconciliation.models import ReservationDocument, Scope
from reconciliation.remedies import swap
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, ato, kinds, quantities, reserved_by_items, set_connection

pytestmark = pytest.mark.django_db

PARTIAL, NOTHING = "PARTIALLY_RESERVED", "NOTHING_RESERVED"


class Death(BaseException):
    """The process dies here."""


@pytest.fixture
def short(engine: Engine) -> Order:
    """An order of 3 MUG, of which OCI had 1; there are 5 CUP."""
    site = engine.site({"MUG": 5, "CUP": 5})
    order = engine.capture(site, "A1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    order.refresh_from_db()
    assert order.reservation_state == PARTIAL
    return order


def everything() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, Hold, InventoryRecord, Movement, Replacement)
    return [list(model.objects.order_by("pk").values()) for model in models]


def replace(order: Order, engine: Engine, sku: str = "CUP", **more: Any) -> Replacement:
    item = OrderItem.objects.filter(order=order).earliest("position")
    return remedies.replace_short(
        **{
            "item_id": item.pk,
            "sku": sku,
            "units": item.open_quantity or D(2),
            "unit_price": D("7.50"),
            "actor": MIA,
            "reason": "The shopper agreed.",
            "clock": engine.clock,
            **more,
        }
    )


def finish(engine: Engine) -> int:
    return remedies.finish_replacements(clock=engine.clock)


def documents(order: Order) -> list[tuple[str, str]]:
    rows = ReservationDocument.objects.filter(order=order).order_by("generation")
    return list(rows.values_list("purpose", "state"))


def assert_replaced(order: Order, engine: Engine) -> None:
    assert quantities(order) == [("MUG", D(3), D(1)), ("CUP", D(2), D(2))]
    old, new = OrderItem.objects.filter(order=order).order_by("position")
    assert (old.replaced_quantity, old.open_quantity, new.replaces) == (D(2), D(0), old)
    assert engine.held() == reserved_by_items() == {"MUG": D(1), "CUP": D(2)}
    assert documents(order) == [("order", "counted"), ("replace", "counted")]
    assert ato("CUP") == (D(3), D(2))
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution, order.claim) == (PARTIAL, "replaced", "")
    assert order.resolution_note == "2 MUG by CUP: The shopper agreed."


def test_what_is_short_is_reserved_as_another_sku(engine: Engine, short: Order) -> None:
    OrderItem.objects.update(unit_price=D("9.50"))
    done = replace(short, engine)
    assert (done.state, done.price_difference) == ("done", D("-4.00"))
    assert_replaced(short, engine)
    new = OrderItem.objects.get(sku="CUP")
    assert (new.unit_price, new.item_id, new.inventory_list_id) == (
        D("7.50"),
        f"item-0-r{done.pk}",
        "web",
    )
    assert done.new_item == new
    told = OrderEvent.objects.filter(order=short).order_by("pk").values_list("kind", "actor")
    assert list(told)[-2:] == [("replacing", "mia"), ("replaced", "mia")]
    assert OrderEvent.objects.latest("pk").data["priceDifference"] == -4
    assert not Order.objects.oversold().exists()


def test_a_second_click_replaces_nothing_more(engine: Engine, short: Order) -> None:
    done = replace(short, engine)
    before = everything(), len(engine.puts())
    assert replace(short, engine) == done
    assert (everything(), len(engine.puts())) == before


def test_an_order_of_which_nothing_was_reserved_is_put_right(engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 5, "CUP": 5}), "A1", [("MUG", 2)])
    engine.at_oci({"MUG": 0})
    engine.reconcile()
    replace(order, engine)
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == (PARTIAL, "replaced")
    assert quantities(order) == [("MUG", D(2), D(0)), ("CUP", D(2), D(2))]


def test_with_another_item_short_the_order_stays_oversold_and_is_put_right_later(
    engine: Engine,
) -> None:
    site = engine.site({"MUG": 5, "JUG": 5, "CUP": 5})
    order = engine.capture(site, "A1", [("MUG", 2), ("JUG", 2)])
    engine.at_oci({"MUG": 1, "JUG": 1})
    engine.reconcile()
    replace(order, engine)
    assert list(Order.objects.oversold()) == [order]
    engine.at_oci({"MUG": 5, "JUG": 5})
    engine.reconcile(Scope.OVERSOLD)
    order.refresh_from_db()
    assert (order.reservation_state, order.resolution) == (PARTIAL, "replaced")
    assert order.resolution_note == "1 MUG by CUP"
    assert engine.held() == {"MUG": D(1), "JUG": D(2), "CUP": D(1)}


def test_oci_short_of_it_leaves_the_order_as_it_was(engine: Engine, short: Order) -> None:
    engine.at_oci({"CUP": 1})
    items = list(OrderItem.objects.values())
    with pytest.raises(ReplacementShort, match="OCI had 1 of CUP, and 2 are needed") as refused:
        replace(short, engine)
    assert refused.value.members() == {"sku": "CUP", "requested": 2, "available": 1}
    assert list(OrderItem.objects.values()) == items
    assert documents(short) == [("order", "counted"), ("replace", "cancelled")]
    assert engine.held() == {"MUG": D(1)}
    # The figures are renewed: last-known ATO was wrong.
    assert ato("CUP") == (D(1), D(0))
    short.refresh_from_db()
    assert (short.reservation_state, short.resolution, short.claim) == (PARTIAL, "", "")
    assert kinds(short)[-2:] == ["replacing", "not_replaced"]
    assert Replacement.objects.get().state == "refused"


def test_too_little_ato_is_refused_before_anything_is_kept(engine: Engine, short: Order) -> None:
    InventoryRecord.objects.filter(sku="CUP").update(snapshot_ato=D(1), ato=D(1))
    Movement.objects.filter(record__sku="CUP").update(ato_change=D(1))
    before = everything(), documents(short)
    with pytest.raises(ReplacementShort, match="1 of CUP are available") as refused:
        replace(short, engine)
    assert refused.value.available == 1
    assert (everything(), documents(short)) == before
    assert len(engine.puts()) == 1


@pytest.mark.parametrize("fault", ["drop", "down", "5xx"])
def test_without_a_clear_answer_it_is_finished_by_itself(
    engine: Engine, short: Order, fault: str
) -> None:
    engine.oci.fault(fault, operations=["put"])
    assert replace(short, engine).state == "reserving"
    assert quantities(short) == [("MUG", D(3), D(1))]
    assert ato("CUP") == (D(3), D(2))
    engine.oci.fault("none")
    set_connection("ONLINE")
    # It is no rerun that ended half done.
    assert not sweep._half_rerun().exists()
    # A second click finds it under way.
    assert replace(short, engine).state == "reserving"
    assert finish(engine) == 1
    assert_replaced(short, engine)
    assert finish(engine) == 0


def test_nobody_else_acts_on_the_order_meanwhile(engine: Engine, short: Order) -> None:
    engine.oci.fault("drop", operations=["put"])
    replace(short, engine)
    engine.oci.fault("none")
    set_connection("ONLINE")
    engine.at_oci({"MUG": 9})
    run = engine.reconcile(Scope.ORDERS, orders=[short.pk])
    assert run.entries.get().state == "SKIPPED"
    item = OrderItem.objects.get()
    with pytest.raises(CannotRemedy, match="is being reserved"):
        remedies.cancel_short(
            order_id=short.pk, units={item.pk: D(2)}, actor=MIA, reason="r", now=engine.clock()
        )
    with pytest.raises(CannotSettle, match="is being reserved"):
        release.settle_outside(
            order_id=short.pk, reference="P", actor=MIA, reason="r", now=engine.clock()
        )
    with pytest.raises(ExportRefused, match="is being replaced"):
        change_export_status(
            order_id=short.pk, to=ExportStatus.EXPORTED, actor=MIA, now=engine.clock()
        )
    with pytest.raises(CannotReplace, match="is being reserved"):
        replace(short, engine, sku="MUG2", units=D(2))
    finish(engine)
    assert_replaced(short, engine)


@pytest.mark.parametrize("step", ["prepare", "_shortfalls", "_complete"])
def test_death_at_any_step_is_made_good_by_the_sweep(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: Any, **__: Any) -> Any:
        raise Death

    where = "reconciliation.reservation.send.prepare" if step == "prepare" else step
    target = where if "." in where else f"reconciliation.remedies.swap.{step}"
    with monkeypatch.context() as patched:
        patched.setattr(target, die)
        with pytest.raises(Death):
            replace(short, engine)
    assert Replacement.objects.get().state == "reserving"
    assert finish(engine) == 0  # the claim of the dead one still stands
    engine.clock.go(61)
    assert "replacements" in sweep.sweep(clock=engine.clock)
    assert finish(engine) == 1
    assert_replaced(short, engine)
    assert [state for state, _ in engine.documents("A1")] == ["OPEN", "OPEN"]


@pytest.mark.parametrize("step", ["_undo", "_refuse"])
def test_death_while_it_is_given_back_is_made_good(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: Any, **__: Any) -> Any:
        raise Death

    engine.at_oci({"CUP": 1})
    with monkeypatch.context() as patched:
        patched.setattr(swap, step, die)
        with pytest.raises(Death):
            replace(short, engine)
    engine.at_oci({"CUP": 9})
    engine.clock.go(61)
    assert finish(engine) == 1
    assert Replacement.objects.get().state == "refused"
    assert engine.held() == {"MUG": D(1)}
    assert ato("CUP") == (D(9), D(0))
    assert len(engine.puts()) == 2


def test_what_oci_refuses_for_good_leaves_the_order_as_it_was(engine: Engine, short: Order) -> None:
    InventoryList.objects.filter(pk="web").update(list_type="location")
    with pytest.raises(CannotReplace, match="OCI refused the reservation"):
        replace(short, engine)
    InventoryList.objects.filter(pk="web").update(list_type="group")
    assert Replacement.objects.get().state == "refused"
    assert quantities(short) == [("MUG", D(3), D(1))]
    assert ato("CUP") == (D(5), D(0))
    engine.clock.go(61)
    release.finish_cancellations(clock=engine.clock)
    assert documents(short)[1] == ("replace", "cancelled")


def test_what_cannot_be_given_back_now_is_given_back_later(engine: Engine, short: Order) -> None:
    engine.at_oci({"CUP": 1})
    engine.oci.fault("5xx", operations=["patch"])
    with pytest.raises(ReplacementShort):
        replace(short, engine)
    assert documents(short)[1] == ("replace", "cancelling")
    engine.oci.fault("none")
    set_connection("ONLINE")
    release.finish_cancellations(clock=engine.clock)
    assert documents(short)[1] == ("replace", "cancelled")
    assert engine.held() == {"MUG": D(1)}


@pytest.mark.parametrize("lost", [False, True])
def test_cancelling_the_order_gives_the_replacement_back_too(
    engine: Engine, short: Order, lost: bool
) -> None:
    if lost:
        engine.oci.fault("drop", operations=["put"])
    replace(short, engine)
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert engine.held() == {"MUG": D(1), "CUP": D(2)}
    release.cancel_order(order_id=short.pk, actor=MIA, reason="r", now=engine.clock())
    # What it holds is held until OCI has given it back, however long that takes.
    assert list(integrity_check.check()) == []
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert list(integrity_check.check()) == []
    assert finish(engine) == 0
    assert engine.held() == {}
    assert Replacement.objects.get().state == ("cancelled" if lost else "done")
    short.refresh_from_db()
    assert (short.status, short.resolution) == ("cancelled", "cancelled")
    assert ato("CUP") == (D(5), D(0))


def test_an_order_cancelled_between_answer_and_count_is_not_replaced(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel_first(*args: Any, **more: Any) -> Any:
        cancellation.request_cancellation(
            order_id=short.pk, actor=MIA, reason="r", now=engine.clock()
        )
        return complete(*args, **more)

    complete = swap._complete
    monkeypatch.setattr(swap, "_complete", cancel_first)
    with pytest.raises(CannotReplace, match="cancelled in the meantime"):
        replace(short, engine)
    assert quantities(short) == [("MUG", D(3), D(1))]
    # Nobody has to wait for the end of a claim.
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert engine.held() == {}


def test_orders_that_wait_for_it_are_served_first(engine: Engine, short: Order) -> None:
    engine.capture(short.site, "B1", [("CUP", 1)])
    before = everything()
    with pytest.raises(CannotReplace, match="Other orders wait for CUP"):
        replace(short, engine)
    assert everything() == before


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_nothing_is_replaced(engine: Engine, short: Order, state: str) -> None:
    set_connection(state)
    before = everything()
    with pytest.raises(CannotReplace, match="cannot be called at the moment"):
        replace(short, engine)
    assert everything() == before


def test_a_rerun_that_is_not_counted_ends_first(engine: Engine, short: Order) -> None:
    engine.at_oci({"MUG": 3})
    engine.oci.fault("drop", operations=["put"])
    engine.reconcile(Scope.ORDERS, orders=[short.pk])
    engine.oci.fault("none")
    set_connection("ONLINE")
    before = everything()
    with pytest.raises(CannotReplace, match="the answer is not counted yet"):
        replace(short, engine)
    assert everything() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sku": "MUG"}, "MUG is the SKU that is short"),
        ({"sku": "JAR"}, "does not know JAR"),
        ({"units": D(1)}, "2 of MUG are short now, not 1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    engine: Engine, short: Order, more: dict[str, Any], message: str
) -> None:
    before = everything()
    with pytest.raises(CannotReplace, match=message):
        replace(short, engine, **more)
    assert everything() == before


def test_a_claimed_order_is_refused(engine: Engine, short: Order) -> None:
    now = engine.clock()
    outcomes.take_claim(order_id=short.pk, holder="run", until=now + timedelta(1), now=now)
    before = everything()
    with pytest.raises(CannotReplace, match="is being reserved"):
        replace(short, engine)
    assert everything() == before

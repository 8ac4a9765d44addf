"""Release a part of a document that cannot be reserved anew; later steps go that way too.

Each test runs with documents that follow releases at OCI, and with ones that do not: OCI's text
says that a release leaves its document as it is, and then a cancel returns the same units again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders.errors import CannotAdjust
from orders.models import (
    Hold,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
)
from reconciliation import remedies
from reconciliation.maintenance import integrity_check, sweep
from reconciliation.models import Attempt, Release, ReservationDocument, Scope
from reconciliation.reservation import release, release_rows
from tests import factories
from tests.engine import MIA, D, Engine, ato, quantities, reserved_by_items, set_connection
from tests.factories import Units
from tests.reconciliation.remedies.adjustments import (
    Death,
    adjust_reservation,
    keep,
    killed,
    settle,
)

pytestmark = pytest.mark.django_db

COMPLETE, PARTIAL, NOTHING = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED", "NOTHING_RESERVED"
ONE_OF_TWO = (keep("MUG", 2, 1),)


@pytest.fixture(params=["yes", "no"])
def order(engine: Engine, request: pytest.FixtureRequest) -> Order:
    """An order of 2 MUG, the last ones of their list; another order has 3 MUG before."""
    engine.oci.settings(documentsFollow=request.param)
    site = engine.site({"MUG": 5, "CUP": 5})
    engine.place(site, "OTHER", [("MUG", 3)])
    order = engine.place(site, "A1", [("MUG", 2)]).order
    settle(engine)
    assert ato("MUG")[0] == 0
    return order


def part(order: Order, engine: Engine, *keeps: Any, **more: Any) -> remedies.PartReleased:
    document = ReservationDocument.objects.filter(order=order).earliest("generation")
    return remedies.release_part(
        **{
            "document_id": document.pk,
            "keeps": keeps or ONE_OF_TWO,
            "actor": MIA,
            "reason": "One is damaged.",
            "clock": engine.clock,
            **more,
        }
    )


def recover(engine: Engine) -> None:
    """Let the sweep take up what is left, as soon as OCI answers."""
    engine.oci.fault("none")
    set_connection("ONLINE")
    engine.clock.go(61)
    assert "cancellations" in sweep.sweep(clock=engine.clock)
    release.finish_cancellations(clock=engine.clock)
    assert not release.something_to_undo()


def mugs(engine: Engine) -> Any:
    """What OCI has reserved of MUG for A1; the other order has 3."""
    return engine.held().get("MUG", D(0)) - 3


def everything() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, Hold, InventoryRecord, Movement, Release)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    return [*rows, list(ReservationDocument.objects.order_by("pk").values())]


def states(order: Order) -> list[str]:
    rows = ReservationDocument.objects.filter(order=order).order_by("generation")
    return list(rows.values_list("state", flat=True))


def assert_one_left(order: Order, engine: Engine) -> None:
    order.refresh_from_db()
    assert (order.status, order.reservation_state, order.claim) == ("new", PARTIAL, "")
    assert quantities(order) == [("MUG", D(2), D(1))]
    assert mugs(engine) == 1
    assert reserved_by_items() == engine.held()
    assert states(order) == ["counted"]
    assert list(Order.objects.oversold()) == [order]
    assert list(Release.objects.values_list("number", "held", "quantity", "state")) == [
        (1, 2, 1, "released")
    ]
    assert list(integrity_check.check()) == []


def assert_gone(order: Order, engine: Engine) -> None:
    assert mugs(engine) == 0
    assert "CANCELLED" not in [state for state, _ in engine.documents("A1")]
    assert not Attempt.objects.filter(order=order, operation="cancel").exists()
    assert list(integrity_check.check()) == []


# The preview chooses, the verb does


@pytest.mark.parametrize(
    ("more", "by_release"), [(0, True), (1, False)], ids=["sold-out", "one-free"]
)
def test_the_preview_releases_only_what_cannot_be_reserved_anew(
    engine: Engine, order: Order, more: Units, by_release: bool
) -> None:
    engine.at_oci({"MUG": 5 + more})
    settle(engine)
    document = ReservationDocument.objects.select_related("order").get(order=order)
    preview = remedies.preview_adjustment(document, ONE_OF_TWO)
    assert (preview.by_release, preview.refusal) == (by_release, "")


def test_a_part_of_a_sold_out_sku_is_released(engine: Engine, order: Order) -> None:
    with pytest.raises(CannotAdjust, match="free a second time"):
        adjust_reservation(order, engine, *ONE_OF_TWO)
    done = part(order, engine)
    assert done.released
    assert [call.message for call in done.calls] == ["released"]
    assert_one_left(order, engine)
    event = OrderEvent.objects.filter(order=order).latest("pk")
    item = OrderItem.objects.get(order=order)
    assert (event.kind, event.actor, event.reason) == ("adjusted", "mia", "One is damaged.")
    assert event.data["released"] == {str(item.pk): 1}
    settle(engine)
    assert ato("MUG")[0] == 1
    # Whoever asks first has it: here the order itself, under the next document.
    engine.reconcile(Scope.OVERSOLD)
    order.refresh_from_db()
    assert (order.reservation_state, mugs(engine)) == (COMPLETE, 2)
    assert states(order) == ["counted", "counted"]
    assert list(integrity_check.check()) == []


def test_the_same_again_changes_nothing(engine: Engine, order: Order) -> None:
    part(order, engine)
    before = everything()
    assert part(order, engine).released
    assert everything() == before
    assert mugs(engine) == 1


def test_units_are_released_one_after_the_other(engine: Engine) -> None:
    site = engine.site({"MUG": 4})
    order = engine.place(site, "A1", [("MUG", 4)]).order
    settle(engine)
    for held in (4, 3, 2):
        assert part(order, engine, keep("MUG", held, held - 1)).released
    assert engine.held() == {"MUG": D(1)}
    assert quantities(order) == [("MUG", D(4), D(1))]
    assert len(set(Release.objects.values_list("record_id", flat=True))) == 3
    assert list(integrity_check.check()) == []


# Lost answers, deaths, an OCI that is away


@pytest.mark.parametrize("fault", ["drop", "down", "5xx", "hang"])
def test_without_an_answer_the_same_id_is_sent_again(
    engine: Engine, order: Order, settings: Any, fault: str
) -> None:
    settings.COC_OCI_LIVE_TIMEOUT = 0.3
    engine.oci.fault(fault, operations=["releases"])
    assert not part(order, engine).released
    assert quantities(order) == [("MUG", D(2), D(1))]
    recover(engine)
    assert_one_left(order, engine)


def test_a_request_that_is_lost_on_its_way_is_sent_again(engine: Engine, order: Order) -> None:
    set_connection("OFFLINE")
    assert not part(order, engine).released
    assert mugs(engine) == 2
    recover(engine)
    assert_one_left(order, engine)


STEPS = {
    "reconciliation.reservation.release_rows.write": False,
    "orders.give_back._write": False,
    "reconciliation.remedies.part_release._call": True,
    "reconciliation.reservation.release_calls._record": True,
    "reconciliation.reservation.release_calls.Releasing._answered": True,
    "reconciliation.reservation.release_calls.Releasing._note": True,
}


@pytest.mark.parametrize("step", STEPS)
def test_death_at_any_step_is_made_good(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = everything()
    for _ in killed(monkeypatch, step):
        with pytest.raises(Death):
            part(order, engine)
    if STEPS[step]:
        recover(engine)
    else:
        assert everything() == before
        part(order, engine)
    assert_one_left(order, engine)


# A touched document goes by releases only, whoever lets it go


def cancel(order: Order, engine: Engine) -> None:
    release.cancel_order(order_id=order.pk, actor=MIA, reason="r", now=engine.clock())
    release.finish_cancellations(clock=engine.clock)
    order.refresh_from_db()
    assert order.status == "cancelled"


def give_back(order: Order, engine: Engine) -> None:
    document = ReservationDocument.objects.get(order=order)
    done = remedies.give_back(document_id=document.pk, actor=MIA, reason="r", clock=engine.clock)
    assert (done.released, done.said) == (True, "released")
    assert quantities(order) == [("MUG", D(2), D(0))]
    again = remedies.give_back(document_id=document.pk, actor=MIA, reason="r", clock=engine.clock)
    assert again.released


@pytest.mark.parametrize("let_go", [cancel, give_back])
def test_a_touched_document_is_given_back_by_releases(
    engine: Engine, order: Order, let_go: Any
) -> None:
    part(order, engine)
    let_go(order, engine)
    assert_gone(order, engine)
    assert states(order) == ["cancelled"]
    assert Release.objects.count() == 2


@pytest.mark.parametrize("let_go", ["cancel", "give_back"])
@pytest.mark.parametrize("fault", ["drop", "down"])
def test_it_is_given_back_although_nothing_was_answered_yet(
    engine: Engine, order: Order, fault: str, let_go: str
) -> None:
    engine.oci.fault(fault, operations=["releases"])
    part(order, engine)
    if let_go == "cancel":
        release.cancel_order(order_id=order.pk, actor=MIA, reason="r", now=engine.clock())
    else:
        document = ReservationDocument.objects.get(order=order)
        remedies.give_back(document_id=document.pk, actor=MIA, reason="r", clock=engine.clock)
    release.finish_cancellations(clock=engine.clock)
    recover(engine)
    assert_gone(order, engine)


def test_moving_what_is_left_lets_the_touched_document_go(engine: Engine, order: Order) -> None:
    part(order, engine)
    InventoryList.objects.create(pk="outlet")
    factories.permit_lists(order.site, "outlet")
    engine.at_oci({"MUG": 9}, location="dc2")
    factories.know_stock({"MUG": 9}, list_id="outlet", at=engine.clock() - timedelta(hours=1))
    done = adjust_reservation(order, engine, keep("MUG", 1, 1, "outlet"))
    assert (done.done, done.released) == (True, True)
    assert mugs(engine) == 1
    assert states(order) == ["cancelled", "counted"]
    assert {row["group"] for row in engine.oci.books()["reserved"]} == {"web", "outlet"}
    assert not Attempt.objects.filter(order=order, operation="cancel").exists()
    assert list(integrity_check.check()) == []


def test_control_a_cancel_would_take_the_units_of_somebody_else(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.keeps_promises = False
    follows = engine.oci.state()["settings"]["documentsFollow"] == "yes"
    part(order, engine)
    monkeypatch.setattr(release_rows, "is_touched", lambda document: False)
    cancel(order, engine)
    # 2 are given back of the 1 that was left: the other order has lost one.
    assert mugs(engine) == (0 if follows else -1)
    found = [broken.detail for broken in integrity_check.check()]
    assert any("were released, and it cancelled" in detail for detail in found)


# Refused by OCI, and by us


def test_what_oci_refuses_needs_a_person_and_then_another_id(engine: Engine, order: Order) -> None:
    document = ReservationDocument.objects.get(order=order)
    engine.oci.reset("books")
    engine.at_oci({"MUG": 5})
    assert not part(order, engine).released
    order.refresh_from_db()
    assert "OCI does not release 1 of MUG: " in order.needs_review_reason
    release.finish_cancellations(clock=engine.clock)
    assert list(document.releases.values_list("number", "state")) == [(1, "refused")]
    Order.objects.filter(pk=order.pk).update(needs_review_since=None)
    release.finish_cancellations(clock=engine.clock)
    assert list(document.releases.values_list("number", "state")) == [
        (1, "repeated"),
        (2, "refused"),
    ]
    assert release_rows.still_held(document) == {("web", "MUG"): D(1)}
    engine.keeps_promises = False


@pytest.mark.parametrize(
    ("keeps", "message"),
    [
        ((keep("MUG", 3, 1),), "has changed since it was shown"),
        ((keep("MUG", 2, 2),), "Nothing would change"),
        ((keep("MUG", 2, 0),), "Nothing would be kept"),
        ((keep("MUG", 2, 1, "outlet"),), "move to another list"),
    ],
)
def test_what_makes_no_sense_is_refused(
    engine: Engine, order: Order, keeps: Any, message: str
) -> None:
    before = everything()
    with pytest.raises(CannotAdjust, match=message):
        part(order, engine, *keeps)
    assert everything() == before
    assert mugs(engine) == 2

"""A split is one act: all of it is reserved and done, with one message, or nothing of it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command

from orders import cancellation
from orders.customer_messages import kind_of
from orders.errors import OrderRefused
from orders.models import (
    CustomerMessage,
    Hold,
    InventoryRecord,
    MessageKind,
    Order,
    OrderItem,
    Replacement,
    Resolution,
    Site,
)
from orders.models.inventory import OPEN_HOLDS
from orders.replacement_parts import Besides
from reconciliation.decisions import outlook
from reconciliation.decisions.proposals import Remedy
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, kinds
from tests.engine import engine as engine
from tests.engine import simulator as simulator
from tests.reconciliation.decisions.test_act_and_tell import (
    Act,
    die_at_each_read,
    letter_of,
    without_answer,
    workers,
)

pytestmark = pytest.mark.django_db

SKUS = ("MUG", "PEN", "CAP", "CUP", "INK")


def split_of(engine: Engine, remedy: Remedy, order_no: str) -> Act:
    """Return a split: OCI has 1 of 3 MUG, and no PEN and no CAP; CUP and INK replace two."""
    if not Order.objects.exists():
        engine.site(dict.fromkeys(SKUS, 900))
    engine.at_oci({"MUG": engine.held().get("MUG", D(0)) + 1, "PEN": 0, "CAP": 0})
    order = engine.capture(Site.objects.get(), order_no, [("MUG", 3), ("PEN", 2), ("CAP", 1)])
    engine.reconcile()
    order.refresh_from_db()
    items = {item.sku: item for item in OrderItem.objects.filter(order=order)}
    return Act(
        engine=engine,
        order=order,
        remedy=remedy,
        letter=letter_of(order),
        seen=outlook.mark_of(order, sorted(items.values(), key=lambda item: item.position)),
        units={items["MUG"].pk: D(2)},
        besides=(
            Besides(items["PEN"].pk, D(2), "INK", D("3.50")),
            Besides(items["CAP"].pk, D(1)),
        ),
    )


def lines(order: Order) -> dict[str, tuple[Any, ...]]:
    """Return what is reserved, cancelled and replaced of each SKU of an order."""
    return {
        item.sku: (
            int(item.reserved_quantity),
            int(item.cancelled_quantity),
            int(item.replaced_quantity),
        )
        for item in OrderItem.objects.filter(order=order)
    }


SPLIT = {
    "MUG": (1, 0, 2),
    "PEN": (0, 0, 2),
    "CAP": (0, 1, 0),
    "CUP": (2, 0, 0),
    "INK": (2, 0, 0),
}
AS_IT_WAS = {"MUG": (1, 0, 0), "PEN": (0, 0, 0), "CAP": (0, 0, 0)}


def check_is_sound() -> None:
    """Raise unless the integrity check finds nothing."""
    call_command("coc_check")


def waits(order: Order) -> bool:
    """Whether units of an order are off ATO without an answer that counts."""
    return Hold.objects.filter(order=order, state="waiting").exists()


def test_all_of_a_split_is_done_in_one_act_with_one_document(engine: Engine) -> None:
    act = split_of(engine, Remedy.SPLIT, "A1")
    done = act(engine.clock)
    assert lines(act.order) == SPLIT
    act.order.refresh_from_db()
    assert (act.order.resolution, act.order.open_remedy) == (Resolution.REPLACED, None)
    assert kind_of(act.order) == MessageKind.CHANGED
    assert done.replacement is not None
    document = ReservationDocument.objects.get(order=act.order, purpose=Purpose.REPLACEMENT)
    assert document.state == DocumentState.COUNTED
    assert {sku: engine.held()[sku] for sku in ("CUP", "INK")} == {"CUP": 2, "INK": 2}
    stands_in = {item.sku: item for item in OrderItem.objects.filter(replaces__isnull=False)}
    assert {sku: item.replaces.sku for sku, item in stands_in.items() if item.replaces} == {
        "CUP": "MUG",
        "INK": "PEN",
    }
    assert stands_in["INK"].unit_price == D("3.50")
    assert kinds(act.order)[-5:] == [
        "replacing",
        "replacing",
        "replaced",
        "replaced",
        "items_cancelled",
    ]
    assert act.mails() == 1
    check_is_sound()
    # A second click changes nothing.
    before = list(OrderItem.objects.order_by("pk").values())
    assert act(engine.clock).replacement == done.replacement
    assert list(OrderItem.objects.order_by("pk").values()) == before
    assert (Replacement.objects.count(), act.mails()) == (1, 1)


def test_wherever_the_process_dies_all_of_a_split_is_done_and_told_or_nothing(
    engine: Engine,
) -> None:
    deaths: list[bool] = []

    def check(act: Act, died: bool) -> None:
        deaths.append(died)
        assert act.mails() == act.is_done(), (len(deaths), kinds(act.order))
        assert lines(act.order) == (SPLIT if act.is_done() else AS_IT_WAS)
        if died and not act.is_done():
            act(engine.clock)
            workers(engine)
        assert (act.is_done(), act.mails(), lines(act.order)) == (True, 1, SPLIT)
        act(engine.clock)
        assert act.mails() == 1

    die_at_each_read(engine, Remedy.SPLIT, check, make=split_of)
    assert deaths.count(True) >= 2
    assert not CustomerMessage.objects.exclude(email="sent").exists()
    check_is_sound()


@pytest.mark.parametrize("scarce", [{"CUP": 0}, {"INK": 1}, {"CUP": 1, "INK": 0}])
def test_what_oci_can_not_reserve_in_full_undoes_all_of_a_split(
    engine: Engine, scarce: dict[str, int]
) -> None:
    split_of(engine, Remedy.SPLIT, "A0")
    held = engine.held()
    engine.keeps_promises = False
    engine.at_oci(scarce)

    def check(act: Act, died: bool) -> None:
        assert lines(act.order) == AS_IT_WAS
        assert not waits(act.order)
        assert not CustomerMessage.objects.filter(order=act.order).exists()
        act.order.refresh_from_db()
        assert act.order.open_remedy is None
        for sku in scarce:
            InventoryRecord.objects.filter(sku=sku).update(snapshot_ato=D(900), ato=D(900))

    assert die_at_each_read(engine, Remedy.SPLIT, check, make=split_of) == {(False, 0)}
    assert mail.outbox == []
    refused = Replacement.objects.filter(state="refused").first()
    assert refused is not None
    assert all(sku in refused.refusal for sku in scarce)
    # OCI holds nothing of any attempt.
    assert {sku: engine.held().get(sku, 0) for sku in ("CUP", "INK")} == {
        sku: held.get(sku, 0) for sku in ("CUP", "INK")
    }


def test_a_split_that_waits_for_oci_ends_with_its_order(engine: Engine) -> None:
    act = split_of(engine, Remedy.SPLIT, "A1")
    without_answer(engine, act)
    assert Replacement.objects.get().state == "reserving"
    assert CustomerMessage.objects.get().email == "waiting"
    check_is_sound()
    cancellation.request_cancellation(
        order_id=act.order.pk, actor=MIA, reason="Gone.", now=engine.clock()
    )
    engine.clock.go(120)
    release.finish_cancellations(clock=engine.clock)
    workers(engine)
    assert (Replacement.objects.get().state, mail.outbox) == ("cancelled", [])
    assert not Hold.objects.filter(order=act.order, state__in=OPEN_HOLDS).exists()
    check_is_sound()


def test_what_has_moved_on_or_does_not_fit_is_refused(engine: Engine) -> None:
    act = split_of(engine, Remedy.SPLIT, "A1")
    pen, cap = act.besides
    other = split_of(engine, Remedy.SPLIT, "A2")
    rows = (
        Replacement.objects.count,
        CustomerMessage.objects.count,
        ReservationDocument.objects.count,
    )
    before = [count() for count in rows]
    for wrong in (
        (Besides(pen.item_id, D(1), "INK"), cap),
        (Besides(pen.item_id, D(2), "CUP"), cap),
        (Besides(pen.item_id, D(2), "CAP"), cap),
        (pen, Besides(cap.item_id, D(2))),
        (pen, other.besides[1]),
        (pen, Besides(next(iter(act.units)), D(2))),
        (pen, cap, cap),
    ):
        act.besides = wrong
        with pytest.raises(OrderRefused):
            act(engine.clock)
        assert lines(act.order) == AS_IT_WAS
        assert [count() for count in rows] == before
    act.besides, act.seen = (pen, cap), "another"
    with pytest.raises(OrderRefused):
        act(engine.clock)
    assert [count() for count in rows] == before
    assert mail.outbox == []

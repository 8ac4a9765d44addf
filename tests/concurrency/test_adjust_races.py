"""Adjustments against each other and against what else changes an order, on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import transaction

from orders import adjustments, cancellation, ledger, swaps
from orders.adjustment_lines import Keep, kept_of
from orders.errors import CannotAdjust, CannotRemedy, OrderRefused
from orders.exports import change_export_status
from orders.models import (
    Adjustment,
    EventKind,
    ExportStatus,
    Hold,
    InventoryRecord,
    Order,
    OrderItem,
)
from orders.models.adjustments import OPEN_ADJUSTMENT
from reconciliation.maintenance import integrity_check
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.remedies import adjust as verbs
from reconciliation.remedies import give_back_document, swap
from reconciliation.remedies import replace as replacing
from tests.concurrency.answered import answered_orders
from tests.concurrency.together import at_once, barrier
from tests.engine import MIA, D
from tests.factories import START, know_stock, make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
WORKERS = 8


def reserved_orders(count: int, *, reserved: int = 3) -> list[Order]:
    """Orders of 3 MUG, partly reserved by OCI and counted in its figures."""
    site = make_site(stock={"MUG": 1000, "CUP": 1000})
    orders = answered_orders(site, count, reserved=reserved)
    know_stock({"MUG": 1000 - reserved * count}, at=START + MINUTE)
    return orders


def keeps(units: int, held: int = 3) -> list[Keep]:
    return [Keep("web", "MUG", D(held), D(units), "web")]


def begin(order: Order, units: int = 2, held: int = 3) -> str:
    document = ReservationDocument.objects.select_related("order").get(
        order=order, state=DocumentState.COUNTED
    )
    try:
        verbs._begin(
            document,
            keeps(units, held),
            holder=f"adjust:{threading.get_ident()}",
            actor=MIA,
            reason="race",
            now=NOW,
        )
    except CannotRemedy:
        return "refused"
    return "begun"


def active(order: Order) -> list[str]:
    documents = ReservationDocument.objects.filter(order=order, state=DocumentState.PREPARED)
    return list(documents.values_list("purpose", flat=True))


def test_of_many_who_adjust_one_does() -> None:
    (order,) = reserved_orders(1)
    results = at_once(WORKERS, lambda n: begin(order, 1 + n % 2))
    assert results == ["begun"] + ["refused"] * (WORKERS - 1)
    assert active(order) == ["rearrange"]
    mine = Adjustment.objects.get()
    assert mine.state == "reserving"
    kept = kept_of(adjustments.keeps_of(mine))[("web", "MUG")]
    assert Hold.objects.get(order=order, state="waiting").quantity == kept
    assert InventoryRecord.objects.get(sku="MUG").ato == 997 - kept
    assert list(integrity_check.check()) == []


def test_control_looking_first_without_the_claim_begins_them_all() -> None:
    (order,) = reserved_orders(1)
    looked = barrier(WORKERS)

    def act(_number: int) -> str:
        free = not order.adjustments.filter(OPEN_ADJUSTMENT).exists()
        looked.wait()
        Adjustment.objects.create(
            order=order, document_id=number_of(order), actor_kind="person", actor="m", asked_at=NOW
        )
        return "begun" if free else "refused"

    results = at_once(WORKERS, act)
    # All of them thought that the order was free; the constraint lets one through.
    assert results[0] == "begun"
    assert sum("one_rearrangement_under_way_per_order" in text for text in results) == WORKERS - 1


def number_of(order: Order) -> int:
    return ReservationDocument.objects.get(order=order).pk


def test_adjusting_and_replacing_at_once_does_one_of_them() -> None:
    orders = reserved_orders(WORKERS, reserved=1)

    def replace(order: Order) -> str:
        item = OrderItem.objects.select_related("order").get(order=order)
        holder = f"replace:{threading.get_ident()}"
        try:
            replacing._begin(
                item,
                "CUP",
                D(2),
                unit_price=None,
                holder=holder,
                actor=MIA,
                reason="race",
                now=NOW,
            )
        except CannotRemedy:
            return "refused"
        return "begun"

    def adjust_half(order: Order) -> str:
        document = ReservationDocument.objects.select_related("order").get(
            order=order, state=DocumentState.COUNTED
        )
        half = [Keep("web", "MUG", D(1), D("0.5"), "web")]
        holder = f"adjust:{threading.get_ident()}"
        try:
            verbs._begin(document, half, holder=holder, actor=MIA, reason="race", now=NOW)
        except CannotRemedy:
            return "refused"
        return "begun"

    results = at_once(2 * WORKERS, lambda n: (replace if n % 2 else adjust_half)(orders[n // 2]))
    assert results == ["begun"] * WORKERS + ["refused"] * WORKERS
    assert [len(active(order)) for order in orders] == [1] * WORKERS
    assert list(integrity_check.check()) == []


def test_adjusting_and_giving_back_at_once_does_one_of_them() -> None:
    orders = reserved_orders(WORKERS)
    documents = {order.pk: number_of(order) for order in orders}

    def give_back(order: Order) -> str:
        document = ReservationDocument.objects.select_related("order").get(pk=documents[order.pk])
        held = {("web", "MUG"): D(3)}
        try:
            give_back_document._write_down(document, held, actor=MIA, reason="race", now=NOW)
        except CannotAdjust:
            return "refused"
        return "given back"

    def adjust(order: Order) -> str:
        document = ReservationDocument.objects.select_related("order").get(pk=documents[order.pk])
        holder = f"adjust:{threading.get_ident()}"
        try:
            verbs._begin(document, keeps(2), holder=holder, actor=MIA, reason="race", now=NOW)
        except CannotRemedy:
            return "refused"
        return "begun"

    results = at_once(2 * WORKERS, lambda n: (give_back if n % 2 else adjust)(orders[n // 2]))
    assert results.count("refused") == WORKERS
    for order in orders:
        (reserved,) = OrderItem.objects.filter(order=order).values_list(
            "reserved_quantity", flat=True
        )
        begun = Adjustment.objects.filter(order=order).exists()
        assert reserved == (3 if begun else 0)
    assert list(integrity_check.check()) == []


def answered(order: Order, holder: str) -> Adjustment:
    """An adjustment with a document that OCI answered in full; `holder` is about to count it."""
    begin(order)
    ReservationDocument.objects.filter(order=order, purpose=Purpose.ADJUSTMENT).update(
        state=DocumentState.ANSWERED,
        sends=1,
        held=[{"place": "group", "id": "web", "sku": "MUG", "quantity": 2}],
    )
    Order.objects.filter(pk=order.pk).update(claim=holder, claimed_until=NOW + MINUTE)
    return Adjustment.objects.get(order=order)


def complete(mine: Adjustment, holder: str) -> str:
    return "won" if swap._complete(verbs.SWAP, mine, holder=holder, now=NOW) else "lost"


def test_counting_and_cancelling_at_once_leave_nothing_half_done() -> None:
    orders = reserved_orders(WORKERS)
    mine = {order.pk: answered(order, "slow") for order in orders}

    def cancel(order: Order) -> str:
        cancellation.request_cancellation(order_id=order.pk, actor=MIA, reason="race", now=NOW)
        return "cancelled"

    results = at_once(
        2 * WORKERS,
        lambda n: cancel(orders[n // 2]) if n % 2 else complete(mine[orders[n // 2].pk], "slow"),
    )
    assert results.count("cancelled") == WORKERS
    assert results.count("won") + results.count("lost") == WORKERS
    for order in orders:
        order.refresh_from_db()
        assert order.status == "cancelling"
        done = Adjustment.objects.get(order=order).state == "done"
        states = ReservationDocument.objects.filter(order=order).order_by("generation")
        expected = ["cancelling", "counted"] if done else ["counted", "answered"]
        assert list(states.values_list("state", flat=True)) == expected
        assert OrderItem.objects.get(order=order).reserved_quantity == (2 if done else 3)


def test_two_who_count_the_same_answer_count_it_once() -> None:
    orders = reserved_orders(WORKERS)
    mine = {order.pk: answered(order, "slow") for order in orders}
    results = at_once(2 * WORKERS, lambda n: complete(mine[orders[n // 2].pk], "slow"))
    assert results == ["lost"] * WORKERS + ["won"] * WORKERS
    for order in orders:
        assert OrderItem.objects.get(order=order).reserved_quantity == 2
        assert order.events.filter(kind="rearranged").count() == 1
    assert list(integrity_check.check()) == []


def test_control_counting_without_the_claim_counts_it_twice() -> None:
    (order,) = reserved_orders(1)
    mine = answered(order, "slow")
    looked = barrier(WORKERS)

    def unguarded(_number: int) -> str:
        item = OrderItem.objects.get(order=order)
        looked.wait()
        with transaction.atomic():
            OrderItem.objects.filter(pk=item.pk).update(
                reserved_quantity=item.reserved_quantity - 1
            )
            swaps.record(
                adjustments.KIND,
                mine,
                EventKind.ADJUSTMENT_DONE,
                reason="race",
                now=NOW,
            )
        return "won"

    assert at_once(WORKERS, unguarded) == ["won"] * WORKERS
    assert order.events.filter(kind="rearranged").count() == WORKERS


def test_exporting_and_adjusting_at_once_does_one_of_them() -> None:
    orders = reserved_orders(WORKERS)

    def export(order: Order) -> str:
        try:
            change_export_status(order_id=order.pk, to=ExportStatus.EXPORTED, actor=MIA, now=NOW)
        except OrderRefused:
            return "refused"
        return "exported"

    results = at_once(2 * WORKERS, lambda n: (export if n % 2 else begin)(orders[n // 2]))
    assert results.count("refused") == WORKERS
    for order in orders:
        order.refresh_from_db()
        assert (order.export_status == "exported") != order.adjustments.exists()
    assert list(integrity_check.check()) == []


def test_what_is_kept_is_never_more_than_there_is() -> None:
    orders = reserved_orders(WORKERS)
    know_stock({"MUG": 5}, at=START + 2 * MINUTE)
    results = at_once(WORKERS, lambda n: begin(orders[n]))
    assert results == ["begun"] * 2 + ["refused"] * (WORKERS - 2)
    record = ledger.get_ato("web", "MUG")
    assert record is not None
    assert (record.ato, record.held) == (D(1), D(4))
    assert list(integrity_check.check()) == []

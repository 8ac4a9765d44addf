"""Remedies against each other and against reruns, on PostgreSQL; each guard has a control."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from orders import open_remedies, outcomes, short_items
from orders.actors import job
from orders.errors import CannotRemedy
from orders.models import (
    Hold,
    InventoryRecord,
    Order,
    OrderEvent,
    OrderItem,
    Replacement,
)
from orders.models.replacements import OPEN_REPLACEMENT
from reconciliation import reservation
from reconciliation.maintenance import integrity_check
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.remedies import replace
from reconciliation.reservation import documents
from tests.concurrency.answered import answered_orders
from tests.concurrency.together import at_once, barrier
from tests.engine import MIA, D
from tests.factories import START, make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
WORKERS = 8
JOB = job("race")


def short_orders(count: int, *, cups: int = 1000) -> list[Order]:
    """Orders of 3 MUG, of which OCI has reserved 1, as a run leaves them."""
    site = make_site(stock={"MUG": 1000, "CUP": cups, "JUG": 1000})
    return answered_orders(site, count, reserved=1)


def begin(order: Order, sku: str = "CUP") -> str:
    item = OrderItem.objects.select_related("order").get(order=order, replaces=None)
    try:
        replace._begin(
            item,
            sku,
            D(2),
            unit_price=None,
            holder=f"replace:{sku}:{threading.get_ident()}",
            actor=MIA,
            reason="race",
            now=NOW,
        )
    except CannotRemedy:
        return "refused"
    return "begun"


def rerun(order: Order) -> str:
    """What a worker does before its first call."""
    if not outcomes.take_claim(order_id=order.pk, holder="run", until=NOW + MINUTE, now=NOW):
        return "refused"
    found = reservation.prepare(order_id=order.pk, holder="run", purpose=Purpose.SHORTFALL)
    return "begun" if found else "refused"


def active(order: Order) -> list[str]:
    documents = ReservationDocument.objects.filter(order=order, state=DocumentState.PREPARED)
    return list(documents.values_list("purpose", flat=True))


def test_of_many_who_replace_one_does() -> None:
    (order,) = short_orders(1)
    results = at_once(WORKERS, lambda n: begin(order, "CUP" if n % 2 else "JUG"))
    assert results == ["begun"] + ["refused"] * (WORKERS - 1)
    assert active(order) == ["replace"]
    assert Replacement.objects.get().state == "reserving"
    assert Hold.objects.filter(order=order, state="waiting").count() == 1
    assert sum(r.ato for r in InventoryRecord.objects.all()) == 3000 - 3 - 2
    assert list(integrity_check.check()) == []


def test_replacing_and_rerunning_at_once_asks_for_one_of_them() -> None:
    orders = short_orders(WORKERS)
    results = at_once(2 * WORKERS, lambda n: (rerun if n % 2 else begin)(orders[n // 2]))
    assert results == ["begun"] * WORKERS + ["refused"] * WORKERS
    assert [len(active(order)) for order in orders] == [1] * WORKERS
    assert list(integrity_check.check()) == []


def test_control_looking_first_without_the_claim_asks_for_both() -> None:
    orders = short_orders(WORKERS)
    looked = barrier(2 * WORKERS)

    def act(number: int) -> str:
        order = Order.objects.get(pk=orders[number // 2].pk)
        free = not active(order) and not order.replacements.filter(OPEN_REPLACEMENT).exists()
        looked.wait()
        purpose = Purpose.REPLACEMENT if number % 2 else Purpose.SHORTFALL
        lines = documents._missing_lines(order)
        documents._write_down(order, [lines], generation=1 + number % 2, purpose=purpose)
        return "begun" if free else "refused"

    assert at_once(2 * WORKERS, act) == ["begun"] * 2 * WORKERS
    assert [sorted(active(order)) for order in orders] == [["replace", "shortfall"]] * WORKERS


def test_correcting_marks_while_remedies_begin_takes_none_off() -> None:
    orders = short_orders(WORKERS)

    def act(number: int) -> str:
        if number % 2:
            return begin(orders[number // 2])
        return f"{open_remedies.correct()} corrected"

    results = at_once(2 * WORKERS, act)
    assert results == ["0 corrected"] * WORKERS + ["begun"] * WORKERS
    assert set(Order.objects.values_list("open_remedy", flat=True)) == {"replacement"}
    assert list(integrity_check.check()) == []


def test_control_correcting_what_was_seen_without_the_lock_takes_a_mark_off() -> None:
    (order,) = short_orders(1)
    looked, begun = barrier(2), barrier(2)

    def act(number: int) -> str:
        if number:
            looked.wait()
            result = begin(order)
            begun.wait()
            return result
        found = set(Replacement.objects.filter(OPEN_REPLACEMENT).values_list("order", flat=True))
        looked.wait()
        begun.wait()
        marked = Order.objects.filter(open_remedy__isnull=False).exclude(pk__in=found)
        return f"{marked.update(open_remedy=None)} corrected"

    assert at_once(2, act) == ["1 corrected", "begun"]
    assert [one.promise for one in integrity_check.check()] == [2]


def test_cancelling_short_items_and_counting_a_rerun_never_do_both() -> None:
    orders = short_orders(WORKERS)
    items = {order.pk: OrderItem.objects.get(order=order) for order in orders}
    for order in orders:
        # The claim has ended, and its holder still lives.
        outcomes.take_claim(order_id=order.pk, holder="slow", until=NOW, now=START)

    def cancel(order: Order) -> str:
        try:
            short_items.cancel_short(
                order_id=order.pk,
                units={items[order.pk].pk: D(2)},
                actor=MIA,
                reason="race",
                now=NOW,
            )
        except CannotRemedy:
            return "lost"
        return "won"

    def count(order: Order) -> str:
        added = outcomes.add_reserved(
            order_id=order.pk,
            holder="slow",
            added={items[order.pk].pk: D(2)},
            actor=JOB,
            reason="OCI answered.",
            now=NOW,
        )
        return "won" if added else "lost"

    results = at_once(2 * WORKERS, lambda n: (cancel if n % 2 else count)(orders[n // 2]))
    assert results == ["lost"] * WORKERS + ["won"] * WORKERS
    for order in orders:
        order.refresh_from_db()
        item = OrderItem.objects.get(order=order)
        assert (item.reserved_quantity, item.cancelled_quantity, order.resolution) in (
            (D(3), D(0), "reserved_again"),
            (D(1), D(2), "short_cancelled"),
        )
        last = OrderEvent.objects.filter(order=order).latest("pk")
        assert last.kind == ("resolved" if item.reserved_quantity == 3 else "items_cancelled")


def test_control_without_the_claim_a_count_comes_behind_the_cancellation() -> None:
    orders = short_orders(WORKERS)
    looked = barrier(WORKERS)

    def unguarded(number: int) -> str:
        order, item = orders[number], OrderItem.objects.get(order=orders[number])
        looked.wait()
        short_items.cancel_short(
            order_id=order.pk, units={item.pk: D(2)}, actor=MIA, reason="race", now=NOW
        )
        # By the values read before, whichever process has the order now.
        Order.objects.filter(pk=order.pk).update(
            reservation_state=outcomes.state_of({item.pk: item.quantity}, {item.pk: D(3)})
        )
        return Order.objects.get(pk=order.pk).reservation_state

    assert at_once(WORKERS, unguarded) == ["COMPLETELY_RESERVED"] * WORKERS

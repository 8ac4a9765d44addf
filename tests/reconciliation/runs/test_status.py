"""The summary that home, /status and the alerts share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders.models import InventoryList, Order, OrderItem, OrderStatus, Site
from reconciliation import connection
from reconciliation.models import Batch, EntryState, Run, RunEntry
from reconciliation.runs.status import Waiting, sum_up, summary

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def order(site: str, no: str, units: list[str], **values: Any) -> Order:
    stock = InventoryList.objects.get_or_create(pk="stock")[0]
    owner = Site.objects.get_or_create(pk=site, defaults={"inventory_list": stock})[0]
    fields: dict[str, Any] = {
        "status": OrderStatus.NEW,
        "captured_at": NOW,
        "currency": "EUR",
        "order_total": Decimal("10.25"),
        "payload_hash": "x",
    }
    made = Order.objects.create(site=owner, order_no=no, **{**fields, **values})
    for position, quantity in enumerate(units):
        OrderItem.objects.create(
            order=made,
            position=position,
            item_id=str(position),
            sku="SKU",
            inventory_list=stock,
            quantity=Decimal(quantity),
        )
    return made


def test_an_empty_database_has_a_summary(django_assert_max_num_queries: Any) -> None:
    connection.current()
    with django_assert_max_num_queries(7):
        status = summary()
    assert (status.connection, status.cause, status.outage) == ("ONLINE", "", None)
    assert status.waiting == Waiting()
    assert (status.review, status.oversold, status.last_run, status.offline_since) == (
        0,
        0,
        None,
        None,
    )


def test_units_that_are_kept_with_orders_are_summed_up_without_the_items(
    django_assert_num_queries: Any,
) -> None:
    for number in range(3):
        order("a", str(number), ["1.5", "2"])
    Order.objects.update(units=Decimal("3.5"))
    waiting = Order.objects.waiting()
    with django_assert_num_queries(1):
        assert sum_up(waiting).units == Decimal("10.5")
    order("a", "of an earlier version", ["4"])
    with django_assert_num_queries(2):
        assert sum_up(waiting).units == Decimal("14.5")


def test_it_counts_what_waits_and_what_needs_a_person(django_assert_max_num_queries: Any) -> None:
    order("a", "1", ["1.5", "2"])
    order("a", "2", ["1"], currency="USD", captured_at=NOW - timedelta(hours=1))
    order("b", "3", ["4"])
    order("a", "4", ["100"], needs_review_since=NOW)
    order("a", "5", ["100"], reservation_state="PARTIALLY_RESERVED")
    order("b", "6", ["100"], reservation_state="NOTHING_RESERVED")
    order("b", "7", ["1"], reservation_state="NOTHING_RESERVED", resolution="cancelled")
    order("a", "8", ["100"], reservation_state="COMPLETELY_RESERVED")
    order("a", "9", ["100"], status=OrderStatus.CANCELLED)
    connection.current()
    with django_assert_max_num_queries(8):
        status = summary()
    assert status.waiting == Waiting(
        orders=3,
        units=Decimal("8.5"),
        value={"EUR": Decimal("20.5"), "USD": Decimal("10.25")},
        oldest_captured_at=NOW - timedelta(hours=1),
    )
    assert (status.review, status.oversold) == (1, 2)
    of_b = summary(sites=["b"])
    assert (of_b.waiting.orders, of_b.waiting.units) == (1, Decimal(4))
    assert (of_b.review, of_b.oversold) == (0, 1)


def test_the_last_run_comes_with_its_counts() -> None:
    states = [EntryState.COMPLETE, EntryState.COMPLETE, EntryState.PARTIAL, EntryState.PENDING]
    made = Run.objects.create(trigger="recovery", actor="monitor", created_at=NOW)
    batch = Batch.objects.create(run=made, lane=0, sequence=0)
    for number, state in enumerate(states):
        RunEntry.objects.create(
            run=made,
            batch=batch,
            order=order("a", str(number), ["1"]),
            position=number,
            state=state,
        )
    last = summary().last_run
    assert last is not None
    assert last.run == made
    assert last.counts == {EntryState.COMPLETE: 2, EntryState.PARTIAL: 1, EntryState.PENDING: 1}
    assert (last.total, last.done, last.short) == (4, 3, 1)


def test_an_outage_is_told_with_its_beginning() -> None:
    connection.current()
    connection.note_good(NOW - timedelta(seconds=5))
    for second in range(3):
        now = NOW + timedelta(seconds=second)
        connection.note_sent(now)
        connection.note_failure(sent_at=now, now=now, message="timeout")
    status = summary()
    assert (status.connection, status.cause) == ("OFFLINE", "unreachable")
    assert (status.offline_since, status.since) == (NOW, NOW + timedelta(seconds=2))

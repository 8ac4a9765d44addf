"""`coc_check`: silent while the promises hold, and it names the row that breaks one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F

from orders.fields import quantity
from orders.models import (
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
)
from orders.units import note_open
from reconciliation.maintenance import integrity_check
from reconciliation.maintenance.integrity_check import Broken
from reconciliation.models import ReportDay, ReservationDocument, RunEntry
from reconciliation.reports import names
from tests.engine import D, Engine

pytestmark = pytest.mark.django_db

Plant = Callable[[], object]


def name(order: Order) -> str:
    return f"order shop {order.order_no} (id {order.pk})"


def record_name(sku: str) -> str:
    return f"inventory record web {sku} (id {InventoryRecord.objects.get(sku=sku).pk})"


def of(order_no: str) -> dict[str, str]:
    return {"order__order_no": order_no}


def write_items(order_no: str, sku: str = "", **values: Any) -> None:
    """Write items of an order past everything, but for what is kept of its open units."""
    items = OrderItem.objects.filter(**of(order_no))
    (items.filter(sku=sku) if sku else items).update(**values)
    note_open(items)


def clone_document() -> None:
    """Count the same reservation twice, under an id of its own."""
    document = ReservationDocument.objects.get(**of("done"))
    document.pk, document.generation, document.reservation_id = None, 7, uuid.uuid4()
    document.save()


ORDERS: list[tuple[Plant, str, list[tuple[int, str]]]] = [
    (
        lambda: OrderEvent.objects.filter(**of("live")).exclude(kind="settled").delete(),
        "live",
        [(7, "no event tells of its capture")],
    ),
    (
        lambda: OrderEvent.objects.filter(**of("live"), kind="settled").delete(),
        "live",
        [(7, "its state was cleared and no event tells by whom")],
    ),
    (
        lambda: OrderEvent.objects.filter(**of("waits")).update(kind="captured"),
        "waits",
        [(1, "captured offline, and no event has told the reports")],
    ),
    (
        lambda: write_items("nothing", reserved_quantity=1),
        "nothing",
        [
            (2, "its items and its reservation documents hold different units"),
            (1, "its items say PARTIALLY_RESERVED"),
        ],
    ),
    (
        lambda: ReservationDocument.objects.filter(**of("partial")).update(held=[]),
        "partial",
        [(2, "its items and its reservation documents hold different units")],
    ),
    (
        lambda: ReservationDocument.objects.filter(**of("live")).update(
            held=[{"place": "group", "id": "outlet", "sku": "MUG", "quantity": 1}]
        ),
        "live",
        [(2, "its items and its reservation documents hold different units")],
    ),
    (
        lambda: ReservationDocument.objects.filter(**of("live")).update(
            reservation_id=uuid.UUID(int=5)
        ),
        "live",
        [(2, f"reservation {uuid.UUID(int=5)} is not its own")],
    ),
    (
        lambda: Order.objects.filter(order_no="partial").update(
            reservation_state="COMPLETELY_RESERVED"
        ),
        "partial",
        [(1, "its items say PARTIALLY_RESERVED")],
    ),
    (
        lambda: Order.objects.filter(order_no="done").update(export_status="not_exported"),
        "done",
        [(1, "settled, and not ready for order management")],
    ),
    (
        lambda: OrderItem.objects.filter(**of("partial"), sku="CUP").update(open_short=None),
        "partial",
        [(1, "its items keep other open units than they have")],
    ),
    (
        lambda: Order.objects.filter(order_no="partial").update(open_units=quantity(9)),
        "partial",
        [(1, "it keeps other sums than its open items have")],
    ),
    (
        lambda: Order.objects.filter(order_no="nothing").update(open_value=0.0),
        "nothing",
        [(1, "it keeps other sums than its open items have")],
    ),
    (
        lambda: Hold.objects.filter(**of("done")).update(state="waiting"),
        "done",
        [(3, "settled, and 2.000 wait for an answer")],
    ),
    (
        lambda: write_items("partial", sku="CUP", cancelled_quantity=quantity(1)),
        "partial",
        [(1, "nothing of it is open, and it is not settled")],
    ),
    (
        lambda: Order.objects.filter(order_no="partial").update(resolution="short_cancelled"),
        "partial",
        [(1, "settled as short_cancelled, and something is open")],
    ),
    (
        lambda: (
            OrderItem.objects.filter(**of("nothing")).update(replaced_quantity=quantity(2))
            and Order.objects.filter(order_no="nothing").update(resolution="replaced")
        ),
        "nothing",
        [(1, "2.000 of CUP replaced, by 0")],
    ),
    (
        lambda: Order.objects.filter(order_no="nothing").update(short_at=None),
        "nothing",
        [(1, "short, and not marked for the oversold report")],
    ),
    (
        lambda: Hold.objects.filter(**of("waits")).update(state="answered"),
        "waits",
        [(3, "it waits, and does not hold what it asks for")],
    ),
    (
        lambda: OrderItem.objects.filter(**of("waits")).update(quantity=1),
        "waits",
        [
            (1, "it has 2.000 units, its items 1.000"),
            (3, "it waits, and does not hold what it asks for"),
            (1, "quantity of item item-0 is 1, its payload says 2"),
        ],
    ),
]


@pytest.mark.in_turn(2)
@pytest.mark.parametrize(("plant", "order_no", "found"), ORDERS)
def test_it_names_the_order(
    orders: dict[str, Order], plant: Plant, order_no: str, found: list[tuple[int, str]]
) -> None:
    plant()
    broken = [b for b in integrity_check.check() if b.promise != 6]
    assert broken == [Broken(number, name(orders[order_no]), text) for number, text in found]


def test_an_order_without_items(orders: dict[str, Order]) -> None:
    OrderItem.objects.filter(**of("live")).delete()
    assert list(integrity_check.check()) == [
        Broken(
            2, name(orders["live"]), "its items and its reservation documents hold different units"
        ),
        Broken(1, name(orders["live"]), "it has no items"),
    ]


def test_a_reservation_that_is_counted_twice(orders: dict[str, Order]) -> None:
    clone_document()
    copied = ReservationDocument.objects.get(generation=7).reservation_id
    assert list(integrity_check.check()) == [
        Broken(
            2, name(orders["done"]), "its items and its reservation documents hold different units"
        ),
        Broken(2, name(orders["done"]), f"reservation {copied} is not its own"),
    ]


def test_a_missing_order_with_reserved_items(orders: dict[str, Order]) -> None:
    OrderItem.objects.filter(**of("waits")).update(reserved_quantity=1)
    assert list(integrity_check.check()) == [
        Broken(
            2, name(orders["waits"]), "its items and its reservation documents hold different units"
        ),
        Broken(1, name(orders["waits"]), "Reservation Missing, and items are reserved"),
    ]


@pytest.mark.parametrize("state", ["prepared", "answered", "counted"])
def test_a_cancelled_order_that_oci_may_hold_something_for(
    orders: dict[str, Order], state: str
) -> None:
    document = ReservationDocument.objects.get(**of("gone"))
    ReservationDocument.objects.filter(pk=document.pk).update(state=state)
    text = f"over, and reservation {document.reservation_id} may be held"
    assert list(integrity_check.check()) == [Broken(2, name(orders["gone"]), text)]


def test_a_cancelled_order_that_still_holds(orders: dict[str, Order]) -> None:
    hold = Hold.objects.get(**of("gone"))
    Hold.objects.filter(pk=hold.pk).update(state="answered")
    assert list(integrity_check.check()) == [
        Broken(3, record_name("MUG"), "4.000 held, its holds add up to 5.000"),
        Broken(3, name(orders["gone"]), "over, and still holds 1.000"),
    ]


def test_a_ledger_whose_movements_do_not_add_up(orders: dict[str, Order]) -> None:
    movement = Movement.objects.filter(record__sku="CUP", reason="captured")[0]
    Movement.objects.filter(pk=movement.pk).update(
        ato_change=F("ato_change") - quantity(Decimal("0.5")),
        held_change=F("held_change") + quantity(Decimal("0.25")),
    )
    cup = InventoryRecord.objects.get(sku="CUP")
    assert list(integrity_check.check()) == [
        Broken(
            3, record_name("CUP"), f"ATO is {cup.ato}, its movements add up to {cup.ato - D(0.5)}"
        ),
        Broken(3, record_name("CUP"), "5.000 held, its movements add up to 5.250"),
    ]


def test_a_record_that_was_written_past_the_ledger(orders: dict[str, Order]) -> None:
    InventoryRecord.objects.filter(sku="CUP").update(held=6, ato=94)
    assert list(integrity_check.check()) == [
        Broken(3, record_name("CUP"), "ATO is 94.000, its movements add up to 95.000"),
        Broken(3, record_name("CUP"), "6.000 held, its movements add up to 5.000"),
        Broken(3, record_name("CUP"), "6.000 held, its holds add up to 5.000"),
    ]


def test_an_order_that_is_pending_in_a_run_that_has_ended(orders: dict[str, Order]) -> None:
    entry = RunEntry.objects.get(**of("nothing"))
    RunEntry.objects.filter(pk=entry.pk).update(state="pending")
    text = f"pending in run {entry.run_id}, which has ended"
    assert list(integrity_check.check()) == [Broken(5, name(orders["nothing"]), text)]


@pytest.mark.parametrize(
    ("spoil", "fault", "vanished"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file or directory", []),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is not what was written", []),
        (
            # Nobody can tell a changed number from that of an order that is gone.
            lambda path: path.write_bytes(path.read_bytes().replace(b"waits", b"wakes")),
            "is not what was written",
            ["order shop wakes"],
        ),
    ],
)
def test_a_report_that_is_missing_torn_or_changed(
    orders: dict[str, Order], spoil: Callable[[Path], object], fault: str, vanished: list[str]
) -> None:
    report = ReportDay.objects.get(report_type="offline")
    spoil(names.path_of(report))
    [*others, spoilt] = integrity_check.check()
    assert spoilt == Broken(6, f"report {names.name_of(report)}", fault)
    assert [broken.row for broken in others] == vanished


def test_what_is_seen_once_only_is_a_change_under_way(
    orders: dict[str, Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(
        [[Broken(3, "row", "5, not 6"), Broken(3, "row", "odd")], [Broken(3, "row", "odd")]]
    )
    monkeypatch.setattr(integrity_check, "_records_against_rows", lambda: iter(next(looks)))
    assert list(integrity_check.check()) == [Broken(3, "row", "odd")]


def test_the_command_lists_what_is_broken_and_fails(
    orders: dict[str, Order], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("coc_check")
    assert capsys.readouterr().out == "All promises that can be checked hold.\n"
    Order.objects.filter(order_no="done").update(export_status="not_exported")
    with pytest.raises(SystemExit) as ended:
        call_command("coc_check")
    assert ended.value.code == 1
    assert capsys.readouterr().out == (
        f"promise 1: {name(orders['done'])}: settled, and not ready for order management\n"
        "1 broken.\n"
    )


def test_reading_changes_nothing(orders: dict[str, Order], engine: Engine) -> None:
    before = list(Order.objects.values()), list(InventoryRecord.objects.values())
    engine.clock.go(timedelta(days=1).total_seconds())
    list(integrity_check.check())
    assert before == (list(Order.objects.values()), list(InventoryRecord.objects.values()))

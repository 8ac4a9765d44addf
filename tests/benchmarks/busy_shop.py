"""A shop after years of selling: rows as the product leaves them, made in bulk.

What is random is drawn from a fixed seed. The rows keep the constraints of the database; sums of
the ledger are kept as well, so that pages show figures that fit one another.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db import connection, models

from orders.models import (
    Hold,
    HoldState,
    InventoryList,
    InventoryRecord,
    Movement,
    MovementReason,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.units import note_open
from reconciliation.models import (
    Attempt,
    Batch,
    ConnectionChange,
    Outage,
    ReportDay,
    ReservationDocument,
    Run,
    RunEntry,
)

M = TypeVar("M", bound=models.Model)

SITES = ("NorthShop", "SouthShop", "WestShop")
NOW = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
DAYS = 365
FIRST_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hal", "Ida", "Jon")
LAST_NAMES = ("Reed", "Moss", "Stone", "Field", "Brook", "Lake", "Hill", "Wood", "Marsh", "Dale")
THINGS = ("mug", "cup", "jug", "bowl", "plate", "vase", "tray", "lamp", "clock", "box")
LOOKS = ("white", "blue", "striped", "small", "large", "glazed", "rustic", "red", "dotted", "plain")

# status, reservation state, resolution, needs review, out of a thousand
_KINDS = (
    (880, ("new", "COMPLETELY_RESERVED", "", False)),
    (20, ("new", "RESERVATION_MISSING", "", False)),
    (25, ("new", "PARTIALLY_RESERVED", "", False)),
    (15, ("new", "NOTHING_RESERVED", "", False)),
    (15, ("new", "PARTIALLY_RESERVED", "settled_outside", False)),
    (2, ("new", "RESERVATION_MISSING", "", True)),
    (33, ("cancelled", "COMPLETELY_RESERVED", "cancelled", False)),
    (10, ("failed", "RESERVATION_MISSING", "", False)),
)


def fill(*, orders: int, skus: int, seed: int = 1) -> None:
    """Add `orders` orders over a year in three sites that sell from one list of `skus` SKUs."""
    rng = random.Random(seed)
    sites = _sites()
    records = _records(sites[0].inventory_list, skus, rng)
    outages = _outages(max(2, min(60, orders // 100)))
    runs = _runs(outages, rng)
    made = _add(Order, (_order(number, orders, sites, rng) for number in range(orders)))
    items = _add(OrderItem, (item for order in made for item in _items(order, records, rng)))
    note_open(OrderItem.objects.filter(open_short__isnull=False))
    _add(OrderPayload, (OrderPayload(order=order, body='{"orderNo":"?"}') for order in made))
    _add(OrderEvent, (event for order in made for event in _events(order)))
    holds = _add(Hold, (_hold(item, records) for item in _held(made, items)))
    _add(Movement, (move for hold in holds for move in _movements(hold)))
    documents = _add(ReservationDocument, (_document(order, rng) for order in made))
    _reconciliations(runs, made, documents)
    _report_days(sites, made)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _add(model: type[M], rows: Iterator[M]) -> list[M]:
    """Insert `rows`, two thousand at a time; returns them with their keys."""
    made: list[M] = []
    part: list[M] = []
    for row in rows:
        part.append(row)
        if len(part) == 2_000:
            made += model._default_manager.bulk_create(part)
            part = []
    return made + model._default_manager.bulk_create(part)


def _sites() -> list[Site]:
    stock, _ = InventoryList.objects.get_or_create(id="central-stock")
    for site_id in SITES:
        Site.objects.get_or_create(id=site_id, defaults={"inventory_list": stock})
    return list(Site.objects.filter(pk__in=SITES).select_related("inventory_list"))


def _records(stock: InventoryList, skus: int, rng: random.Random) -> list[InventoryRecord]:
    if not InventoryRecord.objects.filter(inventory_list=stock).exists():
        rows = []
        for number in range(skus):
            free = Decimal(rng.choice((0, 0, 3, 12, 80, 400)))
            name = f"{rng.choice(LOOKS)} {rng.choice(THINGS)} {number}".capitalize()
            rows.append(
                InventoryRecord(
                    inventory_list=stock,
                    sku=f"SKU-{number:05}",
                    product_name=name,
                    snapshot_ato=free,
                    snapshot_at=NOW - timedelta(minutes=rng.randrange(90)),
                    ato=free,
                )
            )
        _add(InventoryRecord, iter(rows))
    return list(InventoryRecord.objects.filter(inventory_list=stock).order_by("sku"))


def _order(number: int, orders: int, sites: list[Site], rng: random.Random) -> Order:
    status, state, resolution, review = rng.choices(
        [kind for _, kind in _KINDS], [weight for weight, _ in _KINDS]
    )[0]
    at = NOW - timedelta(days=DAYS) * (1 - number / orders)
    name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    missing = state == "RESERVATION_MISSING"
    return Order(
        site=rng.choice(sites),
        order_no=f"{_first_number()}{number:07}",
        status=status,
        reservation_state=state,
        resolution=resolution,
        resolution_at=at + timedelta(hours=5) if resolution else None,
        resolution_by="mia" if resolution else "",
        export_status="not_exported" if missing else "exported",
        captured_offline=state != "COMPLETELY_RESERVED" or rng.random() < 0.1,
        captured_at=at,
        reconciled_at=None if missing else at + timedelta(minutes=20),
        currency="EUR",
        order_total=Decimal(rng.randrange(500, 30_000)) / 100,
        customer={
            "customerName": name,
            "email": f"{name.replace(' ', '.').lower()}{rng.randrange(10_000)}@example.test",
        },
        payload_hash="0" * 64,
        needs_review_since=at + timedelta(minutes=30) if review else None,
        needs_review_reason="OCI refused the place (400)." if review else "",
    )


def _first_number() -> str:
    return "A" if not Order.objects.exists() else "B"


def _items(order: Order, records: list[InventoryRecord], rng: random.Random) -> Iterator[OrderItem]:
    chosen = rng.sample(records, rng.choice((1, 1, 2, 3)))
    for position, record in enumerate(chosen):
        quantity = Decimal(rng.choice((1, 1, 1, 2, 4)))
        reserved = quantity
        if order.reservation_state in ("RESERVATION_MISSING", "NOTHING_RESERVED"):
            reserved = Decimal(0)
        elif order.reservation_state == "PARTIALLY_RESERVED" and position == 0:
            reserved = quantity - 1
        is_short = order.status == "new" and order.reservation_state != "RESERVATION_MISSING"
        yield OrderItem(
            order=order,
            position=position,
            item_id=str(position),
            sku=record.sku,
            product_name=record.product_name,
            inventory_list_id=record.inventory_list_id,
            quantity=quantity,
            reserved_quantity=0 if order.status == "cancelled" else reserved,
            open_short=quantity - reserved if is_short and reserved < quantity else None,
            unit_price=Decimal(rng.randrange(300, 9_000)) / 100,
        )


def _events(order: Order) -> Iterator[OrderEvent]:
    kinds = ["captured_offline" if order.captured_offline else "captured"]
    if order.reservation_state != "RESERVATION_MISSING":
        kinds.append("settled")
    if order.resolution:
        kinds.append("resolved" if order.status == "new" else "cancelled")
    for minutes, kind in enumerate(kinds):
        person = kind in ("resolved", "cancelled")
        yield OrderEvent(
            order=order,
            at=order.captured_at + timedelta(minutes=20 * minutes),
            kind=kind,
            actor_kind="person" if person else "job",
            actor="mia" if person else "reconciliation",
            reason="As the shop's day had it.",
        )


def _held(orders: list[Order], items: list[OrderItem]) -> Iterator[OrderItem]:
    waiting = {
        order.pk
        for order in orders
        if order.status == "new" and order.reservation_state == "RESERVATION_MISSING"
    }
    return (item for item in items if item.order_id in waiting)


def _hold(item: OrderItem, records: list[InventoryRecord]) -> Hold:
    record = next(r for r in (records[int(item.sku[4:])],) if r.sku == item.sku)
    InventoryRecord.objects.filter(pk=record.pk).update(
        snapshot_ato=models.F("snapshot_ato") + item.quantity,
        held=models.F("held") + item.quantity,
    )
    return Hold(
        order_id=item.order_id,
        record=record,
        quantity=item.quantity,
        state=HoldState.WAITING,
    )


def _movements(hold: Hold) -> Iterator[Movement]:
    yield Movement(
        record_id=hold.record_id,
        reason=MovementReason.SNAPSHOT,
        ato_change=hold.quantity,
        at=NOW - timedelta(days=1),
    )
    yield Movement(
        record_id=hold.record_id,
        reason=MovementReason.CAPTURED,
        ato_change=-hold.quantity,
        held_change=hold.quantity,
        hold=hold,
        at=NOW - timedelta(hours=3),
    )


def _document(order: Order, rng: random.Random) -> ReservationDocument:
    return ReservationDocument(
        order=order,
        generation=0,
        reservation_id=uuid.UUID(int=rng.getrandbits(128), version=4),
        body="{}",
        state="prepared" if order.reservation_state == "RESERVATION_MISSING" else "answered",
        sends=1,
        sent_at=order.captured_at,
    )


def _outages(number: int) -> list[Outage]:
    known = Outage.objects.count()
    outages = [
        Outage(
            is_open=False,
            cause="unanswered",
            lost_at=(began := NOW - timedelta(days=DAYS) * (1 - (place + 0.5) / number)),
            detected_at=began + timedelta(seconds=2),
            recovered_at=began + timedelta(minutes=40),
            drained_at=began + timedelta(minutes=50),
        )
        for place in range(number)
    ]
    if known:
        return list(Outage.objects.all())
    made = _add(Outage, iter(outages))
    _add(ConnectionChange, (change for outage in made for change in _changes(outage)))
    return made


def _changes(outage: Outage) -> Iterator[ConnectionChange]:
    steps: tuple[tuple[Any, str, str], ...] = (
        (outage.detected_at, "ONLINE", "OFFLINE"),
        (outage.recovered_at, "OFFLINE", "RECOVERING"),
        (outage.drained_at, "RECOVERING", "ONLINE"),
    )
    for at, old, new in steps:
        yield ConnectionChange(
            at=at, outage=outage, old_state=old, new_state=new, actor="monitor", reason="Probes."
        )


def _runs(outages: list[Outage], rng: random.Random) -> list[Run]:
    rows = []
    for outage in outages:
        for trigger in ("recovery", "retry", "person"):
            at = outage.recovered_at + timedelta(minutes=3 * len(rows) % 30)
            rows.append(
                Run(
                    trigger=trigger,
                    actor="mia" if trigger == "person" else "monitor",
                    state=rng.choice(("completed", "completed_with_shortages", "oci_offline")),
                    created_at=at,
                    started_at=at,
                    finished_at=at + timedelta(seconds=rng.randrange(5, 300)),
                    outage=outage,
                    is_active=False,
                )
            )
    return _add(Run, iter(rows))


def _reconciliations(
    runs: list[Run], orders: list[Order], documents: list[ReservationDocument]
) -> None:
    batches = _add(Batch, (Batch(run=run, lane=0, sequence=0, state="done") for run in runs))
    offline = [
        (order, document)
        for order, document in zip(orders, documents, strict=True)
        if order.captured_offline and order.reservation_state != "RESERVATION_MISSING"
    ]
    _add(
        RunEntry,
        (
            RunEntry(
                run_id=batches[place % len(batches)].run_id,
                batch=batches[place % len(batches)],
                order=order,
                position=place,
                state=order.reservation_state,
                finished_at=order.reconciled_at,
            )
            for place, (order, _) in enumerate(offline)
        ),
    )
    _add(
        Attempt,
        (
            Attempt(
                order=order,
                document=document,
                run_id=batches[place % len(batches)].run_id,
                at=order.reconciled_at,
                outcome=order.reservation_state,
                status=201,
            )
            for place, (order, document) in enumerate(offline)
        ),
    )


def _report_days(sites: list[Site], orders: list[Order]) -> None:
    days: set[tuple[str, date]] = {
        (order.site_id, order.captured_at.date()) for order in orders if order.captured_offline
    }
    ReportDay.objects.bulk_create(
        [
            ReportDay(
                site_id=site_id,
                date=day,
                report_type=kind,
                revision=1,
                order_count=3,
                byte_count=2_000,
                sha256="0" * 64,
                generated_at=NOW,
                needs_merge=False,
            )
            for site_id, day in sorted(days)
            for kind in ("offline", "reserved", "oversold")
        ],
        ignore_conflicts=True,
    )

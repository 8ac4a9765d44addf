"""Why an order went short: the figure it was captured on, the figure now, and who came first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum

from orders.fields import ZERO
from orders.models import InventoryRecord, Movement, MovementReason, Order, OrderItem

_MOST_ITEMS = 3
_MOST_EARLIER = 100
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Earlier:
    """An order captured before, and the units of the SKU that OCI holds for it."""

    order: Order
    units: Decimal


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of one short item.

    `then` is what the shop could still sell of the SKU when the order was captured, its own units
    included; None where the ledger no longer knows. `earlier` are the last three of
    `earlier_number` orders that were served first while this one waited.
    """

    item: OrderItem
    then: Decimal | None
    now: Decimal | None
    now_at: datetime | None
    earlier: Sequence[Earlier]
    earlier_number: int
    earlier_units: Decimal


def causes_of(order: Order, items: Collection[OrderItem]) -> list[Cause]:
    """Return the cause of each short item of `order`, at most three; six queries each."""
    short = [item for item in items if item.open_quantity > 0][:_MOST_ITEMS]
    return [_cause(order, item) for item in short]


def _cause(order: Order, item: OrderItem) -> Cause:
    record = InventoryRecord.objects.filter(
        inventory_list=item.inventory_list_id, sku=item.sku
    ).first()
    mine = None if record is None else _capture_of(order, record)
    if record is None or mine is None:
        return Cause(
            item=item,
            then=None,
            now=record.ato if record is not None and record.is_tracked else None,
            now_at=record.snapshot_at if record is not None else None,
            earlier=(),
            earlier_number=0,
            earlier_units=ZERO,
        )
    before = Movement.objects.filter(record=record, pk__lt=mine.pk)
    earlier = _earlier(order, item, before)
    return Cause(
        item=item,
        then=_figure(record, before, mine),
        now=record.ato if record.is_tracked else None,
        now_at=record.snapshot_at,
        earlier=earlier[:_SHOWN],
        earlier_number=len(earlier),
        earlier_units=sum((one.units for one in earlier), ZERO),
    )


def _figure(record: InventoryRecord, before: QuerySet[Movement], mine: Movement) -> Decimal | None:
    """Return the ATO just before a capture; None once older figures were folded past it."""
    folded = Movement.objects.filter(record=record, pk__gt=mine.pk, reason=MovementReason.FOLDED)
    if not record.is_tracked or folded.exists():
        return None
    figure: Decimal | None = before.aggregate(n=Sum("ato_change"))["n"]
    return figure


def _capture_of(order: Order, record: InventoryRecord) -> Movement | None:
    hold_ids = list(order.holds.filter(record=record).values_list("pk", flat=True))
    found = Movement.objects.filter(
        record=record, hold__in=hold_ids, reason=MovementReason.CAPTURED
    )
    return found.order_by("pk").first() if hold_ids else None


def _earlier(order: Order, item: OrderItem, before: QuerySet[Movement]) -> list[Earlier]:
    """Return the orders that waited when `order` came and got the SKU, the latest first."""
    captured = (
        before.filter(
            reason=MovementReason.CAPTURED,
            hold__order__captured_offline=True,
            hold__order__reconciled_at__gte=order.captured_at,
        )
        .order_by("-pk")
        .values_list("hold__order", flat=True)[:_MOST_EARLIER]
    )
    keys = list(captured)
    held = _held(keys, item)
    orders = Order.objects.in_bulk([pk for pk in keys if held.get(pk)])
    return [Earlier(orders[pk], held[pk]) for pk in keys if pk in orders]


def _held(order_ids: Collection[int], item: OrderItem) -> Mapping[int, Decimal]:
    rows = OrderItem.objects.filter(
        order__in=order_ids, inventory_list=item.inventory_list_id, sku=item.sku
    )
    return dict(rows.order_by().values_list("order").annotate(units=Sum("reserved_quantity")))

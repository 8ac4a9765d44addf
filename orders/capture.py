"""Capturing an order: one transaction that writes the order and takes it off ATO (design 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import compress

from django.db import IntegrityError, transaction
from django.db.models import Sum

from orders import events, ledger
from orders.actors import Actor
from orders.errors import OfflineCapExceeded, OrderNoTaken, UnknownSku
from orders.fields import ZERO
from orders.ledger import Key
from orders.models import (
    EventKind,
    InventoryList,
    InventoryRecord,
    Order,
    OrderItem,
    OrderPayload,
    OrderStatus,
    Site,
    UnknownSkuPolicy,
)
from orders.payload import PlacedOrder, is_same
from orders.payload_items import PlacedItem, Takes
from orders.reasons import say

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Captured:
    """The stored order; `created` is False when it had been captured before."""

    order: Order
    created: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Who may call OCI for an order, until when."""

    holder: str
    until: datetime


def capture_order(
    *,
    placed: PlacedOrder,
    site: Site,
    offline_since: datetime | None,
    offline_reason: str,
    claim: Claim | None,
    actor: Actor,
    now: datetime,
) -> Captured:
    """Store an order and take it off ATO, or refuse it and keep nothing.

    Without a `claim` the order is captured offline, for `offline_reason`; with one it waits for the
    holder's live reservation. `offline_since` is when the outage began, if there is one.
    Raises ShortOnAto, UnknownSku, OrderNoTaken or OfflineCapExceeded.
    """
    existing = find_same(placed=placed, site=site)
    if existing is not None:
        return Captured(existing, created=False)
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                records = ledger.records_of(wanted_by_key(placed))
                takes = [_takes_stock(item, records) for item in placed.items]
                if claim is None:
                    taken = compress(placed.items, takes)
                    check_caps(
                        site=site,
                        units=sum((item.quantity for item in taken), ZERO),
                        value=placed.order_total,
                        offline_since=offline_since,
                        now=now,
                    )
                order = _insert(
                    placed,
                    site=site,
                    takes=takes,
                    records=records,
                    claim=claim,
                    reason=offline_reason,
                    actor=actor,
                    now=now,
                )
                return Captured(order, created=True)
        except ledger.LedgerChanged:
            if attempt == _TRIES - 1:
                raise
        except IntegrityError:
            # The same number was captured meanwhile; whoever committed first has the order.
            existing = find_same(placed=placed, site=site)
            if existing is None:
                raise
            return Captured(existing, created=False)
    raise AssertionError("unreachable")


def find_same(*, placed: PlacedOrder, site: Site) -> Order | None:
    """Return the stored order with this number and content; raises OrderNoTaken if it differs."""
    order = Order.objects.filter(site=site, order_no=placed.order_no).first()
    if order is not None and not is_same(order, payload_hash=placed.payload_hash, body=placed.body):
        raise OrderNoTaken(placed.order_no)
    return order


def wanted_by_key(placed: PlacedOrder) -> dict[Key, Decimal]:
    """Return the units per (inventory list, SKU), several items of one SKU summed.

    With those of lines that take stock only where their list has a figure of the SKU.
    """
    return _summed(item for item in placed.items if item.takes != Takes.NEVER)


def _summed(items: Iterable[PlacedItem]) -> dict[Key, Decimal]:
    wanted: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for item in items:
        wanted[(item.inventory_list_id, item.sku)] += item.quantity
    return dict(wanted)


def _takes_stock(item: PlacedItem, records: Mapping[Key, InventoryRecord]) -> bool:
    """Return whether a line takes stock: a bundle's own and an option only where it is counted.

    A record without a figure is one that we made for an order: the list does not know the SKU.
    """
    if item.takes == Takes.IF_COUNTED:
        record = records.get((item.inventory_list_id, item.sku))
        return record is not None and record.is_tracked
    return item.takes == Takes.ALWAYS


def check_caps(
    *,
    site: Site,
    units: Decimal,
    value: Decimal,
    offline_since: datetime | None,
    now: datetime,
) -> None:
    """Raise OfflineCapExceeded if an order passes what the site allows while selling offline.

    `units` and `value` are the order's. Call inside the transaction that accepts it: captures of a
    site with a cap on the total value queue here, so that two cannot pass it together.
    """
    if site.cap_units_per_order is not None and units > site.cap_units_per_order:
        raise OfflineCapExceeded(
            "unitsPerOrder",
            say("cap_units", units=f"{site.cap_units_per_order.normalize():f}"),
        )
    minutes = site.cap_offline_minutes
    if minutes is not None and offline_since and now - offline_since > timedelta(minutes=minutes):
        raise OfflineCapExceeded("duration", say("cap_minutes", minutes=minutes))
    if site.cap_total_value is not None:
        Site.objects.select_for_update().get(pk=site.pk)
        waiting = Order.objects.waiting().filter(site=site).aggregate(n=Sum("order_total"))["n"]
        if (waiting or ZERO) + value > site.cap_total_value:
            raise OfflineCapExceeded("totalValue", say("cap_value"))


def _insert(
    placed: PlacedOrder,
    *,
    site: Site,
    takes: Sequence[bool],
    records: Mapping[Key, InventoryRecord],
    claim: Claim | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Order:
    wanted = _summed(compress(placed.items, takes))
    records = _known_records(wanted, records, site=site)
    order = Order.objects.create(
        site=site,
        order_no=placed.order_no,
        status=OrderStatus.CREATED if claim else OrderStatus.NEW,
        captured_offline=claim is None,
        captured_at=now,
        creation_date=placed.creation_date,
        currency=placed.currency,
        order_total=placed.order_total,
        customer=placed.customer,
        payload_hash=placed.payload_hash,
        claim=claim.holder if claim else "",
        claimed_until=claim.until if claim else None,
    )
    OrderPayload.objects.create(order=order, body=placed.body)
    _insert_items(order, placed.items, takes)
    events.record(
        order=order,
        kind=EventKind.CAPTURED if claim else EventKind.CAPTURED_OFFLINE,
        actor=actor,
        reason=say("stock_taken") if claim else reason,
        now=now,
    )
    floors = {} if claim else _offline_floors(records)
    ledger.take(order=order, wanted=wanted, records=records, floors=floors, now=now)
    return order


def _insert_items(order: Order, placed: Sequence[PlacedItem], takes: Sequence[bool]) -> None:
    """Write the items: one statement, and one more for each level of parts below them."""
    items: list[OrderItem] = []
    levels: list[int] = []
    for position, (one, takes_stock) in enumerate(zip(placed, takes, strict=True), start=1):
        levels.append(0 if one.parent is None else levels[one.parent] + 1)
        items.append(
            OrderItem(
                order=order,
                position=position,
                item_id=one.item_id,
                sku=one.sku,
                product_name=one.product_name,
                inventory_list_id=one.inventory_list_id,
                kind=one.kind,
                parent=None if one.parent is None else items[one.parent],
                quantity=one.quantity if takes_stock else ZERO,
                stockless_quantity=ZERO if takes_stock else one.quantity,
                unit_price=one.unit_price,
            )
        )
    for level in sorted(set(levels)):
        OrderItem.objects.bulk_create(
            [item for item, its in zip(items, levels, strict=True) if its == level]
        )


def _known_records(
    wanted: Mapping[Key, Decimal], records: Mapping[Key, InventoryRecord], *, site: Site
) -> dict[Key, InventoryRecord]:
    """Return the records of what is `wanted`, with those made for SKUs that nobody knows."""
    unknown = [key for key in sorted(wanted) if key not in records]
    if not unknown:
        return {key: records[key] for key in wanted}
    if site.unknown_sku_policy == UnknownSkuPolicy.REFUSE:
        raise UnknownSku([sku for _, sku in unknown])
    ledger.add_untracked(unknown)
    return ledger.records_of(wanted)


def _offline_floors(records: Mapping[Key, InventoryRecord]) -> dict[Key, Decimal]:
    """Return what must stay of each SKU while selling offline (design 4)."""
    lists = InventoryList.objects.in_bulk(list({key[0] for key in records}))
    return {key: offline_floor(record, lists[key[0]]) for key, record in records.items()}


def offline_floor(record: InventoryRecord, list_: InventoryList) -> Decimal:
    """Return how much of a SKU of `list_` is kept back while selling offline."""
    share = round(record.safety_stock * list_.offline_floor_percent / 100, 3)
    floor: Decimal = max(list_.offline_floor_units, share)
    return floor

"""Previews of remedies for items, stock and OCI, for one order or many; change nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orders import ledger, lifecycle, promises, replacements, short_items
from orders.fields import ZERO
from orders.lifecycle import Action
from orders.models import Hold, Order, OrderItem
from orders.models.inventory import OPEN_HOLDS
from orders.permitted_lists import own_list_refusals
from orders.refusals import (
    answer_not_counted,
    figure_lags,
    has_parts,
    not_enough,
    not_in_list,
    promised_to_older,
    short_itself,
    waited_for,
)
from orders.units import units_of
from reconciliation.remedies.preconditions import uncounted_documents
from reconciliation.reservation import fence


@dataclass(frozen=True, slots=True)
class CancelShortPreview:
    """The effect of cancelling the short items of an order.

    `units` is the argument of `cancel_short`; `refusal` is empty if it is allowed.
    """

    order: Order
    items: Sequence[OrderItem]
    units: Mapping[int, Decimal]
    reserved: Decimal
    refusal: str

    @property
    def short(self) -> Decimal:
        """Units that would be cancelled."""
        return sum(self.units.values(), ZERO)


def preview_cancel_short(orders: Sequence[Order]) -> list[CancelShortPreview]:
    """Return the effect of cancelling the short items of each of `orders`; one query."""
    items = _items_of(orders)
    previews = []
    for order in orders:
        short = [item for item in items[order.pk] if item.open_quantity > 0]
        units = {item.pk: item.open_quantity for item in short}
        refusal = lifecycle.sentence(lifecycle.check(order, Action.CANCEL_SHORT))
        refusal = refusal or short_items.bundle_refusal(items[order.pk], units)
        previews.append(
            CancelShortPreview(
                order=order,
                items=short,
                units=units,
                reserved=units_of(order, items[order.pk]).reserved,
                refusal=refusal,
            )
        )
    return previews


@dataclass(frozen=True, slots=True)
class ReplacePreview:
    """The effect of replacing the open units of one item by `sku`.

    `ato` is the stock left for this item after earlier ones in the same preview; OCI decides.
    `price_difference` is for all units, None without both prices. `lacks_stock`: too little stock
    is the only obstacle.
    """

    item: OrderItem
    sku: str
    product_name: str
    units: Decimal
    ato: Decimal | None
    unit_price: Decimal | None
    price_difference: Decimal | None
    refusal: str
    lacks_stock: bool


def preview_replace(
    items: Sequence[OrderItem], *, sku: str, unit_price: Decimal | None, now: datetime
) -> list[ReplacePreview]:
    """Return the effect of replacing each of `items` (with `order` loaded); at most six queries.

    They are served in the given order, each after the older orders with a promise for the SKU.
    """
    ahead = promises.usable({(item.inventory_list_id, sku) for item in items}, now=now)
    records = ledger.records_of({(item.inventory_list_id, sku) for item in items})
    bundles = replacements.bundles_among(items)
    barred = own_list_refusals(items)
    left = {key: record.ato for key, record in records.items()}
    previews = []
    for item in items:
        key = (item.inventory_list_id, sku)
        record, units = records.get(key), item.open_quantity
        refusal = lifecycle.sentence(lifecycle.check(item.order, Action.REPLACE))
        refusal = refusal or replacements.item_refusal(item, sku=sku, units=units)
        refusal = refusal or barred.get(item.pk, "")
        if not refusal and item.pk in bundles:
            refusal = has_parts(item.sku)
        if not refusal and record is None:
            refusal = not_in_list(*key)
        available = left[key] if record is not None and record.is_tracked else None
        lacks_stock = False
        if not refusal and available is not None:
            promised = promises.before(ahead, item.order, key)
            lacks_stock = available - promised < units
            if available < units:
                refusal = not_enough(sku, available=available, needed=units)
            elif lacks_stock:
                refusal = promised_to_older(sku, units=promised)
            else:
                left[key] -= units
        previews.append(
            ReplacePreview(
                item=item,
                sku=sku,
                product_name=record.product_name if record else "",
                units=units,
                ato=available,
                unit_price=unit_price,
                price_difference=replacements.price_difference(item, unit_price, units),
                refusal=refusal,
                lacks_stock=lacks_stock,
            )
        )
    return previews


def hindrances(order_ids: Collection[int], *, inventory_list_id: str, sku: str) -> dict[int, str]:
    """Return why some orders can't take `sku` as a replacement now, whatever the stock.

    `lifecycle.check` decides whether the order itself is open to a replacement. At most five
    queries.
    """
    if fence.is_waited_for([(inventory_list_id, sku)]):
        return dict.fromkeys(order_ids, waited_for(sku))
    of_sku = {"order__in": order_ids, "inventory_list": inventory_list_id, "sku": sku}
    lagging = Hold.objects.filter(
        order__in=order_ids,
        record__inventory_list=inventory_list_id,
        record__sku=sku,
        state__in=OPEN_HOLDS,
    )
    found = dict.fromkeys(lagging.values_list("order_id", flat=True), figure_lags(sku))
    uncounted = uncounted_documents(order_ids).values_list("order_id", flat=True)
    found |= dict.fromkeys(uncounted, answer_not_counted())
    short = [item.order_id for item in OrderItem.objects.filter(**of_sku) if item.open_quantity > 0]
    found |= dict.fromkeys(short, short_itself(sku))
    return found


def _items_of(orders: Sequence[Order]) -> dict[int, list[OrderItem]]:
    items: dict[int, list[OrderItem]] = defaultdict(list)
    found = OrderItem.objects.filter(order__in=[order.pk for order in orders])
    found = found.select_related("parent")
    for item in found.order_by("order_id", "position"):
        items[item.order_id].append(item)
    return items

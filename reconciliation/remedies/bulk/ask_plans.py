"""The current offer to the customer of each order in a bulk question; changes nothing.

Each line keeps its own offer, the replacement proposed when the orders were chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from orders import refusals
from orders.asks import Offer
from orders.models import Ask, AskAnswer, Order, OrderItem
from reconciliation import remedies
from reconciliation.models import BulkLine


@dataclass(frozen=True, slots=True)
class Offered:
    """The offer to the customer of one order; `closed` says why there is none.

    `difference` is the price change, None if a price is not known.
    """

    offer: Offer | None
    difference: Decimal | None
    closed: str
    why: str


def offer_data(item: OrderItem, *, sku: str, name: str, price: Decimal | None) -> dict[str, Any]:
    """Return an offer in the form stored with a line: the open units of an item as another SKU."""
    return {
        "item": item.pk,
        "units": str(item.open_quantity),
        "sku": sku,
        "name": name,
        "price": None if price is None else str(price),
    }


def judge(
    orders: Sequence[Order],
    lines: Mapping[int, BulkLine],
    items: Mapping[int, Sequence[OrderItem]],
    *,
    now: datetime,
) -> dict[int, Offered]:
    """Return the offer of each order by key; six queries for each SKU on offer."""
    waiting = Ask.objects.filter(order__in=[one.pk for one in orders], answer=AskAnswer.WAITING)
    asked = set(waiting.values_list("order", flat=True))
    found: dict[int, Offered] = {}
    alike: dict[tuple[str, str | None], list[OrderItem]] = defaultdict(list)
    for order in orders:
        kept = lines[order.pk].offer
        item = next((one for one in items[order.pk] if one.pk == kept.get("item")), None)
        if order.pk in asked:
            words = _("This customer has been asked already.")
            found[order.pk] = Offered(None, None, words, "asked")
        elif item is None:
            words = _("No replacement is proposed. Ask on the desk, or promise a date.")
            found[order.pk] = Offered(None, None, words, "no_offer")
        elif item.open_quantity != Decimal(kept["units"]):
            found[order.pk] = Offered(None, None, refusals.moved_on(), "moved_on")
        else:
            item.order = order
            alike[kept["sku"], kept["price"]].append(item)
    for (sku, price), those in alike.items():
        unit_price = None if price is None else Decimal(price)
        for one in remedies.preview_replace(those, sku=sku, unit_price=unit_price, now=now):
            offer = Offer(
                item=one.item,
                sku=sku,
                product_name=one.product_name,
                units=one.units,
                unit_price=unit_price,
            )
            why = "stock" if one.refusal else ""
            found[one.item.order_id] = Offered(offer, one.price_difference, one.refusal, why)
    return found

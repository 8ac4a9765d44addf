"""Asking the customers of many short orders first: one offer an order, written with its message.

The offer of each order is the replacement that is proposed for it. `draft` keeps it beside the
order; previewed, confirmed and carried out it is like any bulk remedy, and the ask is stored in the
transaction that writes its message.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from orders import asks
from orders.actors import Actor
from orders.asks import Offer
from orders.desk import shortages
from orders.errors import CannotRemedy
from orders.models import CustomerMessage, InventoryRecord, Order, OrderItem
from reconciliation import remedies
from reconciliation.decisions import proposals, questions
from reconciliation.decisions.proposals import Remedy
from reconciliation.models import BulkKind, BulkLine, BulkRemedy
from reconciliation.remedies.bulk import ask_plans, execution


def begin(*, user: User, order_ids: Collection[int], now: datetime) -> BulkRemedy:
    """Store a person's selection of orders with an offer for each; nobody is asked yet."""
    made = execution.draft(user=user, kind=BulkKind.ASK, order_ids=order_ids, now=now)
    orders = list(Order.objects.oversold().filter(pk__in=order_ids).select_related("site"))
    short = shortages.shortages_of([order.pk for order in orders])
    found = proposals.propose(orders, short)
    skus = {pk: one.sku for pk, one in found.items() if one.remedy == Remedy.REPLACE}
    items = {
        item.order_id: item
        for item in OrderItem.objects.filter(order__in=skus).select_related("order")
        if item.open_quantity > 0
    }
    records = InventoryRecord.objects.filter(sku__in=set(skus.values()))
    names = {(one.inventory_list_id, one.sku): one.product_name for one in records}
    prices: dict[tuple[str, str, str, str], Decimal | None] = {}
    lines = list(made.lines.filter(order__in=list(items)))
    for line in lines:
        item, sku = items[line.order_id], skus[line.order_id]
        key = (item.order.site_id, item.inventory_list_id, item.order.currency, sku)
        if key not in prices:
            prices[key] = remedies.usual_price(item=item, sku=sku)
        name = names.get((item.inventory_list_id, sku), "")
        line.offer = ask_plans.offer_data(item, sku=sku, name=name, price=prices[key])
    BulkLine.objects.bulk_update(lines, ["offer"], batch_size=200)
    return made


def offer_of(line: BulkLine) -> Offer:
    """Return the offer of a line. Raises CannotRemedy if its item is gone."""
    kept = line.offer
    item = OrderItem.objects.filter(pk=kept.get("item"), order=line.order_id).first()
    if item is None:
        raise CannotRemedy(_("This item does not belong to the order."))
    return Offer(
        item=item,
        sku=kept["sku"],
        product_name=kept["name"],
        units=Decimal(kept["units"]),
        unit_price=None if kept["price"] is None else Decimal(kept["price"]),
    )


def keep_days(lines: Collection[BulkLine], days: int) -> None:
    """Keep with each line how many days its customer has to answer; the caller stores the lines."""
    for line in lines:
        line.offer["days"] = days


def due_of(line: BulkLine, *, now: datetime) -> datetime:
    """Return until when the customer of a line can answer, asked `now`."""
    # A line that was confirmed by the version before has no number of days.
    return questions.due_after(line.offer.get("days", questions.USUAL_DAYS), now=now)


def record(
    line: BulkLine,
    order: Order,
    offer: Offer,
    message: CustomerMessage,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Store the ask of a message just written. Raises CannotRemedy if the customer was asked."""
    asks.record(order, offer, message, due_at=due_of(line, now=now), actor=actor, now=now)

"""Replace one short SKU in many orders: their shortages, and the effect on each.

One remedy replaces one SKU of one list by another at one price, so its orders share a currency.
Orders with other prices, or short of the SKU in several items, are left out with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from orders import lifecycle, refusals
from orders.fields import ZERO
from orders.lifecycle import Action
from orders.models import Order, OrderItem
from reconciliation.models import BulkRemedy
from reconciliation.remedies import previews


@dataclass(frozen=True, slots=True)
class ReplaceChoice:
    """The chosen replacement: a SKU of a list, in orders of one currency, at a unit price.

    The price is None if it is unknown.
    """

    list_id: str
    currency: str
    short_sku: str
    sku: str
    unit_price: Decimal | None

    def put_into(self, bulk: BulkRemedy) -> BulkRemedy:
        """Set the columns of a remedy, in memory only; return it."""
        for name, value in self.columns.items():
            setattr(bulk, name, value)
        return bulk

    @property
    def columns(self) -> dict[str, object]:
        """The columns of a remedy that store the choice."""
        return {
            "inventory_list_id": self.list_id,
            "currency": self.currency,
            "short_sku": self.short_sku,
            "sku": self.sku,
            "unit_price": self.unit_price,
        }


@dataclass(slots=True)
class ShortGroup:
    """The shortage of one SKU of one list in chosen orders of one currency, oldest order first."""

    list_id: str
    currency: str
    sku: str
    items: list[OrderItem] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The product's name in the oldest order."""
        return self.items[0].product_name

    @property
    def orders(self) -> int:
        """How many orders are short of it."""
        return len({item.order_id for item in self.items})

    @property
    def units(self) -> Decimal:
        """Units short in all the orders together."""
        return sum((item.open_quantity for item in self.items), ZERO)

    @property
    def least(self) -> Decimal:
        """The smallest shortage of any order."""
        return min(item.open_quantity for item in self.items)

    def served_by(self, ato: Decimal) -> int:
        """Return how many items `ato` units would cover, the oldest order first."""
        served = 0
        for item in self.items:
            if item.open_quantity <= ato:
                ato -= item.open_quantity
                served += 1
        return served


def chosen_orders(bulk: BulkRemedy, *, site_ids: Collection[str] | None = None) -> QuerySet[Order]:
    """Return the orders of a remedy's draft, of `site_ids` only (None: all)."""
    orders = Order.objects.filter(pk__in=bulk.lines.values("order"))
    return orders if site_ids is None else orders.filter(site__in=site_ids)


def groups_of(bulk: BulkRemedy, *, site_ids: Collection[str] | None = None) -> list[ShortGroup]:
    """Return the shortages of chosen orders that are open to the remedy; one query.

    The SKU that most orders are short of comes first. Only orders of `site_ids` count (None: all).
    """
    orders = chosen_orders(bulk, site_ids=site_ids)
    found: dict[tuple[str, str, str], ShortGroup] = {}
    items = OrderItem.objects.filter(order__in=orders).select_related("order")
    items = items.order_by("order__captured_at", "order", "position")
    for item in items:
        if item.open_quantity <= 0 or lifecycle.check(item.order, Action.REPLACE):
            continue
        key = (item.inventory_list_id, item.order.currency, item.sku)
        found.setdefault(key, ShortGroup(*key)).items.append(item)
    return sorted(found.values(), key=lambda one: (-one.orders, one.list_id, one.currency, one.sku))


@dataclass(frozen=True, slots=True)
class Replacing:
    """The effect of replacing on one order; nothing if it is `closed`."""

    item: OrderItem | None
    difference: Decimal | None  # price difference for all units; None without both prices
    closed: str  # in the reader's language
    why: str = ""  # the same as a code
    already: bool = False
    lacks_stock: bool = False  # no other reason prevents it
    product_name: str = ""  # of the replacement

    @property
    def units(self) -> Decimal:
        """Units that would be replaced, or would be with enough stock."""
        return self.item.open_quantity if self.item is not None else ZERO


def judge(
    bulk: BulkRemedy,
    orders: Sequence[Order],
    items: Mapping[int, Collection[OrderItem]],
    *,
    now: datetime,
) -> dict[int, Replacing]:
    """Return the effect on each of `orders`, served in this sequence.

    Uses a bounded number of queries. An order that needs more than is left is skipped.
    """
    hindered = previews.hindrances(
        [order.pk for order in orders],
        inventory_list_id=bulk.inventory_list_id or "",
        sku=bulk.sku,
    )
    found: dict[int, Replacing] = {}
    free: list[OrderItem] = []
    for order in orders:
        one = _of_order(bulk, order, items[order.pk])
        closed, why = one.closed, one.why
        if not closed and order.pk in hindered:
            closed, why = hindered[order.pk], "hindered"
        if not closed and lifecycle.is_claimed(order, now=now):
            closed, why = refusals.moved_on(), "moved_on"
        if one.item is not None and not closed:
            one.item.order = order
            free.append(one.item)
        found[order.pk] = Replacing(one.item, None, closed, why, already=one.already)
    shown = previews.preview_replace(free, sku=bulk.sku, unit_price=bulk.unit_price, now=now)
    for preview in shown:
        found[preview.item.order_id] = Replacing(
            preview.item,
            preview.price_difference,
            preview.refusal,
            "refused" if preview.refusal else "",
            lacks_stock=preview.lacks_stock,
            product_name=preview.product_name,
        )
    return found


def _of_order(bulk: BulkRemedy, order: Order, items: Collection[OrderItem]) -> Replacing:
    """Return the order's item to replace, or why there is none; no query."""
    meant = [
        item
        for item in items
        if (item.inventory_list_id, item.sku) == (bulk.inventory_list_id, bulk.short_sku)
    ]
    short = [item for item in meant if item.open_quantity > 0]
    words = {"sku": bulk.short_sku, "by": bulk.sku, "currency": order.currency}
    if not short and _stands_in(bulk.sku, meant, items):
        closed = _("%(sku)s was already replaced by %(by)s.") % words
        return Replacing(None, None, closed, "already", already=True)
    if refusal := lifecycle.check(order, Action.REPLACE):
        return Replacing(None, None, refusal.sentence, refusal.code)
    if not short:
        return Replacing(None, None, _("The order is not short of %(sku)s.") % words, "not_short")
    if order.currency != bulk.currency:
        closed = _("Its prices are in %(currency)s. Replace it separately.") % words
        return Replacing(None, None, closed, "currency")
    if len(short) > 1:
        closed = (
            _("Several of its items are short of %(sku)s. Replace them on the page of the order.")
            % words
        )
        return Replacing(None, None, closed, "several")
    return Replacing(short[0], None, "")


def _stands_in(sku: str, replaced: Iterable[OrderItem], items: Collection[OrderItem]) -> bool:
    keys = {item.pk for item in replaced}
    return any(item.sku == sku and item.replaces_id in keys for item in items)

"""The plan of the demo: sites, stock, and orders before, during and after the outage.

It is complete before anything starts and never changes, so that a demo can be repeated.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from coc_admin.demo import catalogue, real_orders
from coc_admin.demo.catalogue import Product


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A site with the list it sells from: a location group, or one location (no members)."""

    id: str
    name: str
    list_id: str
    time_zone: str
    currency: str
    members: tuple[str, ...] = ()
    language: str = "en"  # of the messages to its customers

    @property
    def locations(self) -> tuple[str, ...]:
        """The locations of the stock."""
        return self.members or (self.list_id,)


@dataclass(frozen=True, slots=True)
class Stock:
    """Units of one SKU at one location."""

    location: str
    sku: str
    on_hand: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One order in the shape of the API; without a creation date it gets the time of sending."""

    site_id: str
    payload: Mapping[str, Any]

    def body(self, now: datetime) -> bytes:
        """Return the storefront's request at `now`."""
        dated = {"creationDate": now.isoformat(timespec="milliseconds")} | dict(self.payload)
        return json.dumps(dated, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Sale:
    """Another channel's sale: all free units of a SKU except `leave`."""

    list_id: str
    locations: tuple[str, ...]
    sku: str
    leave: int


@dataclass(slots=True)
class Plan:
    """Everything that will happen."""

    sites: list[DemoSite]
    names: dict[str, str]  # of products, by SKU
    stock: list[Stock]
    before: list[Posting]
    during: list[Posting]
    after: list[Posting]
    sales: list[Sale]
    notes: list[str] = field(default_factory=list)

    def ato(self) -> dict[tuple[str, str], int]:
        """Return the initial units by (list, SKU)."""
        units: Counter[tuple[str, str]] = Counter()
        for site in self.sites:
            for row in self.stock:
                if row.location in site.locations:
                    units[site.list_id, row.sku] += row.on_hand
        return dict(units)

    def stock_file(self) -> dict[str, Any]:
        """Return the simulator's stock file (reconciliation.simulator.stockfile)."""
        return {
            "locations": [place for site in self.sites for place in site.locations],
            "groups": {site.list_id: list(site.members) for site in self.sites if site.members},
            "stock": [
                {"location": row.location, "sku": row.sku, "onHand": row.on_hand}
                for row in self.stock
            ],
        }


US = DemoSite(
    id="shop-us",
    name="Northfield US",
    list_id="shop-us-stock",
    time_zone="America/New_York",
    currency="USD",
    members=("boston", "denver", "oakland"),
)
DE = DemoSite(
    id="shop-de",
    name="Northfield Deutschland",
    list_id="berlin",
    time_zone="Europe/Berlin",
    currency="EUR",
    language="de",
)
HOT_PER_SITE = 4

Basket = list[tuple[Product, int]]


def shop_plan(*, orders: int) -> Plan:
    """Return the plan of two sites; about `orders` orders, half of them during the outage."""
    chance = random.Random(7)  # noqa: S311 - a story, not a secret
    products = catalogue.products()
    hot = chance.sample(products, 2 * HOT_PER_SITE)
    hot_of = {US.id: hot[:HOT_PER_SITE], DE.id: hot[HOT_PER_SITE:]}
    calm = [product for product in products if product not in hot]
    baskets = [(chance.choice((US, DE)), _basket(chance, calm)) for _ in range(orders)]
    rush = [
        (site, lines)
        for site in (US, DE)
        for product in hot_of[site.id]
        for lines in _rush(product, chance.choice(calm))
    ]
    quarter = orders // 4
    during = baskets[quarter : 3 * quarter] + rush
    chance.shuffle(during)
    in_order = [*baskets[:quarter], *during, *baskets[3 * quarter :]]
    postings = [
        Posting(site.id, _payload(number, site, lines))
        for number, (site, lines) in enumerate(in_order, start=1)
    ]
    return Plan(
        sites=[US, DE],
        names={product.sku: product.name for product in products},
        stock=_shop_stock(products, hot, chance),
        before=postings[:quarter],
        during=postings[quarter : quarter + len(during)],
        after=postings[quarter + len(during) :],
        sales=[
            Sale(site.list_id, site.locations, product.sku, leave=2)
            for site in (US, DE)
            for product in hot_of[site.id]
        ],
    )


def _basket(chance: random.Random, products: list[Product]) -> Basket:
    chosen = chance.sample(products, chance.choice((1, 1, 1, 2, 2, 3)))
    return [(product, chance.choice((1, 1, 1, 2))) for product in chosen]


def _rush(hot: Product, other: Product) -> list[Basket]:
    # Orders for seven units of a SKU with two left: the oldest is reserved, the last gets none.
    return [[(hot, 2)], [(hot, 3), (other, 1)], [(hot, 2)]]


def _shop_stock(products: list[Product], hot: list[Product], chance: random.Random) -> list[Stock]:
    rows = []
    for product in products:
        for site in (US, DE):
            units = 18 if product in hot else chance.randint(36, 150)
            share = units // len(site.locations)
            rows += [Stock(location, product.sku, share) for location in site.locations]
    return rows


def _payload(number: int, site: DemoSite, lines: Basket) -> dict[str, Any]:
    # Ten digits, as in many shops.
    order_no = f"{number:010d}"
    return {
        "orderNo": order_no,
        "currency": site.currency,
        "customerInfo": catalogue.customer(number),
        "productItems": [
            {
                "itemId": f"{order_no}-{position}",
                "productId": product.sku,
                "productName": product.name,
                "quantity": quantity,
                "basePrice": float(product.price),
                "price": float(product.price * quantity),
            }
            for position, (product, quantity) in enumerate(lines, start=1)
        ],
        "orderTotal": float(sum(product.price * quantity for product, quantity in lines)),
    }


UK = DemoSite(
    id="retail-uk",
    name="Gift retailer",
    list_id="retail-uk-stock",
    time_zone="Europe/London",
    currency=real_orders.CURRENCY,
    members=("leeds", "bristol"),
)
# Another channel takes what it can of this many SKUs, the best sellers during the outage.
CONTESTED = 40


def replay_plan(path: Path) -> Plan:
    """Return the plan that replays a file of real orders. Raises real_orders.UnreadableFile."""
    found = real_orders.load(path)
    if not found.orders:
        raise real_orders.UnreadableFile(f"{path} holds no order.{_examples(found.refused)}")
    postings = [Posting(UK.id, order) for order in found.orders]
    third = len(postings) // 3
    # A file of few orders has at least one order during the outage.
    end = max(2 * third, third + 1)
    contested = real_orders.demand(found.orders[third:end]).most_common(CONTESTED)
    return Plan(
        sites=[UK],
        names=found.product_names(),
        stock=_stock_for(real_orders.demand(found.orders)),
        before=postings[:third],
        during=postings[third:end],
        after=postings[end:],
        sales=[Sale(UK.list_id, UK.locations, sku, leave=units // 2) for sku, units in contested],
        notes=[
            f"{path.name}: {len(found.orders)} orders",
            f"  {len(found.refused)} orders are refused.{_examples(found.refused)}",
            f"  {len(found.left_out)} lines take no stock.{_examples(found.left_out)}",
        ],
    )


def _examples(refusals: Sequence[real_orders.Refusal]) -> str:
    return "".join(
        f" Line {one.line} (order {one.order_no}): {one.reason}." for one in refusals[:3]
    )


def _stock_for(demand: Mapping[str, int]) -> list[Stock]:
    # Enough for the day and a little more; shortages come from the other channel.
    rows = []
    for sku, units in sorted(demand.items()):
        enough = units + units // 10 + 2
        rows += [Stock("leeds", sku, enough - enough // 3), Stock("bristol", sku, enough // 3)]
    return rows

"""Real orders to replay, from a file of any kind that can be imported (`orders.imports`)."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.gzip_files import DAMAGED, open_file
from orders.imports.order_files import kind_of, read_orders

CURRENCY = "GBP"


class UnreadableFile(Exception):
    """The file can't be read; the message gives the remedy."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that is not replayed, or a line that takes no stock."""

    line: int
    order_no: str
    reason: str


@dataclass(slots=True)
class RealOrders:
    """The orders of a file, in the shape of `POST /api/v1/sites/{siteId}/orders`."""

    orders: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    left_out: list[Refusal] = field(default_factory=list)

    def product_names(self) -> dict[str, str]:
        """Return the last non-empty name of each SKU ("" if there is none)."""
        names: dict[str, str] = {}
        for order in self.orders:
            for item in order["productItems"]:
                sku = item["productId"]
                names[sku] = item.get("productName") or names.get(sku, "")
        return names


def demand(orders: Sequence[dict[str, Any]]) -> Counter[str]:
    """Return the units ordered of each SKU, rounded up."""
    units: Counter[str] = Counter()
    for order in orders:
        for item in order["productItems"]:
            units[item["productId"]] += math.ceil(item["quantity"])
    return units


def load(path: Path) -> RealOrders:
    """Read a file, plain or .gz. Raises UnreadableFile if it is none of orders."""
    found = RealOrders()
    try:
        with open_file(path) as file:
            kind = kind_of(file, name=path.name)
            for order in read_orders(file, kind=kind, columns={}, currency=CURRENCY):
                _add(found, order)
    except OrderFileRefused as refused:
        bad = refused.bad[0]
        raise UnreadableFile(f"{path} cannot be read: line {bad.number}: {bad.message}.") from None
    except DAMAGED:
        raise UnreadableFile(f"{path} cannot be read: the compressed file is damaged.") from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.") from None
    return found


def _add(found: RealOrders, order: FoundOrder) -> None:
    found.left_out += [Refusal(line, order.order_no, why) for line, why in order.left_out]
    payload: dict[str, Any] = json.loads(order.body)
    fault = order.fault or next(filter(None, map(_fault, payload["productItems"])), "")
    if fault:
        found.refused.append(Refusal(order.line, order.order_no, fault))
    else:
        found.orders.append(payload)


def _fault(item: dict[str, Any]) -> str:
    quantity = item.get("quantity")
    is_ordered = isinstance(quantity, int | float) and quantity > 0
    return "" if is_ordered else f"{item.get('productId')}: quantity {quantity}"

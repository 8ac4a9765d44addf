"""Orders with bundles and options: how a storefront writes them, and which stock they must take."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any

from orders.models import Order, OrderItem, Site
from tests.simulation.rows import Broken

# A bundle and an option unknown to every list.
KIT, ENGRAVING = "KIT", "ENGRAVING"
# A SKU unknown to every list, ordered at sites that sell such SKUs (Default In-Stock).
UNTRACKED = "ALWAYS"


def with_untracked(raw: bytes, rng: random.Random) -> bytes:
    """Return the order with an extra line of an untracked SKU."""
    order = json.loads(raw)
    lines = order["productItems"]
    more = {"productId": UNTRACKED, "itemId": "untracked", "quantity": rng.choice((1, 2, 7))}
    return json.dumps(order | {"productItems": [*lines, {**lines[0], **more}]}).encode()


def wrapped(raw: bytes, rng: random.Random) -> bytes:
    """Return the order with its lines in a bundle, in one inside another, or as options."""
    order = json.loads(raw)
    first, *rest = order["productItems"]
    for line in rest:
        del line["itemId"]
    kind = rng.choice(("kit", "own", "nested", "options"))
    if kind == "kit":
        del first["itemId"]
        lines = [_kit([first, *rest])]
    elif kind == "own":
        lines = [{**first, "bundledProductItems": rest}]
    elif kind == "nested":
        del first["itemId"]
        lines = [_kit([_kit([first]), *rest])]
    else:
        engraving = {"productId": ENGRAVING, "optionId": "engraving"}
        lines = [{**first, "optionItems": [*rest, engraving]}]
    return json.dumps(order | {"productItems": lines}).encode()


def _kit(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"productId": KIT, "quantity": 1, "bundledProductItems": parts}


def check(placed: list[tuple[Site, bytes]]) -> None:
    """Raise Broken unless each stored order takes the stock of its document, part by part."""
    for site, raw in placed:
        sent = json.loads(raw)
        order = Order.objects.filter(site=site, order_no=sent["orderNo"]).first()
        if order is None:
            continue
        takes: dict[str, float] = defaultdict(float)
        for item in OrderItem.objects.filter(order=order, replaces=None, quantity__gt=0):
            takes[item.sku] += float(item.quantity)
        wanted = _units(sent["productItems"])
        if takes != wanted:
            raise Broken(f"{order} takes {dict(takes)} and asks for {wanted}")


def _units(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Return the units of all stocked items by SKU, at any depth."""
    units: dict[str, float] = defaultdict(float)
    for line in lines:
        if line["productId"] not in (KIT, ENGRAVING, UNTRACKED):
            units[line["productId"]] += line["quantity"]
        below = line.get("bundledProductItems", []) + line.get("optionItems", [])
        for sku, number in _units(below).items():
            units[sku] += number
    return units

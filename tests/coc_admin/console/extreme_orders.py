"""The poorest orders that the rules allow, and the richest, each in the states that pages show."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from orders import (
    actors,
    cancellation,
    capture,
    ledger,
    outcomes,
    privacy,
    replacements,
    short_items,
)
from orders.ledger import Figure
from orders.models import Order, Site
from orders.payload import MAX_BYTES, MAX_ITEMS, parse_order
from reconciliation.models import AttemptOutcome, Run
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import JOB, NOW
from tests.factories import SHOP

WIDEST = "W&ä–"


def wide(length: int, start: str = "") -> str:
    """Return a text of so many characters, some of which HTML and files must escape."""
    return (start + WIDEST * length)[:length]


def sku(number: int) -> str:
    """Return one of MAX_ITEMS different SKUs of the longest kind."""
    return f"{number:05}{'S' * 245}"


def poor(order_no: str, **members: Any) -> dict[str, Any]:
    """Return an order with nothing that may be left out."""
    items = [{"productId": "MUG-01", "quantity": 2}]
    return {
        "orderNo": order_no,
        "currency": "EUR",
        "productItems": items,
        "orderTotal": 0,
    } | members


def rich(order_no: str, *, number: int = MAX_ITEMS) -> dict[str, Any]:
    """Return an order with everything that may be given, as long and as large as it may be."""
    items = [
        {
            "itemId": f"{index:05}{'i' * 95}",
            "productId": sku(index),
            "productName": wide(500 if index < 20 else 120, f"{index} "),
            "quantity": 999_999.999,
            "basePrice": 999_999_999.9999,
            "price": 999_999_999.9999,
            "inventoryId": "NorthShop-stock",
        }
        for index in range(number)
    ]
    return {
        # What nobody knows is kept in the payload as it came.
        "c_note": ["\ud800", "\x00", {"deep": [[[[{}]]]]}],
        "c_text": wide(2_000),
        "orderNo": wide(50, order_no),
        "creationDate": "2026-02-02T12:00:00.000000+00:00",
        "currency": "EUR",
        "customerInfo": {
            "customerId": wide(100, "id "),
            "customerName": wide(256, "Ada "),
            "email": f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 58}.test",
        },
        "productItems": items,
        "orderTotal": 999_999_999.9999,
    }


# A set that is no stock of its own, with one part, and options without a product or a name.
BUNDLE: dict[str, Any] = {
    "productId": "SET-9",
    "quantity": 2,
    "bundledProductItems": [{"productId": "MUG-01", "quantity": 2}],
    "optionItems": [{}, {"productId": "CUP-02"}],
}
DOCUMENTS: dict[str, Any] = {
    "bare": poor,
    "empty": lambda number: poor(number, customerInfo={}, creationDate=None),
    "id": lambda number: poor(number, customerInfo={"customerId": "C-1"}),
    "name": lambda number: poor(number, customerInfo={"customerName": "Ann Example"}),
    "mail": lambda number: poor(number, customerInfo={"email": "ann@example.test"}),
    "erased": lambda number: poor(number, customerInfo={"customerName": "Gone", "email": "g@o.es"}),
    "bundle": lambda number: poor(number, productItems=[BUNDLE]),
    "rich": rich,
}
STATES = ("short", "waiting", "review", "cancelled", "given up", "replacing")


def place(site: Site, document: dict[str, Any], *, minutes_ago: int) -> Order:
    """Capture an order as it is, offline."""
    raw = json.dumps(document, separators=(",", ":")).encode()
    assert len(raw) <= MAX_BYTES
    at = NOW - timedelta(minutes=minutes_ago)
    return capture.capture_order(
        placed=parse_order(raw, site=site),
        site=site,
        offline_since=at,
        offline_reason="The connection to OCI is offline.",
        claim=None,
        actor=SHOP,
        now=at,
    ).order


def make_orders(site: Site, run: Run) -> dict[tuple[str, str], Order]:
    """Create an order of each of DOCUMENTS that is short; the poorest in each of STATES."""
    return {
        (kind, state): make_order(site, run, kind, state)
        for kind in DOCUMENTS
        for state in (STATES if kind in ("bare", "erased") else STATES[:1])
    }


def make_order(site: Site, run: Run, kind: str, state: str, *, number: int = MAX_ITEMS) -> Order:
    """Create an order and bring it into a state; of the richest, `number` items."""
    named = f"{kind}-{state} "[:50].strip()
    if kind == "rich":
        _stock(number)
        order = place(site, rich(named, number=number), minutes_ago=30)
    else:
        order = place(site, DOCUMENTS[kind](named), minutes_ago=30)
    _bring(order, state, run)
    if kind == "erased":
        privacy.erase(order_ids=[order.pk], actor=JOB, reason="asked for", now=NOW)
    order.refresh_from_db()
    return order


def _stock(number: int) -> None:
    stock = {sku(index): Decimal(10) ** 7 for index in range(number)}
    ledger.apply_snapshot(
        figures=[Figure("NorthShop-stock", name, units) for name, units in stock.items()],
        taken_at=NOW - timedelta(hours=2),
        lag=timedelta(seconds=3),
        now=NOW - timedelta(hours=2),
    )


def _bring(order: Order, state: str, run: Run) -> None:
    mia = actors.person("mia")
    why: dict[str, Any] = {"actor": mia, "reason": "asked for", "now": NOW}
    if state in ("short", "given up", "replacing"):
        units = [int(item.takes_stock) for item in order.items.order_by("position")]
        scene.answer(run, order, *units, outcome=AttemptOutcome.PARTIAL)
    if state == "given up":
        open_items = {item.pk: item.open_quantity for item in order.items.all()}
        short_items.cancel_short(order_id=order.pk, units=open_items, **why)
    if state == "replacing":
        until = NOW + timedelta(minutes=1)
        with transaction.atomic():
            replacements.begin(
                item_id=order.items.get().pk,
                sku="JUG-03",
                units=Decimal(1),
                unit_price=None,
                holder="w",
                until=until,
                **why,
            )
    if state == "review":
        outcomes.put_to_review(
            order_id=order.pk, holder=None, actor=JOB, reason="OCI refused it.", now=NOW
        )
    if state == "cancelled":
        cancellation.request_cancellation(order_id=order.pk, **why)

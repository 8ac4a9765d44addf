"""Whether orders still equal their capture.

Two sources are independent of an order's own columns: the trace that the database wrote when it got
the order (`CaptureTrace`), and the payload as the storefront sent it, verified by its stored hash.
Neither covers items that people added. An order of an earlier release may lack parts of bundles; a
reduced payload has no hash of its own and no customer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef

from orders.errors import PayloadRefused
from orders.models import (
    Adjustment,
    CaptureTrace,
    CustomerMessage,
    Hold,
    ItemKind,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Replacement,
    Site,
)
from orders.payload import PlacedOrder, meaning_hash, parse_order
from orders.payload_items import PlacedItem
from orders.serializers import iso
from reconciliation.models import Attempt, ReservationDocument, RunEntry

# The item is missing or extra; other differences name a column.
MISSING_ITEM = "missing item"
ADDED_ITEM = "added item"

_CHUNK = 500
_BELONGS_TO_ORDER: tuple[Any, ...] = (
    OrderItem,
    OrderPayload,
    OrderEvent,
    Hold,
    Replacement,
    Adjustment,
    CustomerMessage,
    ReservationDocument,
    Attempt,
    RunEntry,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A column that differs from the capture: `now`, and `then` by an independent `source`.

    `item` is the item that has the column, if any. `is_proven`: nothing contradicts the source, so
    the column can be restored without changing anything else.
    """

    column: str
    now: Any
    then: Any
    source: str
    item: OrderItem | None = None
    is_proven: bool = False

    def __str__(self) -> str:
        if self.column == MISSING_ITEM:
            return f"its payload has item {self.then}, which is missing"
        if self.column == ADDED_ITEM:
            return f"item {self.now} is not in its payload"
        of = f"{self.column} of item {self.item.item_id}" if self.item else self.column
        if self.column == "customer":
            return f"its {self.source} names another customer"
        return f"{of} is {shown(self.now)}, its {self.source} says {shown(self.then)}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An order with all evidence of its capture."""

    order: Order
    items: Sequence[OrderItem]
    payload: OrderPayload | None
    trace: CaptureTrace | None

    def payload_fault(self) -> str:
        """Return why the payload is no proof, or ""."""
        if self.payload is None:
            return "its payload is missing"
        try:
            found = meaning_hash(self.payload.body.encode())
        except PayloadRefused:
            return "its payload cannot be read"
        noted = self.order if self.trace is None else self.trace
        if self.payload.reduced_at is None and found != noted.payload_hash:
            return "its payload is not what was sent: the hash differs"
        return ""

    def differences(self) -> list[Difference]:
        """Return the differences from the capture, the order's own columns first."""
        intact = None if self.payload_fault() else self.payload
        placed = None if intact is None else _placed(intact, self.order.site)
        found = list(self._of_trace(placed))
        if placed is not None:
            columns = {one.column for one in found}
            found += [one for one in self._of_payload(placed) if one.column not in columns]
            found += self._of_items(placed)
        return found

    def _is_sealed(self) -> bool:
        """Return whether the hash of the payload proves all of it."""
        return self.payload is not None and self.payload.reduced_at is None

    def _of_trace(self, placed: PlacedOrder | None) -> Iterator[Difference]:
        if self.trace is None:
            return
        by_payload = _columns_of(placed)
        if placed is not None and self._is_sealed():
            by_payload["payload_hash"] = placed.payload_hash
        for column in ("site_id", "order_no", *_RESTORABLE):
            now, then = getattr(self.order, column), getattr(self.trace, column)
            sealed = by_payload.get(column, then) if self._is_sealed() else then
            # The payload is the better evidence for an order older than its trace.
            if now not in (then, sealed):
                is_proven = sealed == then and column in _RESTORABLE
                yield Difference(column, now, then, "capture trace", is_proven=is_proven)

    def _of_payload(self, placed: PlacedOrder) -> Iterator[Difference]:
        then = _columns_of(placed)
        if self._is_sealed() and self.order.customer_erased_at is None:
            then["customer"] = placed.customer
        for column, value in then.items():
            now = getattr(self.order, column)
            if now != value:
                is_proven = self._is_sealed() and column != "order_no"
                yield Difference(column, now, value, "payload", is_proven=is_proven)

    def _of_items(self, placed: PlacedOrder) -> Iterator[Difference]:
        mine = {item.item_id: item for item in self.items if item.replaces_id is None}
        if not mine:
            return
        knows_parts = any(item.kind != ItemKind.PRODUCT for item in mine.values())
        for one in placed.items:
            item = mine.pop(one.item_id, None)
            if item is not None:
                yield from self._of_item(item, one)
            elif one.kind == ItemKind.PRODUCT or knows_parts:
                yield Difference(MISSING_ITEM, None, f"{one.item_id} ({one.sku})", "payload")
        for item in mine.values():
            yield Difference(ADDED_ITEM, f"{item.item_id} ({item.sku})", None, "payload")

    def _of_item(self, item: OrderItem, placed: PlacedItem) -> Iterator[Difference]:
        compared: dict[str, tuple[Any, Any]] = {
            "sku": (item.sku, placed.sku),
            "product_name": (item.product_name, placed.product_name),
            "unit_price": (item.unit_price, placed.unit_price),
        }
        if placed.kind == ItemKind.PRODUCT:
            # A part's quantity depends on rules of its list that people may have changed.
            compared["quantity"] = (item.ordered_quantity, placed.quantity)
        for column, (now, then) in compared.items():
            if now != then:
                is_proven = self._is_sealed() and column in ("product_name", "unit_price")
                yield Difference(column, now, then, "payload", item, is_proven)


def _placed(payload: OrderPayload, site: Site) -> PlacedOrder | None:
    """Return the order that a payload describes; None if today's rules would refuse it."""
    try:
        return parse_order(payload.body.encode(), site=site)
    except PayloadRefused:
        return None


_RESTORABLE = ("captured_at", "currency", "order_total", "payload_hash")


def _columns_of(placed: PlacedOrder | None) -> dict[str, Any]:
    if placed is None:
        return {}
    return {
        "order_no": placed.order_no,
        "currency": placed.currency,
        "order_total": placed.order_total,
        "creation_date": placed.creation_date,
    }


def shown(value: Any) -> str:
    """Return the value of a column as text for people."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if value is None:
        return "nothing"
    return str(iso(value) if hasattr(value, "isoformat") else value or "empty")


def evidence_of(orders: Iterable[Order]) -> list[Evidence]:
    """Return the evidence about these orders; four queries for all, one more for some bundles."""
    rows = list(orders)
    ids = [order.pk for order in rows]
    sites = Site.objects.in_bulk([order.site_id for order in rows])
    items: dict[int, list[OrderItem]] = defaultdict(list)
    for item in OrderItem.objects.filter(order__in=ids).order_by("position"):
        items[item.order_id].append(item)
    payloads = OrderPayload.objects.in_bulk(ids)
    traces = CaptureTrace.objects.in_bulk(ids)
    for order in rows:
        if order.site_id in sites:
            order.site = sites[order.site_id]
    return [
        Evidence(order, items[order.pk], payloads.get(order.pk), traces.get(order.pk))
        for order in rows
    ]


def all_evidence() -> Iterator[Evidence]:
    """Yield the evidence about each order, in constant memory."""
    last = 0
    while orders := list(Order.objects.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        yield from evidence_of(orders)
        last = orders[-1].pk


def vanished_captures() -> Iterator[CaptureTrace]:
    """Yield the traces of orders that have no row under any number."""
    by_number = Order.objects.filter(site=OuterRef("site_id"), order_no=OuterRef("order_no"))
    by_key = Order.objects.filter(pk=OuterRef("pk"))
    lacking = CaptureTrace.objects.filter(~Exists(by_number.order_by()), ~Exists(by_key.order_by()))
    yield from lacking.order_by("pk").iterator()


def left_behind() -> dict[int, dict[str, int]]:
    """Return, by primary keys of missing orders, how many rows each table still has.

    Foreign keys forbid such rows, unless they were switched off.
    """
    left: dict[int, dict[str, int]] = defaultdict(dict)
    there = Order.objects.filter(pk=OuterRef("order_id")).order_by()
    for model in _BELONGS_TO_ORDER:
        rows = model._default_manager.filter(~Exists(there)).order_by()
        for order_id in rows.values_list("order_id", flat=True).iterator():
            table = left[order_id]
            table[model._meta.db_table] = table.get(model._meta.db_table, 0) + 1
    return dict(left)

"""What must be true at every moment, whatever has happened."""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from tests.simulation.world import World


class Broken(AssertionError):
    """A promise is broken; the world's log tells how it came to it."""


_LEDGER = """
SELECT r.sku, r.ato, r.held, COALESCE(m.ato, 0), COALESCE(m.held, 0), COALESCE(h.held, 0)
FROM orders_inventoryrecord r
LEFT JOIN (SELECT record_id, SUM(ato_change) ato, SUM(held_change) held
           FROM orders_movement GROUP BY record_id) m ON m.record_id = r.id
LEFT JOIN (SELECT record_id, SUM(quantity) held FROM orders_hold
           WHERE state IN ('waiting', 'answered') GROUP BY record_id) h ON h.record_id = r.id
WHERE r.ato < 0 OR r.ato <> COALESCE(m.ato, 0) OR r.held <> COALESCE(m.held, 0)
   OR r.held <> COALESCE(h.held, 0)
"""
_HOLDS = """
SELECT o.site_id, o.order_no, o.status, o.reservation_state,
       (SELECT COALESCE(SUM(quantity), 0) FROM orders_orderitem WHERE order_id = o.id) wanted,
       (SELECT COALESCE(SUM(quantity), 0) FROM orders_hold
        WHERE order_id = o.id AND state = 'waiting') waiting,
       (SELECT COALESCE(SUM(quantity), 0) FROM orders_hold
        WHERE order_id = o.id AND state IN ('waiting', 'answered')) held,
       (SELECT COALESCE(SUM(quantity), 0) FROM orders_replacement
        WHERE order_id = o.id AND state IN ('reserving', 'giving_back')) replacing,
       (SELECT COALESCE(SUM(l.kept), 0) FROM orders_rearrangedline l
        JOIN orders_rearrangement r ON r.id = l.rearrangement_id
        WHERE r.order_id = o.id AND r.state IN ('reserving', 'giving_back')) adjusting
FROM orders_order o
WHERE (o.status IN ('new', 'created') AND o.reservation_state = 'RESERVATION_MISSING'
       AND wanted <> waiting)
   OR (o.status = 'new' AND o.reservation_state <> 'RESERVATION_MISSING'
       AND replacing + adjusting <> waiting)
   OR (o.status <> 'new' AND replacing + adjusting <> 0)
   OR (o.status = 'cancelled' AND held <> 0)
   OR (o.status = 'failed' AND held <> 0 AND NOT EXISTS (
       SELECT 1 FROM reconciliation_reservationdocument d
       WHERE d.order_id = o.id AND d.state = 'cancelling' AND d.sends > 0))
"""
_ORDERS = """
SELECT o.id, o.site_id, o.order_no, o.status, o.reservation_state, o.captured_offline,
       o.resolution, o.export_status
FROM orders_order o
"""
_ITEMS = "SELECT order_id, sku, quantity, reserved_quantity, id FROM orders_orderitem"
# What is short of an item is open, cancelled or replaced, each unit once.
_ITEM_SUMS = """
SELECT i.id, i.sku, i.quantity, i.reserved_quantity, i.cancelled_quantity, i.replaced_quantity
FROM orders_orderitem i
WHERE i.reserved_quantity + i.cancelled_quantity + i.replaced_quantity > i.quantity
   OR i.replaced_quantity < (SELECT COALESCE(SUM(n.quantity), 0) FROM orders_orderitem n
                             WHERE n.replaces_id = i.id)
"""
_DOCUMENTS = """
SELECT d.reservation_id, d.order_id, d.state, d.sends,
       d.state IN ('prepared', 'answered', 'cancelling') AND (d.purpose = 'rearrange'
         OR d.id IN (SELECT document FROM orders_rearrangement WHERE state = 'done')) beside,
       d.purpose = 'replace' AND d.state <> 'counted' replacing,
       d.id IN (SELECT document FROM orders_rearrangement WHERE state = 'done') former,
       d.purpose = 'shortfall' rerun, d.sent_at,
       d.state = 'answered' OR d.sends > (SELECT COUNT(*) FROM reconciliation_attempt a
         WHERE a.document_id = d.id AND a.operation = 'reserve') on_its_way
FROM reconciliation_reservationdocument d
"""
_REPLACEMENTS = "SELECT order_id, sku, MAX(quantity) FROM orders_replacement GROUP BY 1, 2"
# What was given up by hand, by order: the reserved units of its items may fall by that.
_RELEASED = "SELECT order_id, data FROM orders_orderevent WHERE kind IN ('rearranged', 'adjusted')"
_BEGUN = "SELECT MAX(id) FROM orders_orderevent WHERE order_id = ? AND kind = 'rearranging'"
# Orders that were waiting for the SKU of replacement :mine when somebody set about it.
_AHEAD_OF_REPLACEMENT = """
SELECT a.site_id || ' ' || a.order_no, i.sku, e.id
FROM orders_replacement r
JOIN orders_orderitem i ON i.sku = r.sku AND i.inventory_list_id = r.inventory_list_id
JOIN orders_order a ON a.id = i.order_id
JOIN orders_orderevent e ON e.id = (
  SELECT MAX(id) FROM orders_orderevent
  WHERE order_id = a.id AND kind IN ('captured_offline', 'reviewed'))
WHERE r.id = ? AND a.id <> r.order_id
  AND a.status = 'new' AND a.reservation_state = 'RESERVATION_MISSING'
  AND a.needs_review_since IS NULL AND e.id <= ?
"""
# Orders that were waiting for one of these SKUs before `began`, captured before order :mine.
_AHEAD = """
SELECT a.site_id || ' ' || a.order_no, i.sku, e.id
FROM orders_order a
JOIN orders_orderitem i ON i.order_id = a.id
JOIN orders_orderitem b ON b.sku = i.sku AND b.inventory_list_id = i.inventory_list_id
JOIN orders_order o ON o.id = b.order_id
JOIN orders_orderevent e ON e.id = (
  SELECT MAX(id) FROM orders_orderevent
  WHERE order_id = a.id AND kind IN ('captured_offline', 'reviewed'))
WHERE o.id = ? AND a.id <> o.id
  AND a.status = 'new' AND a.reservation_state = 'RESERVATION_MISSING'
  AND a.needs_review_since IS NULL
  AND (a.captured_at < o.captured_at OR (a.captured_at = o.captured_at AND a.id < o.id))
  AND e.id <= ?
"""
_WAITING = """
SELECT r.inventory_list_id, r.sku, r.ato, r.snapshot_at, h.order_id, h.quantity
FROM orders_inventoryrecord r
LEFT JOIN orders_hold h ON h.record_id = r.id AND h.state = 'waiting'
"""
_SHORT = ("PARTIALLY_RESERVED", "NOTHING_RESERVED")


# A request reaches OCI within 40 seconds, and its figures follow within the lag.
_LATEST = timedelta(seconds=45)


def _may_miss(told_at: datetime | None, sent_at: datetime) -> bool:
    """Whether a figure of `told_at` may not count what was sent at `sent_at`."""
    return told_at is not None and sent_at <= told_at <= sent_at + _LATEST


def _half_of_both(held: dict[str, int], beside: dict[str, int]) -> dict[str, int]:
    return {sku: -(-(held[sku] + beside[sku]) // 2) for sku in held.keys() | beside.keys()}


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Return what `sql` finds, with nobody watching: past Django, straight from SQLite."""
    found: list[tuple[Any, ...]] = connection.connection.execute(sql, params).fetchall()
    return found


def last_event() -> int:
    """Return the number of the last event: a time that no clock can set back."""
    return int(rows("SELECT COALESCE(MAX(id), 0) FROM orders_orderevent")[0][0])


class Invariants:
    """Looks at the database and at OCI's books, and remembers what may not change any more."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.accepted: set[tuple[str, str]] = set()
        self._settled: dict[int, tuple[str, dict[str, int], dict[str, int]]] = {}
        # When each run was made, as `last_event`.
        self._runs: dict[int, int] = {}
        # The same of each replacement: when the process began that wrote it down.
        self._replacements: dict[int, int] = {}
        # SKUs of which units were given up by hand. Other orders are promised these, and the one
        # that gave them up may ask for them again: it is older, and may have them first.
        self._given_up: set[str] = set()

    def written(self, sql: str) -> None:
        """Note what has just been written; a new run may take no order that comes after it."""
        if sql.startswith('INSERT INTO "reconciliation_run" '):
            ((run_id,),) = rows("SELECT MAX(id) FROM reconciliation_run")
            self._runs[run_id] = last_event()
        elif sql.startswith('INSERT INTO "orders_replacement" '):
            ((pk,),) = rows("SELECT MAX(id) FROM orders_replacement")
            self._replacements[pk] = self._world.processes.running.began

    def check(self) -> None:
        """Raise Broken if something is not as it must be."""
        for broken in rows(_LEDGER):
            raise Broken(f"ledger of {broken[0]}: ato, held, by movements, by holds: {broken[1:]}")
        for broken in rows(_HOLDS):
            raise Broken(f"holds of order (..., wanted, waiting, held): {broken}")
        for broken in rows(_ITEM_SUMS):
            raise Broken(f"item (..., sku, ordered, reserved, cancelled, replaced): {broken}")
        items: dict[int, dict[str, list[int]]] = defaultdict(dict)
        skus = {}
        for order_id, sku, quantity, reserved, pk in rows(_ITEMS):
            sums = items[order_id].setdefault(sku, [0, 0])
            sums[0] += quantity
            sums[1] += reserved
            skus[str(pk)] = sku
        released: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for order_id, data in rows(_RELEASED):
            for pk, units in json.loads(data)["released"].items():
                released[order_id][skus[pk]] += round(units * 1000)
        self._given_up = {sku for units in released.values() for sku, n in units.items() if n}
        orders = rows(_ORDERS)
        self._check_accepted(orders)
        for order in orders:
            self._check_order(order, items[order[0]], released[order[0]])
        self._check_books(items, {order[0]: order for order in orders})

    def _check_accepted(self, orders: list[tuple[Any, ...]]) -> None:
        there = {(order[1], order[2]): order[3] for order in orders}
        for key in self.accepted:
            if there.get(key) in (None, "failed"):
                raise Broken(f"accepted order {key} is {there.get(key, 'lost')}")

    def _check_order(
        self, order: tuple[Any, ...], items: dict[str, list[int]], released: dict[str, int]
    ) -> None:
        """Check one order; `released` is what adjustments have given up of it, by SKU."""
        pk, site, number, status, state, _, resolution, export = order
        reserved = {sku: sums[1] for sku, sums in items.items()}
        name = f"order {site} {number}"
        before = self._settled.get(pk)
        if before is not None:
            if state == "RESERVATION_MISSING":
                raise Broken(f"{name} was {before[0]} and is missing again")
            given_up = {sku: units - before[2].get(sku, 0) for sku, units in released.items()}
            fell = any(
                reserved[sku] < units - given_up.get(sku, 0) for sku, units in before[1].items()
            )
            if fell and status != "cancelled":
                raise Broken(f"{name} had {before[1]} and has {reserved}, {status}")
            if before[0] == "COMPLETELY_RESERVED" != state and not any(given_up.values()):
                raise Broken(f"{name} was completely reserved and is {state}")
        if state == "RESERVATION_MISSING":
            if any(reserved.values()):
                raise Broken(f"{name} is missing and has {reserved}")
            return
        self._settled[pk] = (state, reserved, dict(released))
        if status == "new" and state != _state_of(items):
            raise Broken(f"{name} is {state}, its items say {items}")
        if status == "new" and export == "not_exported":
            raise Broken(f"{name} is settled and withheld from order management")
        if self._world.nature.alone and state in _SHORT and not self._may_be_short(status, items):
            raise Broken(f"{name} is {state} although nobody else sells: {items}")
        if resolution == "reserved_again" and state != "COMPLETELY_RESERVED":
            raise Broken(f"{name} counts as reserved again and is {state}")

    def _may_be_short(self, status: str, items: dict[str, list[int]]) -> bool:
        """Only of what was given up by hand; what a cancelled order was short of is not known."""
        if status != "new":
            return bool(items.keys() & self._given_up)
        return all(has >= wanted or sku in self._given_up for sku, (wanted, has) in items.items())

    def _check_books(
        self, items: dict[int, dict[str, list[int]]], orders: dict[int, tuple[Any, ...]]
    ) -> None:
        """Check that OCI never holds more for an order than was ordered, and knows only ours."""
        ours = {str(_uuid(row[0])): row for row in rows(_DOCUMENTS)}
        held: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        # What is held twice for a moment while an adjustment goes from one document to the next.
        beside: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        being_asked: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        # What reruns have got, by SKU: units, when they were sent, and whether the answer is on its
        # way to being counted, or whoever waited for it has died.
        reruns: dict[str, list[tuple[int, datetime, bool]]] = defaultdict(list)
        # By order and SKU; each document that is being cancelled by itself.
        replacing: Counter[tuple[int, str, str]] = Counter()
        for document in self._world.simulator.books.documents.by_id.values():
            row = ours.get(document.reservation_id)
            if row is None:
                raise Broken(f"OCI holds {document.reservation_id}, which nobody wrote down")
            if row[3] == 0:
                raise Broken(f"{document.reservation_id} was sent before that was written down")
            if document.state == "OPEN":
                for line in document.lines:
                    if row[7]:
                        reruns[line.sku].append((line.held, row[8], bool(row[9])))
                    undone = document.reservation_id if row[2] == "cancelling" else ""
                    # The holds of a cancelled order stand until all that they asked for is undone.
                    stands = orders[row[1]][3] == "cancelling" and not row[6]
                    if (row[4] or row[5]) and (stands or not undone):
                        being_asked[row[1]][line.sku] += line.held
                    if row[4]:
                        beside[row[1]][line.sku] += line.held
                    elif row[5]:
                        replacing[(row[1], line.sku, undone)] += line.held
                    else:
                        held[row[1]][line.sku] += line.held
        if replacing:
            _check_replacing(replacing)
        for order_id in held.keys() | beside.keys():
            wanted = {sku: sums[0] for sku, sums in items[order_id].items()}
            mostly = [held[order_id], beside[order_id]]
            if orders[order_id][3] == "cancelling":
                # Of two documents that are being undone none tells which one came first.
                mostly = [_half_of_both(*mostly)]
            for sku, number in [pair for units in mostly for pair in units.items()]:
                if number > wanted[sku]:
                    raise Broken(
                        f"OCI holds {number} of {sku} for order {orders[order_id][1:4]},"
                        f" which wants {wanted[sku]}"
                    )
        if self._world.nature.alone:
            asked: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
            for order_id, order in orders.items():
                missing = order[4] == "RESERVATION_MISSING"
                asked[order_id] = (held if missing else being_asked)[order_id]
            self._check_ato(asked, reruns)

    def _check_ato(
        self, asked: dict[int, dict[str, int]], reruns: dict[str, list[tuple[int, datetime, bool]]]
    ) -> None:
        """Check that ATO promises nothing that OCI has not free, or that a waiting order needs.

        True only where nobody else sells. `asked` is what OCI holds by order and SKU of that for
        which the order's holds wait; `reruns` what it holds by SKU for reruns, which take theirs
        off ATO when OCI has answered, or its answer is lost. A figure that OCI tells just after may
        not count them yet.
        """
        promised: dict[tuple[str, str], list[int]] = {}
        for list_id, sku, ato, told_at, order_id, units in rows(_WAITING):
            unheard = sum(
                held
                for held, sent_at, on_its_way in reruns[sku]
                if on_its_way or _may_miss(told_at, sent_at)
            )
            sums = promised.setdefault((list_id, sku), [ato - unheard, 0])
            if order_id is not None:
                sums[1] += max(0, units - asked[order_id][sku])
        books = self._world.simulator.books
        for (list_id, sku), (ato, waiting) in promised.items():
            book = books.skus[sku]
            free = book.free_at(list_id)
            if list_id in books.graph.groups:
                free = book.free_in(list_id, books.graph)
            if ato > max(0, free - waiting):
                raise Broken(
                    f"ATO of {sku} in {list_id} is {ato}; OCI has {free} free, {waiting} wait"
                )

    def reserved(self, reservation_id: str) -> None:
        """OCI has just taken a reservation: check that nobody was passed over (oldest first)."""
        found = rows(
            "SELECT d.order_id, o.site_id, o.order_no, o.claim, d.purpose"
            " FROM reconciliation_reservationdocument d JOIN orders_order o ON o.id = d.order_id"
            " WHERE d.reservation_id = ?",
            reservation_id.replace("-", ""),
        )
        if not found:
            raise Broken(f"OCI was asked for {reservation_id}, which nobody wrote down")
        pk, site, number, claim, purpose = found[0]
        began = self._world.processes.running.began
        if claim.startswith("adjust:"):
            ((began,),) = rows(_BEGUN, pk)
        elif claim.startswith("run:"):
            began = self._runs[int(claim.split(":")[1])]
        document = self._world.simulator.books.documents.by_id[reservation_id]
        got = {line.sku for line in document.lines if line.held}
        ahead = rows(_AHEAD, pk, began)
        if purpose == "replace":
            ((mine,),) = rows("SELECT MAX(id) FROM orders_replacement WHERE order_id = ?", pk)
            ahead = rows(_AHEAD_OF_REPLACEMENT, mine, self._replacements[mine])
        for earlier, sku, _ in ahead:
            if sku in got:
                raise Broken(f"order {site} {number} got {sku}, for which {earlier} waits longer")


def _check_replacing(replacing: Counter[tuple[int, str, str]]) -> None:
    """Check that OCI holds no more than one replacement asks for, done or given back."""
    asked = {(order_id, sku): units for order_id, sku, units in rows(_REPLACEMENTS)}
    for (order_id, sku, _), units in replacing.items():
        if units > asked.get((order_id, sku), 0):
            raise Broken(f"OCI holds {units} of {sku} for a replacement of order {order_id}")


def _state_of(items: dict[str, list[int]]) -> str:
    if all(reserved >= quantity for quantity, reserved in items.values()):
        return "COMPLETELY_RESERVED"
    some = any(reserved for _, reserved in items.values())
    return "PARTIALLY_RESERVED" if some else "NOTHING_RESERVED"


def _uuid(value: Any) -> Any:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))

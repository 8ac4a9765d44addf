"""Checks that must hold at every moment, whatever has happened."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.conf import settings

from tests.simulation.bundles import UNTRACKED
from tests.simulation.holdings import check_books
from tests.simulation.rows import Broken, rows

if TYPE_CHECKING:
    from tests.simulation.world import World


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
   OR (o.status = 'cancelling' AND o.reservation_state = 'RESERVATION_MISSING'
       AND wanted <> waiting)
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
_UNTRACKED = """
SELECT order_id, quantity, reserved_quantity, cancelled_quantity, replaced_quantity
FROM orders_orderitem
WHERE sku = ? AND quantity + reserved_quantity + cancelled_quantity + replaced_quantity <> 0
UNION ALL SELECT id, ato, held, 0, 0 FROM orders_inventoryrecord WHERE sku = ?
"""
_ITEMS = "SELECT order_id, sku, quantity, reserved_quantity, id FROM orders_orderitem"
# An item's short units are open, cancelled or replaced, each unit once.
_ITEM_SUMS = """
SELECT i.id, i.sku, i.quantity, i.reserved_quantity, i.cancelled_quantity, i.replaced_quantity
FROM orders_orderitem i
WHERE i.reserved_quantity + i.cancelled_quantity + i.replaced_quantity > i.quantity
   OR i.replaced_quantity < (SELECT COALESCE(SUM(n.quantity), 0) FROM orders_orderitem n
                             WHERE n.replaces_id = i.id)
"""
# Units given up by hand, by order: the reserved units of its items may fall by that many.
_RELEASED = "SELECT order_id, data FROM orders_orderevent WHERE kind IN ('rearranged', 'adjusted')"
_BEGUN = "SELECT MAX(id) FROM orders_orderevent WHERE order_id = ? AND kind = 'rearranging'"
# Orders that were waiting for the SKU of replacement :mine when it began.
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
# The same, for an adjustment, which takes from the lists where it keeps something.
_AHEAD_OF_ADJUSTMENT = """
SELECT a.site_id || ' ' || a.order_no, i.sku, e.id
FROM orders_rearrangement r
JOIN orders_rearrangedline l ON l.rearrangement_id = r.id AND l.kept > 0
JOIN orders_orderitem i ON i.sku = l.sku AND i.inventory_list_id = l.to_list_id
JOIN orders_order o ON o.id = r.order_id
JOIN orders_order a ON a.id = i.order_id
JOIN orders_orderevent e ON e.id = (
  SELECT MAX(id) FROM orders_orderevent
  WHERE order_id = a.id AND kind IN ('captured_offline', 'reviewed'))
WHERE r.id = (SELECT MAX(id) FROM orders_rearrangement WHERE order_id = ?) AND a.id <> o.id
  AND a.status = 'new' AND a.reservation_state = 'RESERVATION_MISSING'
  AND a.needs_review_since IS NULL
  AND (a.captured_at < o.captured_at OR (a.captured_at = o.captured_at AND a.id < o.id))
  AND e.id <= ?
"""
# Short orders that keep their place and may get units of a SKU, as its figure says.
_PROMISED = """
SELECT DISTINCT o.id, r.inventory_list_id, r.sku
FROM orders_promise p
JOIN orders_order o ON o.id = p.order_id
JOIN orders_site s ON s.id = o.site_id AND s.keeps_promises
JOIN orders_inventoryrecord r ON r.id = p.record_id AND r.snapshot_ato > 0
JOIN orders_orderitem i ON i.order_id = o.id AND i.sku = r.sku
 AND i.inventory_list_id = r.inventory_list_id
 AND i.quantity > i.reserved_quantity + i.cancelled_quantity + i.replaced_quantity
WHERE NOT p.is_refused AND o.status = 'new' AND o.resolution = ''
  AND o.reservation_state IN ('PARTIALLY_RESERVED', 'NOTHING_RESERVED')
  AND o.export_status <> 'exported' AND o.needs_review_since IS NULL AND o.promised_until IS NULL
  AND NOT EXISTS (SELECT 1 FROM orders_replacement x WHERE x.order_id = o.id
                  AND x.state IN ('reserving', 'giving_back'))
  AND NOT EXISTS (SELECT 1 FROM orders_rearrangement x WHERE x.order_id = o.id
                  AND x.state IN ('reserving', 'giving_back'))
"""
# Whether order :mine wants a SKU of a list and was captured after order :earlier, which run :run
# has not asked for.
_BEHIND = """
SELECT a.site_id || ' ' || a.order_no
FROM orders_order o
JOIN orders_order a ON a.id = ?
 AND (a.captured_at < o.captured_at OR (a.captured_at = o.captured_at AND a.id < o.id))
JOIN orders_orderitem i ON i.order_id = o.id AND i.sku = ? AND i.inventory_list_id = ?
WHERE o.id = ? AND NOT EXISTS (SELECT 1 FROM reconciliation_runentry e
                               WHERE e.order_id = a.id AND e.run_id = ? AND e.state <> 'pending')
"""
_SHORT = ("PARTIALLY_RESERVED", "NOTHING_RESERVED")


def last_event() -> int:
    """Return the number of the last event, a time that no clock can set back."""
    return int(rows("SELECT COALESCE(MAX(id), 0) FROM orders_orderevent")[0][0])


class Invariants:
    """Checks the database and OCI's books, and remembers facts that may not change any more."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.accepted: set[tuple[str, str]] = set()
        self._settled: dict[int, tuple[str, dict[str, int], dict[str, int]]] = {}
        # The creation of each run, as `last_event`.
        self._runs: dict[int, int] = {}
        # The same for each replacement: when the process that stored it began.
        self._replacements: dict[int, int] = {}
        # Promises whose turn came while no process was in the middle of its work; the same by run,
        # when it began.
        self._promised: set[tuple[Any, ...]] = set()
        self._promised_at: dict[int, set[tuple[Any, ...]]] = {}
        # SKUs with units given up by hand. These are promised to other orders, and the order that
        # gave them up may ask for them again: it is older, and may get them first.
        self._given_up: set[str] = set()

    def written(self, sql: str) -> None:
        """Record the rows just written; a new run may take no order that comes after it."""
        if sql.startswith('INSERT INTO "reconciliation_run" '):
            ((run_id,),) = rows("SELECT MAX(id) FROM reconciliation_run")
            self._runs[run_id] = last_event()
            self._promised_at[run_id] = self._promised
        elif sql.startswith('INSERT INTO "orders_replacement" '):
            ((pk,),) = rows("SELECT MAX(id) FROM orders_replacement")
            self._replacements[pk] = self._world.processes.running.began

    def waited(self, seconds: float) -> None:
        """Raise Broken if a shopper waited for OCI longer than the limit, for any reason."""
        if seconds > settings.COC_OCI_LIVE_TIMEOUT + 0.1:
            self._world.broken.append(Broken(f"a shopper waited {seconds:.1f} s for OCI"))

    def check(self) -> None:
        """Raise Broken if a check fails."""
        if not self._world.processes.depth:
            self._promised = set(rows(_PROMISED))
        for broken in rows(_LEDGER):
            raise Broken(f"ledger of {broken[0]}: ato, held, by movements, by holds: {broken[1:]}")
        if self._world.nature.untracked:
            self._check_untracked()
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
        check_books(self._world, items, {order[0]: order for order in orders})
        if self._world.nature.hands_over:
            self._world.handover.check()

    def _check_untracked(self) -> None:
        """Check that SKUs unknown to every list are never counted, reserved, or sent to OCI."""
        for broken in rows(_UNTRACKED, UNTRACKED, UNTRACKED):
            raise Broken(f"an untracked SKU is counted (..., taken, reserved, ...): {broken}")
        for document in self._world.simulator.books.documents.by_id.values():
            if any(line.sku == UNTRACKED for line in document.lines):
                raise Broken(f"OCI was asked for an untracked SKU: {document.reservation_id}")

    def _check_accepted(self, orders: list[tuple[Any, ...]]) -> None:
        there = {(order[1], order[2]): order[3] for order in orders}
        for key in self.accepted:
            if there.get(key) in (None, "failed"):
                raise Broken(f"accepted order {key} is {there.get(key, 'lost')}")

    def _check_order(
        self, order: tuple[Any, ...], items: dict[str, list[int]], released: dict[str, int]
    ) -> None:
        """Check one order; `released` are its units given up by adjustments, by SKU."""
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
        if status == "new" and export == "not_exported" and not self._may_wait(state):
            raise Broken(f"{name} is settled and withheld from order management")
        if self._world.nature.alone and state in _SHORT and not self._may_be_short(status, items):
            raise Broken(f"{name} is {state} although nobody else sells: {items}")
        if resolution == "reserved_again" and state != "COMPLETELY_RESERVED":
            raise Broken(f"{name} counts as reserved again and is {state}")

    def _may_wait(self, state: str) -> bool:
        """Whether an order may be kept from order management; `handover` checks when it may not."""
        return self._world.nature.hands_over and state in _SHORT

    def _may_be_short(self, status: str, items: dict[str, list[int]]) -> bool:
        """Only units given up by hand; the shortage of a cancelled order is not known."""
        if status != "new":
            return bool(items.keys() & self._given_up)
        return all(has >= wanted or sku in self._given_up for sku, (wanted, has) in items.items())

    def reserved(self, reservation_id: str) -> None:
        """OCI has just taken a reservation: check that no older order was passed over."""
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
        if claim.startswith("run:"):
            began = self._runs[int(claim.split(":")[1])]
        document = self._world.simulator.books.documents.by_id[reservation_id]
        got = {line.sku for line in document.lines if line.held}
        if purpose == "rearrange":
            ((began,),) = rows(_BEGUN, pk)
            ahead = rows(_AHEAD_OF_ADJUSTMENT, pk, began)
        elif purpose == "replace":
            ((mine,),) = rows("SELECT MAX(id) FROM orders_replacement WHERE order_id = ?", pk)
            ahead = rows(_AHEAD_OF_REPLACEMENT, mine, self._replacements[mine])
        else:
            ahead = rows(_AHEAD, pk, began)
            run_id = int(claim.split(":")[1]) if claim.startswith("run:") else 0
            # A person may replace by promised units, and a trial takes them if nothing else waits.
            if purpose in ("order", "shortfall") and not claim.startswith("trial:"):
                self._check_promises(pk, f"order {site} {number}", got, run_id)
        for earlier, sku, _ in ahead:
            if sku in got:
                raise Broken(f"order {site} {number} got {sku}, for which {earlier} waits longer")

    def _check_promises(self, pk: int, name: str, got: set[str], run_id: int) -> None:
        """Raise Broken if an order got a SKU that was promised before it or its run came."""
        promised = self._promised_at[run_id] if run_id else self._promised
        # Sorted: the first fault found must not depend on this process's hashing.
        still = sorted(promised.intersection(rows(_PROMISED))) if promised else ()
        for earlier, list_id, sku in still:
            if sku not in got:
                continue
            for (first,) in rows(_BEHIND, earlier, sku, list_id, pk, run_id):
                raise Broken(f"{name} got {sku}, which is promised to {first}")


def _state_of(items: dict[str, list[int]]) -> str:
    if all(reserved >= quantity for quantity, reserved in items.values()):
        return "COMPLETELY_RESERVED"
    some = any(reserved for _, reserved in items.values())
    return "PARTIALLY_RESERVED" if some else "NOTHING_RESERVED"

"""Queries on the product's database and on OCI's books, in addition to the API."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg

from tests.processes.stack import LIST, Stack
from tests.unknowns.crowd import OURS

# Consecutive checks that must find it: the two sides are not read at one moment.
_LOOKS = 6
_UNDONE = {
    "orders under way": (
        "SELECT order_no, status FROM orders_order WHERE status IN ('created', 'cancelling')"
    ),
    "orders that wait": (
        "SELECT order_no FROM orders_order"
        " WHERE status = 'new' AND reservation_state = 'RESERVATION_MISSING'"
    ),
    "orders in review": (
        "SELECT order_no, needs_review_reason FROM orders_order"
        " WHERE needs_review_since IS NOT NULL"
    ),
    "documents that OCI may hold uncounted": (
        "SELECT reservation_id, state FROM reconciliation_reservationdocument"
        " WHERE state IN ('answered', 'cancelling') OR (state = 'prepared' AND sends > 0)"
    ),
    "runs": "SELECT id, state FROM reconciliation_run WHERE is_active",
    "events that reports do not tell yet": ("SELECT id FROM orders_orderevent WHERE NOT projected"),
    "open holds": (
        "SELECT order_id, quantity FROM orders_hold WHERE state IN ('waiting', 'answered')"
    ),
}


def rows(stack: Stack, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of `sql` in the product's database."""
    url = stack.env["DATABASE_URL"]
    if url.startswith("postgres"):
        with psycopg.connect(url) as link:
            return link.execute(sql.encode()).fetchall()
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10)) as file:
        return file.execute(sql).fetchall()


def undone(stack: Stack) -> dict[str, list[tuple[Any, ...]]]:
    """Return unfinished work, by kind; empty when everything is done."""
    found = {what: rows(stack, sql) for what, sql in _UNDONE.items()}
    return {what: some for what, some in found.items() if some}


def ato(stack: Stack) -> dict[str, Decimal]:
    """Return our ATO of every SKU, in units."""
    found = rows(stack, "SELECT sku, ato FROM orders_inventoryrecord")
    return {sku: Decimal(units) / 1000 for sku, units in found}


def free(stack: Stack, skus: tuple[str, ...]) -> dict[str, Decimal]:
    """Return OCI's free units of some SKUs."""
    found = stack.oci.all_stock()
    return {sku: Decimal(str(found[sku]["locations"][LIST]["ato"])) for sku in skus}


class Watch:
    """Checks repeatedly whether ATO promises more of our own stock than OCI has free."""

    def __init__(self, stack: Stack) -> None:
        self.looks = 0
        self.found: list[str] = []
        self._stack = stack
        self._in_a_row: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on)

    def begin(self) -> None:
        """Begin to check."""
        self._thread.start()

    def end(self) -> None:
        """Stop checking."""
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(0.1):
            before, ours, after = free(self._stack, OURS), ato(self._stack), free(self._stack, OURS)
            self.looks += 1
            for sku in OURS:
                too_much = ours[sku] > max(before[sku], after[sku])
                self._in_a_row[sku] = self._in_a_row[sku] + 1 if too_much else 0
                if self._in_a_row[sku] == _LOOKS:
                    at = time.monotonic() - began
                    self.found.append(
                        f"after {at:.0f} s ATO of {sku} is {ours[sku]}, OCI has {after[sku]} free"
                    )

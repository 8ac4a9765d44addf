"""Search the texts of orders and inventory records for a fragment.

A common fragment is found among the newest rows, a rare one by the index, so neither costs much
however many orders there are. Nothing here reads a whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction

from orders.models import InventoryRecord, Order
from orders.search import index
from orders.search_expressions import (
    CUSTOMER_EMAIL,
    CUSTOMER_NAME,
    ByteOrder,
    begins_with,
    customer_begins_with,
)

# A trigram index can't answer shorter fragments.
MIN_CHARACTERS = 3
MOST_CHARACTERS = 100
_MOST_WORDS = 6
# The newest rows to check before using the index.
_NEWEST = 2_000
# The index hits to read before filtering by site.
_MOST_READ = 20_000
# Up to this many sites are queried one by one for their newest orders.
_MOST_SITES = 20
_MILLISECONDS = "2000"


@dataclass(frozen=True, slots=True)
class Hits:
    """Matching keys, newest first; whether there are more, and whether all could be read."""

    keys: list[int]
    more: bool = False
    is_complete: bool = True


def words_of(text: str) -> list[str]:
    """Return the words to search for, all of which must match; empty if each is too short."""
    words = text[:MOST_CHARACTERS].split()[:_MOST_WORDS]
    return words if any(len(word) >= MIN_CHARACTERS for word in words) else []


def find_orders(text: str, *, sites: Sequence[str] | None, most: int) -> Hits:
    """Return orders of `sites` (None: all) with every word in number, customer or e-mail.

    Without an index of fragments, the search matches the beginning of a customer's name or e-mail
    address. The caller looks up complete numbers.
    """
    if not (words := words_of(text)) or sites == []:
        return Hits([])
    if not index.has_index(connection):
        return _by_beginning(text, sites, most)
    if connection.vendor == "sqlite":
        return _on_sqlite(_ORDERS, words, sites, most)
    newest = _newest_orders(words, sites, most)
    if len(newest) > most:
        return Hits(newest[:most], more=True)
    return _on_postgresql(_ORDERS, words, sites, most, known=newest)


def find_records(text: str, *, lists: Sequence[str] | None, most: int) -> Hits:
    """Return records of `lists` (None: all) with every word in SKU or product name.

    Without an index of fragments, the search matches the beginning of a SKU.
    """
    if not (words := words_of(text)) or lists == []:
        return Hits([])
    if index.has_index(connection):
        if connection.vendor == "sqlite":
            return _on_sqlite(_RECORDS, words, lists, most)
        return _on_postgresql(_RECORDS, words, lists, most)
    found = InventoryRecord.objects.alias(sku_bytes=ByteOrder("sku"))
    found = found.filter(begins_with("sku_bytes", words[0]))
    if lists is not None:
        found = found.filter(inventory_list__in=lists)
    keys = list(found.order_by("sku_bytes").values_list("pk", flat=True)[: most + 1])
    return Hits(keys[:most], more=len(keys) > most)


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    key: str
    scope: str


_ORDERS = _Table("orders_ordertext", "order_id", "site_id")
_RECORDS = _Table("orders_producttext", "record_id", "list_id")


def _newest_orders(words: Sequence[str], sites: Sequence[str] | None, most: int) -> list[int]:
    """Return up to `most` + 1 matches among the newest orders, found by an index."""
    fits, values = _like(words)
    narrow: list[tuple[str, list[Any]]] = [("", [])]
    if sites is not None:
        narrow = [("WHERE site_id = %s", [site]) for site in sites[:_MOST_SITES]]
    found: set[int] = set()
    with connection.cursor() as cursor:
        for where, site in narrow:
            cursor.execute(
                "SELECT order_id FROM (SELECT order_id, text FROM orders_ordertext"
                f" {where} ORDER BY order_id DESC LIMIT {_NEWEST}) newest"
                f" WHERE {fits} ORDER BY order_id DESC LIMIT %s",
                [*site, *values, most + 1],
            )
            found.update(key for (key,) in cursor.fetchall())
    return sorted(found, reverse=True)[: most + 1]


def _on_postgresql(
    table: _Table,
    words: Sequence[str],
    scopes: Sequence[str] | None,
    most: int,
    *,
    known: Sequence[int] = (),
) -> Hits:
    """Query the trigram index; materializing makes the planner use it."""
    fits, values = _like(words)
    narrow = "" if scopes is None else f" AND {table.scope} = ANY(%s)"
    statement = (
        f"WITH hits AS MATERIALIZED (SELECT {table.key} AS key FROM {table.name}"
        f" WHERE {fits}{narrow}) SELECT key FROM hits LIMIT %s"
    )
    scope = [] if scopes is None else [list(scopes)]
    try:
        # A server-side timeout leaves the connection usable.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [_MILLISECONDS])
            cursor.execute(statement, [*values, *scope, max(most, 1_000) + 1])
            found = {key for (key,) in cursor.fetchall()}
    except OperationalError:
        return Hits(list(known)[:most], more=True, is_complete=False)
    keys = sorted(found | set(known), reverse=True)
    return Hits(keys[:most], more=len(keys) > most)


def _on_sqlite(
    table: _Table, words: Sequence[str], scopes: Sequence[str] | None, most: int
) -> Hits:
    """Query FTS5, which yields hits newest first and stops when there are enough."""
    long = [word for word in words if len(word) >= MIN_CHARACTERS]
    short = [word for word in words if len(word) < MIN_CHARACTERS]
    match = " ".join('"{}"'.format(word.replace('"', '""')) for word in long)
    fits, values = _like(short)
    narrow, scope = "", list(scopes or ())
    if scopes is not None:
        narrow = f" AND {table.scope} IN ({', '.join(['%s'] * len(scopes))})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.{table.key} FROM (SELECT rowid AS hit FROM {table.name}_fts"
            f" WHERE {table.name}_fts MATCH %s ORDER BY rowid DESC LIMIT {_MOST_READ})"
            f" CROSS JOIN {table.name} t ON t.{table.key} = hit WHERE {fits}{narrow}"
            f" ORDER BY t.{table.key} DESC LIMIT %s",
            [match, *values, *scope, most + 1],
        )
        keys = [key for (key,) in cursor.fetchall()]
    return Hits(keys[:most], more=len(keys) > most)


def _like(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the SQL condition that a text contains every word, and its parameters."""
    conditions = ["text LIKE '%%' || lower(%s) || '%%' ESCAPE '\\'"] * len(words)
    escaped = [word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for word in words]
    return " AND ".join(conditions) or "1 = 1", escaped


def _by_beginning(text: str, sites: Sequence[str] | None, most: int) -> Hits:
    known = Order.objects.order_by().alias(
        customer_name=CUSTOMER_NAME, customer_email=CUSTOMER_EMAIL
    )
    found: set[int] = set()
    # One at a time, because an index can answer each alone.
    for name in ("customer_name", "customer_email"):
        fits = known.filter(customer_begins_with(name, text.strip()))
        if sites is not None:
            fits = fits.filter(site__in=sites)
        found.update(fits.values_list("pk", flat=True)[: most + 1])
    keys = sorted(found, reverse=True)
    return Hits(keys[:most], more=len(keys) > most)

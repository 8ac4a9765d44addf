"""Deliveries that OCI expects (its futures), and the date that they suggest for a promise.

OCI's ATO counts futures, so other orders may have them. A date is a suggestion to a person.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Sum

from orders import promises
from orders.fields import ZERO
from orders.ledger import Figure, Key, records_of, skus_by_list
from orders.models import Delivery, Order
from orders.units import open_units

_EXPECTING_POSTGRESQL = """\
SELECT DISTINCT r.sku FROM orders_delivery d JOIN orders_inventoryrecord r ON r.id = d.record_id
WHERE r.inventory_list_id = %s AND r.sku = ANY(%s)
"""

_EXPECTING_SQLITE = """\
SELECT DISTINCT r.sku FROM orders_delivery d JOIN orders_inventoryrecord r ON r.id = d.record_id
WHERE r.inventory_list_id = %s AND r.sku IN (SELECT value FROM json_each(%s))
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one order lacks of a SKU, and the next delivery of it.

    `ahead` is promised to older orders. `covered_at` is the first moment by which enough is
    delivered for these and for the order; None if nothing that OCI expects is enough.
    """

    sku: str
    units: Decimal
    ahead: Decimal
    next_at: datetime
    next_units: Decimal
    covered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The deliveries that an order may wait for; `at`: the last that it needs, if all are known."""

    expected: Sequence[Expected]
    at: datetime | None


def note(figures: Iterable[Figure]) -> int:
    """Write down what a feed says of deliveries in place of what was known; returns the changes.

    Figures name SKUs of records that are there. The same deliveries change nothing.
    """
    told = {figure.key: dict(figure.deliveries) for figure in figures}
    expecting = _expecting(told)
    told = {key: now for key, now in told.items() if now or key in expecting}
    if not told:
        return 0
    with transaction.atomic():
        known: dict[Key, dict[datetime, Decimal]] = defaultdict(dict)
        rows = Delivery.objects.filter(promises.of_keys(told)).select_related("record")
        for row in rows.select_for_update(of=("self",)).order_by("pk"):
            known[row.record.inventory_list_id, row.record.sku][row.expected_at] = row.quantity
        changed = sorted(key for key, now in told.items() if now != known.get(key, {}))
        if not changed:
            return 0
        records = records_of(changed)
        Delivery.objects.filter(record__in=[record.pk for record in records.values()]).delete()
        Delivery.objects.bulk_create(
            [
                Delivery(record=records[key], expected_at=at, quantity=units)
                for key in changed
                if key in records
                for at, units in sorted(told[key].items())
            ],
            ignore_conflicts=True,
        )
    return len(changed)


def _expecting(keys: Iterable[Key]) -> set[Key]:
    """Return those of `keys` of which deliveries are known."""
    # Where OCI tells no futures at all, as in most shops, nothing more is asked.
    if not Delivery.objects.exists():
        return set()
    found: set[Key] = set()
    with connection.cursor() as cursor:
        for list_id, skus in sorted(skus_by_list(keys).items()):
            if connection.vendor == "postgresql":
                cursor.execute(_EXPECTING_POSTGRESQL, [list_id, skus])
            else:
                cursor.execute(_EXPECTING_SQLITE, [list_id, json.dumps(skus)])
            found.update((list_id, sku) for (sku,) in cursor.fetchall())
    return found


def suggest(order: Order, *, now: datetime) -> Suggestion:
    """Return what OCI expects of what an order lacks, and the day on which it could have all."""
    lacking = order.items.order_by().alias(open_units=open_units()).filter(open_units__gt=0)
    needed: dict[Key, Decimal] = {
        (row["inventory_list"], row["sku"]): row["n"]
        for row in lacking.values("inventory_list", "sku").annotate(n=Sum(open_units()))
    }
    if not needed:
        return Suggestion([], None)
    coming: dict[Key, list[tuple[datetime, Decimal]]] = defaultdict(list)
    rows = Delivery.objects.filter(promises.of_keys(needed), expected_at__gt=now)
    for row in rows.select_related("record").order_by("expected_at"):
        key = (row.record.inventory_list_id, row.record.sku)
        coming[key].append((row.expected_at, row.quantity))
    queue = promises.wanted(list(coming), now=now) if coming else []
    found = []
    for key, due in sorted(coming.items()):
        ahead = promises.before(queue, order, key)
        covered_at = _covered_at(due, needed[key] + ahead)
        found.append(Expected(key[1], needed[key], ahead, *due[0], covered_at))
    days = [one.covered_at for one in found if one.covered_at is not None]
    is_known = len(days) == len(needed)
    return Suggestion(found, max(days) if is_known else None)


def _covered_at(due: Sequence[tuple[datetime, Decimal]], units: Decimal) -> datetime | None:
    total = ZERO
    for at, quantity in due:
        total += quantity
        if total >= units:
            return at
    return None

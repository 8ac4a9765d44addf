"""Checks of hand-over and of refused orders, in worlds whose nature `hands_over`.

No short order is handed over before its moment unless a person decides; an acknowledged version
never changes; each answered request is accepted or counted as refused.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orders import refused_orders
from orders.documents import order_document, with_documents
from orders.models import Order, ShortHandover
from tests.simulation.rows import Broken, rows

if TYPE_CHECKING:
    from tests.simulation.world import World

REFUSALS = frozenset(refusal.type for refusal in refused_orders.REFUSALS)
# Members of a document outside any version (see orders.documents).
_OF_NO_VERSION = ("exportStatus", "acknowledgedVersion", "handoverAt")
# Undecided short orders visible to order management, and their site's settings.
_OFFERED = """
SELECT o.id, o.site_id || ' ' || o.order_no, s.short_handover, s.handover_minutes, o.reconciled_at
FROM orders_order o JOIN orders_site s ON s.id = o.site_id
WHERE o.status = 'new' AND o.resolution = '' AND o.export_status <> 'not_exported'
  AND o.reservation_state IN ('PARTIALLY_RESERVED', 'NOTHING_RESERVED')
  AND NOT EXISTS (
    SELECT 1 FROM orders_orderevent e WHERE e.order_id = o.id
     AND (e.kind IN ('resolved', 'reopened', 'items_cancelled', 'replaced', 'adjusted',
                     'rearranged')
          OR (e.kind = 'export' AND e.actor_kind = 'person')))
"""
_DUE = """
SELECT id, export_due_at FROM orders_order
WHERE export_status = 'not_exported' AND export_due_at IS NOT NULL
"""
_EXPORTED = "SELECT id, exported_version FROM orders_order WHERE export_status = 'exported'"
# Refused orders that were not accepted later.
_STILL_REFUSED = """
SELECT r.site_id, r.order_no, r.attempts FROM orders_refusedorder r
WHERE NOT EXISTS (SELECT 1 FROM orders_order o WHERE o.site_id = r.site_id
                  AND o.order_no = r.order_no AND o.status <> 'failed')
"""


def site_fields(rng: random.Random) -> dict[str, Any]:
    """Return when a site hands short orders over."""
    return {
        "short_handover": rng.choice(
            (ShortHandover.AFTER_MINUTES, ShortHandover.AFTER_MINUTES, *ShortHandover)
        ),
        "handover_minutes": rng.choice((1, 10, 45)),
    }


class Handover:
    """Requests and answers, pulls and acknowledgements, and their rules."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._due: dict[int, datetime] = {}
        # For each answered request: how often it was refused, 0 once it was accepted.
        self._refused: dict[tuple[str, str], int] = {}
        self.pulled: dict[int, tuple[int, str]] = {}
        self.acknowledged: dict[int, tuple[int, str]] = {}

    def answered(self, key: tuple[str, str], refusal: str) -> None:
        """Record a shopper's answer; `refusal` is its type, empty if accepted."""
        if not refusal:
            self._refused[key] = 0
        elif refusal in REFUSALS and self._refused.get(key) != 0:
            self._refused[key] = self._refused.get(key, 0) + 1

    def check(self) -> None:
        """Raise Broken if an order went too early, a version changed, or a refusal is missing."""
        self._latest = max(self._latest, self._world.clock.now)
        self._check_offered()
        self._check_refused()
        versions = dict(rows(_EXPORTED))
        for pk, (version, _) in self.acknowledged.items():
            if versions.get(pk) != version:
                raise Broken(
                    f"version {version} of order {pk} was acknowledged; it says {versions.get(pk)}"
                )
        if not self._world.processes.depth:
            self._check_documents()

    def _check_offered(self) -> None:
        for pk, name, how, minutes, answered_at in rows(_OFFERED):
            if how == ShortHandover.AT_ONCE:
                continue
            if how == ShortHandover.WHEN_DECIDED:
                raise Broken(f"order {name} was handed over, and nobody has decided")
            due = self._due.get(pk) or _time(answered_at) + timedelta(minutes=minutes)
            if due > self._latest:
                raise Broken(f"order {name} was handed over before {due:%H:%M:%S}")
        self._due.update((pk, _time(due)) for pk, due in rows(_DUE))

    def _check_refused(self) -> None:
        there = {(site, number): attempts for site, number, attempts in rows(_STILL_REFUSED)}
        for key, times in self._refused.items():
            if not times and key in there:
                raise Broken(f"order {key} was accepted, and counts as refused")
            if times > there.get(key, 0) and not _is_there(key):
                raise Broken(f"order {key} was refused {times} times, and no row says so")

    def _check_documents(self) -> None:
        wanted = dict(self.acknowledged)
        for pk, (version, told) in read(*wanted).items():
            if version == wanted[pk][0] and told != wanted[pk][1]:
                raise Broken(f"version {version} of order {pk} has changed since")


def _is_there(key: tuple[str, str]) -> bool:
    """Whether the order was accepted after all, by a request without an answer."""
    sql = "SELECT 1 FROM orders_order WHERE site_id = ? AND order_no = ? AND status <> 'failed'"
    return bool(rows(sql, *key))


def _time(stored: datetime) -> datetime:
    return stored.replace(tzinfo=UTC)


def read(*pks: int) -> dict[int, tuple[int, str]]:
    """Return the version of each order's document, and the members that belong to it."""
    found = {}
    for order in with_documents(Order.objects.filter(pk__in=pks)).order_by("pk"):
        document = order_document(order)
        kept = {name: told for name, told in document.items() if name not in _OF_NO_VERSION}
        text = json.dumps(kept, sort_keys=True, default=str)
        found[order.pk] = (document["version"], text)
    return found

"""Apply a remedy to one order, whether it was chosen alone or with others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from orders import settlement
from orders.actors import Actor
from orders.models import Order
from reconciliation import remedies
from reconciliation.models import BulkKind
from reconciliation.reservation import release


def act(
    kind: BulkKind,
    *,
    order_id: int,
    actor: Actor,
    reason: str,
    now: datetime,
    units: Mapping[int, Decimal] | None = None,
    reference: str = "",
) -> Order:
    """Apply a remedy, any but replacing, to an order; return the changed order. Idempotent.

    `units` are those of the items (by key) to cancel, as they were shown; `reference` is for
    settling outside. Makes no call to OCI. Raises OrderRefused; then the order is unchanged.
    """
    common: dict[str, Any] = {"order_id": order_id, "actor": actor, "reason": reason, "now": now}
    if kind == BulkKind.CANCEL:
        return release.cancel_order(**common)
    if kind == BulkKind.CANCEL_SHORT:
        return remedies.cancel_short(units=units or {}, **common)
    if kind == BulkKind.SETTLE_OUTSIDE:
        return release.settle_outside(reference=reference, **common)
    if kind == BulkKind.REOPEN:
        return settlement.reopen(**common)
    raise AssertionError(kind)

"""Futures: the deliveries that OCI expects of a SKU (OCI contract 2.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from reconciliation.oci.errors import MalformedAnswer
from reconciliation.oci.jsontext import as_object, as_quantity, as_text

# Of one SKU; further ones are not kept.
_MOST = 50


def deliveries_of(futures: object) -> tuple[tuple[datetime, Decimal], ...]:
    """Return the futures of a line. One that makes no sense is left out: nothing relies on it."""
    found: dict[datetime, Decimal] = {}
    for one in futures[:_MOST] if isinstance(futures, list) else ():
        try:
            future = as_object(one, "A future")
            units = as_quantity(future.get("quantity"), "quantity", rounded=True)
            at = datetime.fromisoformat(as_text(future.get("expectedDate"), "expectedDate"))
            # OCI's moments have an offset; a day alone is one of UTC.
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
            total = as_quantity(found.get(at, Decimal(0)) + units, "quantity")
        except (MalformedAnswer, ValueError, OverflowError):
            continue
        if total:
            found[at] = total
    return tuple(sorted(found.items()))

"""Dry runs as JSON: bounded in size, without what the orders' own rows hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from orders.models import Order, ReservationState
from reconciliation.runs.dry_run import DryRun, DryRunRow


def stored(would: DryRun) -> dict[str, Any]:
    """Return a dry run as JSON can hold it."""
    return {
        "orders": would.orders,
        "units": str(would.units),
        "value": {currency: str(value) for currency, value in would.value.items()},
        "by_outcome": {str(state): number for state, number in would.by_outcome.items()},
        "stock_at": would.stock_at.isoformat() if would.stock_at else None,
        "forecast_of": would.forecast_of,
        "changes_nothing": would.changes_nothing,
        "rows": [
            [row.order.pk, str(row.units), str(row.expected) if row.expected else None]
            for row in would.rows
        ],
    }


def restored(data: Mapping[str, Any]) -> DryRun:
    """Return the dry run that was stored, with its orders as they are now; one query."""
    orders = Order.objects.in_bulk([pk for pk, _, _ in data["rows"]])
    stock_at = data["stock_at"]
    return DryRun(
        orders=data["orders"],
        units=Decimal(data["units"]),
        value={currency: Decimal(value) for currency, value in data["value"].items()},
        by_outcome={ReservationState(name): n for name, n in data["by_outcome"].items()},
        stock_known=stock_at is not None,
        stock_at=datetime.fromisoformat(stock_at) if stock_at else None,
        forecast_of=data["forecast_of"],
        rows=[
            DryRunRow(orders[pk], Decimal(units), ReservationState(state) if state else None)
            for pk, units, state in data["rows"]
            if pk in orders
        ],
        changes_nothing=data["changes_nothing"],
    )

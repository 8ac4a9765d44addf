"""Words and figures of the alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from reconciliation.models import EntryState
from reconciliation.status import Waiting


def moment(at: datetime) -> str:
    """Return a moment in words, in UTC; the exact values are the alert's own."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def orders(number: int) -> str:
    """Return a number of orders in words: `1 order`, `1,234 orders`."""
    return f"{number:,} order{'' if number == 1 else 's'}"


def at_stake(waiting: Waiting) -> str:
    """Return what waits as a sentence: orders, units, and value by currency."""
    if not waiting.orders:
        return "No order waits."
    units = f"{waiting.units.normalize():,f}"
    worth = " and ".join(f"{amount:,.2f} {code}" for code, amount in waiting.value.items())
    verb = "waits" if waiting.orders == 1 else "wait"
    noun = "unit" if waiting.units == Decimal(1) else "units"
    return f"{orders(waiting.orders)} with {units} {noun} {verb}, worth {worth}."


def outcomes(counts: Mapping[EntryState, int]) -> str:
    """Return a run's counts as words, those without an order left out."""
    words = [f"{counts[state]:,} {state.label}" for state in EntryState if counts.get(state)]
    return ", ".join(words) or "no orders"

"""The parts of a repair: read a row, describe the change, and apply it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from orders import events
from orders.actors import Actor
from orders.models import EventKind, Order


class RepairLost(Exception):
    """The row changed between check and repair; the repair changed nothing."""


@dataclass(frozen=True, slots=True)
class Work:
    """Who repairs, why and when. `lock`: the rows are about to be written."""

    actor: Actor
    reason: str
    now: datetime
    lock: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A safe repair: the row before and after, the reason, and the action.

    `act` writes by conditional updates in its caller's transaction and raises RepairLost; with
    `in_transaction` false it works on files and must run outside any transaction.
    """

    before: str
    after: str
    why: str
    act: Callable[[], None]
    in_transaction: bool = True


@dataclass(frozen=True, slots=True)
class ByHand:
    """No safe repair: what a person should do instead."""

    advice: str


Planner = Callable[[Any, Work], "Plan | ByHand | None"]
"""Given a key, say what to do about it; None when nothing is wrong with it (any more)."""


def order_of(pk: int, work: Work) -> Order | None:
    """Return an order, locked if it is about to be written."""
    orders = Order.objects.filter(pk=pk)
    return (orders.select_for_update() if work.lock else orders).first()


def must(won: int) -> None:
    """Raise RepairLost if a conditional update matched no row."""
    if not won:
        raise RepairLost


def change(rows: QuerySet[Any], **values: Any) -> None:
    """Update the one row of `rows`, or raise RepairLost."""
    must(rows.update(**values))


def record_repair(
    order: Order,
    work: Work,
    text: str,
    *,
    kind: EventKind = EventKind.REPAIRED,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Append who repaired what, and why, to the order's history."""
    reason = f"{text} {work.reason}".strip()
    events.record(
        order=order, kind=kind, actor=work.actor, reason=reason, now=work.now, data=data or {}
    )


def units_text(units: Mapping[Any, Decimal]) -> str:
    """Return quantities in words; keys are SKUs or (list, SKU)."""
    names = {k: k[1] if isinstance(k, tuple) else str(k) for k in units}
    parts = [f"{units[k].normalize():f} of {names[k]}" for k in sorted(units) if units[k]]
    return ", ".join(parts) or "nothing"

"""How long to keep personal data of finished orders and old figures; applied once a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from orders import privacy
from orders.actors import job
from orders.ledger import folding
from reconciliation.maintenance.daily_turn import DailyTurn
from reconciliation.queue import intervals
from reconciliation.reasons import say

RETENTION = job("retention")
TURN = DailyTurn("retention", intervals.RETENTION)


@dataclass(frozen=True, slots=True)
class Applied:
    """How many payloads were reduced, customers erased, and SKUs added up.

    `is_unfinished`: another package still has data to delete (`also`).
    """

    payloads: int = 0
    customers: int = 0
    is_unfinished: bool = False
    figures: int = 0

    @property
    def more(self) -> bool:
        """Whether there may be more to do."""
        orders = max(self.payloads, self.customers) >= privacy.MOST
        return self.is_unfinished or orders or self.figures >= folding.MOST


# Takes the time, deletes data too old by its own setting, and returns whether there is more.
Forget = Callable[[datetime], bool]
_others: list[Forget] = []


def also(forget: Forget) -> None:
    """Register a function that deletes old data of a higher package; once per process."""
    if forget not in _others:
        _others.append(forget)


def is_wanted() -> bool:
    """Whether the settings limit anything."""
    return bool(
        settings.COC_RETAIN_PAYLOAD_DAYS
        or settings.COC_RETAIN_CUSTOMER_DAYS
        or settings.COC_RETAIN_AUDIT_DAYS
        or settings.COC_RETAIN_FIGURE_DAYS
    )


def is_due(now: datetime) -> bool:
    """Whether to apply it now: True once a day for one caller, if any limit is set."""
    if not is_wanted():
        return False
    return TURN.take(intervals.interval_of(intervals.RETENTION), now)


def due(now: datetime) -> Applied:
    """Return how many finished orders have data to erase now; reads only."""
    payloads = customers = 0
    if days := settings.COC_RETAIN_PAYLOAD_DAYS:
        payloads = privacy.payloads_to_reduce(captured_before=now - timedelta(days=days)).count()
    if days := settings.COC_RETAIN_CUSTOMER_DAYS:
        customers = privacy.customers_to_erase(captured_before=now - timedelta(days=days)).count()
    return Applied(payloads, customers)


def apply(*, now: datetime) -> Applied:
    """Erase data older than COC_RETAIN_PAYLOAD_DAYS and COC_RETAIN_CUSTOMER_DAYS; 0 keeps it.

    Other packages' data has its own settings (`also`). Figures older than COC_RETAIN_FIGURE_DAYS
    are added up. The reports' outbox rewrites reports that contain an erased customer.
    """
    payloads = customers = figures = 0
    if days := settings.COC_RETAIN_PAYLOAD_DAYS:
        payloads = privacy.reduce_payloads(captured_before=now - timedelta(days=days), now=now)
    if days := settings.COC_RETAIN_CUSTOMER_DAYS:
        customers = privacy.erase_old(
            captured_before=now - timedelta(days=days),
            actor=RETENTION,
            reason=say("retention", days=days),
            now=now,
        )
    if days := settings.COC_RETAIN_FIGURE_DAYS:
        figures = folding.fold_figures(before=now - timedelta(days=days))
    unfinished = [forget(now) for forget in _others]
    return Applied(payloads, customers, any(unfinished), figures)

"""Repairs for findings of the integrity check: proposed first, applied only on request.

A proposal's id names the fault, the row and the change: if the row has changed since, the id no
longer exists and nothing happens. Repeating a repair does nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from orders.actors import Actor, job
from orders.ledger import LedgerChanged
from reconciliation.maintenance import captures, integrity_check
from reconciliation.maintenance.integrity_check import Broken, Fault
from reconciliation.maintenance.repair import capture_plans, order_plans, remedy_plans, row_plans
from reconciliation.maintenance.repair.plans import Plan, Planner, RepairLost, Work
from reconciliation.models import VanishedOrder

logger = logging.getLogger(__name__)

# Repairs run in this order: those that others depend on first, files last.
_PLANNERS: dict[Fault, Planner] = {
    Fault.VANISHED: capture_plans.vanished,
    Fault.PAYLOAD: capture_plans.payload,
    Fault.CHANGED: capture_plans.changed,
    Fault.HISTORY: order_plans.history,
    Fault.OUTCOME: order_plans.outcome,
    Fault.NO_ITEMS: order_plans.no_items,
    Fault.PARENT: order_plans.parent,
    Fault.SUM: order_plans.sum_of_units,
    Fault.UNITS: order_plans.units,
    Fault.STATE: order_plans.state,
    Fault.OPEN: order_plans.open_units,
    Fault.EXPORT: order_plans.export,
    Fault.FOREIGN_ID: row_plans.foreign_id,
    Fault.DOCUMENT: row_plans.document,
    Fault.ENTRY: row_plans.entry,
    Fault.REMEDY: remedy_plans.remedy,
    Fault.HOLDS: row_plans.holds,
    Fault.RECORD: row_plans.record,
    Fault.REPORT: row_plans.report,
    Fault.REPORTS_OF_SITE: row_plans.reports_of_site,
}
_NOBODY = job("dry run")


@dataclass(frozen=True, slots=True)
class Proposal:
    """The fault of a row, and its repair; without an `id` there is no safe repair."""

    id: str
    row: str
    fault: Fault
    found: tuple[str, ...]
    before: str = ""
    after: str = ""
    why: str = ""
    advice: str = ""


def _ignore_progress(done: int, steps: int) -> None:
    """Ignore progress."""


def proposals(
    *, now: datetime, progress: Callable[[int, int], None] = _ignore_progress
) -> list[Proposal]:
    """Return a proposal for each row that breaks a promise; reads only.

    `progress` gets the number of checks done and of all checks.
    """
    return list(_propose(_by_row(progress), now))


def _by_row(
    progress: Callable[[int, int], None] = _ignore_progress,
) -> dict[tuple[Fault, int | str], list[Broken]]:
    rows: dict[tuple[Fault, int | str], list[Broken]] = {}
    for broken in integrity_check.check(progress):
        rows.setdefault((broken.fault, broken.key), []).append(broken)
    rank = {fault: index for index, fault in enumerate(_PLANNERS)}
    return dict(sorted(rows.items(), key=lambda row: rank[row[0][0]]))


def _propose(
    rows: dict[tuple[Fault, int | str], list[Broken]], now: datetime
) -> Iterator[Proposal]:
    look = Work(actor=_NOBODY, reason="", now=now)
    for (fault, key), found in rows.items():
        plan = _PLANNERS[fault](key, look)
        row, details = found[0].row, tuple(broken.detail for broken in found)
        if isinstance(plan, Plan):
            yield Proposal(
                id=_id_of(fault, key, plan),
                row=row,
                fault=fault,
                found=details,
                before=plan.before,
                after=plan.after,
                why=plan.why,
            )
        else:
            advice = plan.advice if plan else "It has just changed; run coc_check again."
            yield Proposal(id="", row=row, fault=fault, found=details, advice=advice)


def _id_of(fault: Fault, key: int | str, plan: Plan) -> str:
    what = f"{plan.before}\n{plan.after}".encode()
    return f"{fault}:{key}:{hashlib.sha256(what).hexdigest()[:6]}"


def apply(*, proposal_id: str, actor: Actor, reason: str, now: datetime) -> bool:
    """Apply one proposed repair; False if the row has changed since the proposal.

    Checks the row again under its lock; a change by another process wins.
    """
    name, _, rest = proposal_id.partition(":")
    key = rest.rpartition(":")[0]
    fault = next((fault for fault in Fault if fault == name), None)
    if fault is None or not (fault == Fault.REPORTS_OF_SITE or key.isdecimal()):
        return False
    work = Work(actor=actor, reason=reason, now=now, lock=True)
    try:
        done = _apply(fault, key if fault == Fault.REPORTS_OF_SITE else int(key), proposal_id, work)
    except (RepairLost, LedgerChanged):
        return False
    if done:
        logger.warning("Repaired %s for %s: %s", proposal_id, actor.name, reason)
    return done


def give_up(*, key: str, actor: Actor, reason: str, now: datetime) -> bool:
    """Abandon an order that cannot be restored; `key` is its site and number.

    False if no trace of it is known, or the order exists. Its traces stay.
    """
    if all(one.key != key for one in captures.vanished_orders()):
        return False
    site_id, _, order_no = key.partition("/")
    VanishedOrder.objects.get_or_create(
        site_id=site_id,
        order_no=order_no,
        defaults={"date": now.date(), "found_at": now},
    )
    won = VanishedOrder.objects.filter(site_id=site_id, order_no=order_no, given_up_at=None).update(
        given_up_at=now, given_up_by=actor.name[:150], given_up_reason=reason[:1000]
    )
    if won:
        logger.warning("Vanished order %s given up by %s: %s", key, actor.name, reason)
    return bool(won)


def _apply(fault: Fault, key: int | str, proposal_id: str, work: Work) -> bool:
    with transaction.atomic():
        plan = _PLANNERS[fault](key, work)
        if not isinstance(plan, Plan) or _id_of(fault, key, plan) != proposal_id:
            return False
        if plan.in_transaction:
            plan.act()
            return True
    plan.act()
    return True

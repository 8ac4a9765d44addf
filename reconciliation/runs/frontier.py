"""The progress of a run: which orders may be sent next, and which batches are done.

All of it is in the rows of batches and entries; a worker that takes over reads it from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.conf import settings

from reconciliation.connection.clients import shared_client
from reconciliation.models import Batch, EntryState, Run, RunEntry
from reconciliation.reservation import stock_refresh
from reconciliation.runs import lifecycle, planner, scopes
from reconciliation.runs.batch_leases import BatchLeases
from reconciliation.runs.planner import Key, Schedule

# So many orders are known ahead of those that are sent, to find ready ones among them.
AHEAD = 1_000


class Frontier:
    """The orders of a run that one worker has taken and that are not through."""

    def __init__(self, run: Run, *, leases: BatchLeases) -> None:
        self._run, self._leases = run, leases
        self._schedule = Schedule(blocked=_blocked(run))
        self._batch_of: dict[int, int] = {}
        self._open_in: Counter[int] = Counter()
        self._all_planned = False

    def __len__(self) -> int:
        """Return how many orders were neither answered nor withheld."""
        return len(self._schedule)

    def extend(self) -> bool:
        """Take batches, and plan new ones, until enough orders are known ahead.

        False if another worker has the run, or it has ended.
        """
        while len(self._schedule) <= AHEAD // 2 and not self._all_planned:
            lacking = AHEAD - len(self._schedule)
            batches = self._leases.claim(-(-lacking // settings.COC_BATCH_SIZE))
            if batches:
                self._add(batches)
                continue
            if self._leases.is_alone:
                return True
            planned = lifecycle.plan_round(
                self._run, now=self._leases.clock(), holder=self._leases.holder
            )
            if planned is None:
                return False
            self._run.starts += 1
            self._all_planned = not planned
        return True

    def take(self, most: int) -> list[int]:
        """Return up to `most` orders that may be sent now, oldest first."""
        order_ids = self._schedule.take(most)
        self.end_orders(self._schedule.newly_withheld())
        return order_ids

    def note_answer(self, order_id: int, *, is_short: bool) -> None:
        """Let the orders go on that waited for this one: OCI has decided about it."""
        if is_short:
            self._schedule.note_short(order_id)
        self._schedule.done(order_id, settled=True)

    def note_end(self, order_id: int, *, settled: bool) -> None:
        """Note that the run is through with an order; an unsettled one holds others back."""
        self._schedule.done(order_id, settled=settled)
        self._schedule.newly_withheld()
        self.end_orders([order_id])

    def end_orders(self, order_ids: Iterable[int]) -> None:
        """End the batches whose last orders these are: their outcomes are written down."""
        ended = []
        for order_id in order_ids:
            batch_id = self._batch_of.pop(order_id)
            self._open_in[batch_id] -= 1
            if not self._open_in[batch_id]:
                ended.append(batch_id)
        self._leases.close(ended)

    def _add(self, batches: Sequence[Batch]) -> None:
        entries = RunEntry.objects.filter(batch__in=batches, state=EntryState.PENDING)
        found = list(entries.order_by("position").values_list("order_id", "batch_id"))
        self._batch_of.update(found)
        self._open_in.update(batch_id for _, batch_id in found)
        self._leases.close([one.pk for one in batches if not self._open_in[one.pk]])
        self._schedule.add(scopes.demands_of([order_id for order_id, _ in found]))
        demands = self._schedule.demands
        popular = planner.popular(demands, at_once=settings.COC_OCI_CONCURRENCY)
        self._schedule.set_ample(planner.ample(demands, _stock(popular)))


def _stock(keys: Iterable[Key]) -> dict[Key, Decimal]:
    """Return OCI's current availability; empty if it does not answer."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    figures = stock_refresh.fetch(wanted, client=shared_client())
    return {figure.key: figure.ato for figure in figures}


def _blocked(run: Run) -> frozenset[Key]:
    """Return the SKUs of orders that this run has left waiting: later orders wait with them."""
    withheld = RunEntry.objects.filter(run=run, state=EntryState.OCI_OFFLINE)
    ids = list(withheld.values_list("order_id", flat=True))
    return frozenset(key for demand in scopes.demands_of(ids) for key in demand.units)

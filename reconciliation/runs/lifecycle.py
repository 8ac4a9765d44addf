"""Reconciliations: starting them, cutting them into batches, seeing how far they are, ending them.

A run takes its orders in rounds: a round plans what waits now, oldest first, and the next one is
planned before it is worked off. A run ends when a round finds nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from orders.actors import Actor
from orders.inserts import insert_all
from reconciliation import connection
from reconciliation.models import (
    ACTIVE_RUNS,
    Batch,
    BatchState,
    EntryState,
    Outage,
    Run,
    RunEntry,
    RunState,
    Scope,
    Trigger,
)
from reconciliation.queue import enqueue
from reconciliation.reasons import columns
from reconciliation.runs import scopes

logger = logging.getLogger(__name__)

_OUTCOMES = (
    EntryState.COMPLETE,
    EntryState.PARTIAL,
    EntryState.NOTHING,
    EntryState.NEEDS_REVIEW,
)


class RunRefused(Exception):
    """A reconciliation cannot start; `active_run` is the one under way, if that is why."""

    def __init__(self, detail: str, active_run: Run | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.active_run = active_run


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Orders of a run by state."""

    total: int
    pending: int
    complete: int
    partial: int
    nothing: int
    offline: int
    review: int
    skipped: int

    @property
    def percent(self) -> int:
        """Finished orders of a hundred, rounded down; 100 only when none is pending."""
        return 100 if not self.pending else 100 * (self.total - self.pending) // self.total

    @property
    def short(self) -> int:
        """Orders that did not get everything."""
        return self.partial + self.nothing


def start_run(
    *,
    trigger: Trigger,
    actor: Actor,
    now: datetime,
    scope: Scope = Scope.MISSING,
    scope_data: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Run:
    """Start a reconciliation; the queue does the work.

    Raises RunRefused while another one is active, while OCI is away, or with nothing to do.
    """
    if not connection.may_call(connection.current()):
        raise RunRefused(_("OCI is offline. Reconciliation starts automatically when it is back."))
    data = dict(scope_data or {})
    if not scopes.orders_in(scope, data).exists():
        raise RunRefused(_("No order is in this scope, so there is nothing to reconcile."))
    try:
        with transaction.atomic():
            run = Run.objects.create(
                trigger=trigger,
                actor=actor.name[:150],
                **columns("reason", reason, limit=500),
                scope=scope,
                scope_data=data,
                created_at=now,
                outage=Outage.objects.filter(is_open=True).first(),
            )
            enqueue.soon("work_run", run.pk)
    except IntegrityError:
        raise RunRefused(
            _("A reconciliation is already running. Wait until it ends."), active_run()
        ) from None
    return run


def active_run() -> Run | None:
    """Return the reconciliation under way, if there is one."""
    return Run.objects.filter(is_active=True).first()


def plan_round(run: Run, *, now: datetime, holder: str = "") -> int | None:
    """Plan the next round of a run in one transaction; return how many orders it has.

    Of two workers that try, one plans; the other gets None and must look again. Nothing is planned
    while batches are unfinished, apart from those that `holder` works on.
    """
    with transaction.atomic():
        mine = Run.objects.filter(pk=run.pk, is_active=True, starts=run.starts)
        if not mine.select_for_update().exists():
            return None
        unfinished = run.batches.exclude(state=BatchState.DONE)
        if holder:
            unfinished = unfinished.exclude(holder=holder)
        if unfinished.exists():
            return None
        won = mine.update(
            state=RunState.RUNNING,
            starts=F("starts") + 1,
            started_at=Coalesce("started_at", Value(now)),
        )
        if not won:
            return None
        order_ids = scopes.round_of(run.scope, run.scope_data, run=run, now=now)
        if order_ids:
            _write_down(run, order_ids)
        return len(order_ids)


def _write_down(run: Run, order_ids: Sequence[int]) -> None:
    """Write the entries of a round, oldest first, and cut them into batches."""
    last = run.batches.aggregate(round=Max("lane"))["round"]
    first = run.entries.aggregate(position=Max("position"))["position"]
    size = settings.COC_BATCH_SIZE
    batches = Batch.objects.bulk_create(
        [
            Batch(run=run, lane=0 if last is None else last + 1, sequence=sequence)
            for sequence in range(-(-len(order_ids) // size))
        ]
    )
    insert_all(
        [
            RunEntry(
                run=run,
                batch=batches[index // size],
                order_id=pk,
                position=index if first is None else first + 1 + index,
            )
            for index, pk in enumerate(order_ids)
        ]
    )


def progress(run: Run) -> RunProgress:
    """Return how far a run is, counted from its entries."""
    return progress_of(dict(run.entries.order_by().values_list("state").annotate(n=Count("pk"))))


def progress_of(counts: Mapping[str, int]) -> RunProgress:
    """Return how far a run is by the number of its entries in each state."""
    return RunProgress(
        total=sum(counts.values()),
        pending=counts.get(EntryState.PENDING, 0),
        complete=counts.get(EntryState.COMPLETE, 0),
        partial=counts.get(EntryState.PARTIAL, 0),
        nothing=counts.get(EntryState.NOTHING, 0),
        offline=counts.get(EntryState.OCI_OFFLINE, 0),
        review=counts.get(EntryState.NEEDS_REVIEW, 0),
        skipped=counts.get(EntryState.SKIPPED, 0),
    )


def is_pending(*, run_id: int, order_id: int) -> bool:
    """Whether a run has still to do something with an order."""
    return RunEntry.objects.filter(
        run_id=run_id, order_id=order_id, state=EntryState.PENDING
    ).exists()


def finish_entry(*, run_id: int, order_id: int, state: EntryState | str, now: datetime) -> bool:
    """Record the run's outcome for one order; False if it is already recorded."""
    return bool(finish_entries(run_id=run_id, order_ids=[order_id], state=state, now=now))


def finish_entries(
    *, run_id: int, order_ids: Collection[int], state: EntryState | str, now: datetime
) -> int:
    """Record the run's outcome for orders; return how many were new.

    A worker may be in the middle of an order when another one finds that OCI is gone and ends the
    run: an outcome then takes the place of `OCI_OFFLINE`.
    """
    open_states = [EntryState.PENDING]
    if state in _OUTCOMES:
        open_states.append(EntryState.OCI_OFFLINE)
    if not order_ids:
        return 0
    entries = RunEntry.objects.filter(run_id=run_id, order_id__in=order_ids)
    return entries.filter(state__in=open_states).update(state=str(state), finished_at=now)


def end_run(run_id: int, *, state: RunState | None, now: datetime) -> bool:
    """End a run, with `state` or by its counts; pending orders wait for the next cycle.

    Of two that end it one wins; False for the other.
    """
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state not in ACTIVE_RUNS:
            return False
        # Batches before their entries, and in order, as when a batch ends: no deadlock.
        unfinished = run.batches.exclude(state=BatchState.DONE).order_by("pk")
        ids = list(unfinished.select_for_update().values_list("pk", flat=True))
        Batch.objects.filter(pk__in=ids).update(state=BatchState.DONE, finished_at=now)
        run.entries.filter(state=EntryState.PENDING).update(
            state=EntryState.OCI_OFFLINE, finished_at=now
        )
        final = state or _state_by_counts(progress(run))
        won = Run.objects.filter(pk=run_id, is_active=True).update(
            state=final, is_active=False, finished_at=now
        )
        if won:
            enqueue.soon("after_run", run_id)
        return bool(won)


def _state_by_counts(counts: RunProgress) -> RunState:
    if counts.offline:
        return RunState.OCI_OFFLINE
    return RunState.SHORTAGES if counts.short or counts.review else RunState.COMPLETED

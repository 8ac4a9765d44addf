"""Working on runs: batches are claimed under a lease, their orders reserved oldest first per SKU.

Any number of workers may call `work_run` for one run. A worker that dies leaves a lease that ends,
documents that are repeated as they are, and entries that are still pending.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connections
from django.db.models import F, Q

from reconciliation import connection, runs, wake
from reconciliation.models import Batch, BatchState, EntryState, Run, RunEntry, RunState
from reconciliation.order_work import OrderWork, WorkEnd
from reconciliation.planner import Key, Schedule

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Pause = Callable[[float], None]

# A batch that never ends however often it is started is given up for this run.
_MOST_STARTS = 10


def work_run(*, run_id: int, clock: Clock, budget: timedelta, pause: Pause = time.sleep) -> bool:
    """Work on a run for about `budget`; True if work is left that this worker could go on with."""
    holder = f"run:{run_id}:{uuid.uuid4().hex}"
    until = clock() + budget
    while clock() < until:
        run = Run.objects.filter(pk=run_id, is_active=True).first()
        if run is None:
            return False
        batch = claim_batch(run, holder=holder, now=clock())
        if batch is not None:
            ended = _BatchWork(run, batch, holder=holder, clock=clock, pause=pause).work()
            if ended is not None:
                runs.end_run(run_id, state=ended, now=clock())
                return False
        elif _others_work_on(run):
            return False
        elif runs.plan_round(run, now=clock()):
            _wake_others(run)
        elif not _others_work_on(run):
            runs.end_run(run_id, state=None, now=clock())
            return False
    return True


def _others_work_on(run: Run) -> bool:
    return run.batches.exclude(state=BatchState.DONE).exists()


def _wake_others(run: Run) -> None:
    lanes = run.batches.exclude(state=BatchState.DONE).values("lane").distinct().count()
    for _ in range(min(settings.COC_WORKERS, lanes) - 1):
        wake.soon("work_run", run.pk)


def claim_batch(run: Run, *, holder: str, now: datetime) -> Batch | None:
    """Take the first batch whose lane is done up to it and that nobody works on; None if none is.

    Starts are counted before the work, so that a batch that kills its workers is noticed.
    """
    seen: set[int] = set()
    unfinished = run.batches.exclude(state=BatchState.DONE).order_by("lane", "sequence")
    for batch in unfinished.iterator(chunk_size=200):
        if batch.lane in seen:
            continue
        seen.add(batch.lane)
        free = Q(state=BatchState.READY) | Q(state=BatchState.RUNNING, leased_until__lte=now)
        won = Batch.objects.filter(free, pk=batch.pk, starts=batch.starts).update(
            state=BatchState.RUNNING,
            holder=holder,
            leased_until=now + _lease(),
            starts=F("starts") + 1,
            started_at=batch.started_at or now,
        )
        if won:
            batch.refresh_from_db()
            return batch
    return None


def _lease() -> timedelta:
    return timedelta(seconds=settings.COC_LEASE_SECONDS)


class _BatchWork:
    """One worker's work on one batch."""

    def __init__(self, run: Run, batch: Batch, *, holder: str, clock: Clock, pause: Pause) -> None:
        self.run, self.batch, self.holder = run, batch, holder
        self.clock, self.pause = clock, pause
        self._ended: RunState | None = None
        self._lost = False
        self._errors: list[BaseException] = []

    def work(self) -> RunState | None:
        """Reserve the batch's pending orders; the state in which the run must end, if it must."""
        pending = self.batch.entries.filter(state=EntryState.PENDING).order_by("position")
        order_ids = list(pending.values_list("order_id", flat=True))
        if self.batch.starts > _MOST_STARTS:
            self._give_up(order_ids)
            return None
        schedule = Schedule(runs.demands_of(order_ids), blocked=self._blocked())
        self._work_in_threads(schedule, orders=len(order_ids))
        if self._errors:
            raise self._errors[0]
        if self._ended is None and not self._lost:
            for order_id in schedule.left():
                self._finish(order_id, EntryState.OCI_OFFLINE)
            self._done()
        return self._ended

    def _work_in_threads(self, schedule: Schedule, *, orders: int) -> None:
        share = connection.pace().concurrency // settings.COC_WORKERS
        threads = max(1, min(share, orders))
        if threads == 1:
            self._loop(schedule)
            return
        others = [
            threading.Thread(target=self._loop_in_thread, args=(schedule,), daemon=True)
            for _ in range(threads)
        ]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join()

    def _loop_in_thread(self, schedule: Schedule) -> None:
        try:
            self._loop(schedule)
        finally:
            # Each thread has connections of its own, which nobody else could close.
            connections.close_all()

    def _loop(self, schedule: Schedule) -> None:
        try:
            while (order_id := schedule.take()) is not None:
                end = self._work_on(order_id)
                schedule.done(order_id, settled=end.settled)
                if end.run_state is not None:
                    self._ended = end.run_state
                if end.run_state is not None or self._lost:
                    schedule.stop()
        except BaseException as error:
            self._errors.append(error)
            schedule.stop()

    def _work_on(self, order_id: int) -> WorkEnd:
        if not self._renew():
            self._lost = True
            return WorkEnd(settled=False)
        return OrderWork(
            run_id=self.run.pk,
            order_id=order_id,
            holder=self.holder,
            clock=self.clock,
            pause=self.pause,
        ).work()

    def _renew(self) -> bool:
        """Keep the lease while the batch moves; False if another worker has it or the run ended."""
        return bool(
            Batch.objects.filter(
                pk=self.batch.pk,
                holder=self.holder,
                state=BatchState.RUNNING,
                run__is_active=True,
            ).update(leased_until=self.clock() + _lease())
        )

    def _blocked(self) -> frozenset[Key]:
        """Return the SKUs of orders that this run has left waiting: later orders wait with them."""
        withheld = RunEntry.objects.filter(run=self.run, state=EntryState.OCI_OFFLINE)
        ids = list(withheld.values_list("order_id", flat=True))
        return frozenset(key for demand in runs.demands_of(ids) for key in demand.units)

    def _give_up(self, order_ids: list[int]) -> None:
        logger.error("Batch %s was started %s times without an end.", self.batch, _MOST_STARTS)
        for order_id in order_ids:
            self._finish(order_id, EntryState.OCI_OFFLINE)
        self._done()

    def _finish(self, order_id: int, state: EntryState) -> None:
        runs.finish_entry(run_id=self.run.pk, order_id=order_id, state=state, now=self.clock())

    def _done(self) -> None:
        Batch.objects.filter(pk=self.batch.pk, holder=self.holder).update(
            state=BatchState.DONE, finished_at=self.clock(), leased_until=None
        )

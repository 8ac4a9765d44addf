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
from django.db import connections, transaction
from django.db.models import F, Q, QuerySet

from reconciliation import connection
from reconciliation.models import Batch, BatchState, EntryState, Run, RunEntry, RunState
from reconciliation.queue import enqueue
from reconciliation.runs import lifecycle, scopes
from reconciliation.runs.order_worker import MOST_PATIENCE, End, OrderWork, WorkEnd
from reconciliation.runs.planner import Key, Schedule

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Pause = Callable[[float], None]

# A batch that never ends however often it is started is given up for this run.
_MOST_STARTS = 10
# How long work on an order may go on waiting when the worker's time is over.
_OVERTIME = timedelta(seconds=15)


def work_run(*, run_id: int, clock: Clock, budget: timedelta, pause: Pause = time.sleep) -> bool:
    """Work on a run for about `budget`; True if work is left that this worker could go on with."""
    holder = f"run:{run_id}:{uuid.uuid4().hex}"
    until = clock() + budget
    while clock() < until:
        run = Run.objects.filter(pk=run_id, is_active=True).first()
        # While OCI asks for a long pause the sweep looks after the run.
        if run is None or connection.pace(clock()).wait_seconds > MOST_PATIENCE:
            return False
        batch = claim_batch(run, holder=holder, now=clock())
        if batch is not None:
            work = _BatchWork(run, batch, holder=holder, clock=clock, pause=pause, until=until)
            ended = work.work()
            if ended is not None:
                lifecycle.end_run(run_id, state=ended, now=clock())
                return False
            continue
        if _others_work_on(run):
            return False
        planned = lifecycle.plan_round(run, now=clock())
        if planned:
            _wake_others(run)
        elif planned is not None:
            lifecycle.end_run(run_id, state=None, now=clock())
            return False
    return True


def _others_work_on(run: Run) -> bool:
    return run.batches.exclude(state=BatchState.DONE).exists()


def _wake_others(run: Run) -> None:
    lanes = run.batches.exclude(state=BatchState.DONE).values("lane").distinct().count()
    for _ in range(min(settings.COC_WORKERS, lanes) - 1):
        enqueue.soon("work_run", run.pk)


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
    """One worker's work on one batch, until `until` or a little longer."""

    def __init__(
        self,
        run: Run,
        batch: Batch,
        *,
        holder: str,
        clock: Clock,
        pause: Pause,
        until: datetime,
    ) -> None:
        self.run, self.batch, self.holder = run, batch, holder
        self.clock, self.pause, self.until = clock, pause, until
        self._ended: RunState | None = None
        self._paused = False
        self._errors: list[BaseException] = []

    def work(self) -> RunState | None:
        """Reserve the batch's pending orders; the state in which the run must end, if it must."""
        pending = self.batch.entries.filter(state=EntryState.PENDING).order_by("position")
        order_ids = list(pending.values_list("order_id", flat=True))
        if self.batch.starts > _MOST_STARTS:
            logger.error("Batch %s was started %s times without an end.", self.batch, _MOST_STARTS)
            self._close(order_ids)
            return None
        schedule = Schedule(scopes.demands_of(order_ids), blocked=self._blocked())
        self._work_in_threads(schedule, orders=len(order_ids))
        if self._errors:
            raise self._errors[0]
        if self._paused:
            self._give_back()
        elif self._ended is None:
            self._close(schedule.left())
        return self._ended

    def _work_in_threads(self, schedule: Schedule, *, orders: int) -> None:
        share = connection.pace(self.clock()).concurrency // settings.COC_WORKERS
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
                if end.end == End.RUN_OVER:
                    self._ended = end.run_state
                elif end.end == End.PAUSE or self.clock() >= self.until:
                    self._paused = True
                if self._ended is not None or self._paused:
                    schedule.stop()
                schedule.done(order_id, settled=end.end == End.SETTLED)
        except BaseException as error:
            self._errors.append(error)
            schedule.stop()

    def _work_on(self, order_id: int) -> WorkEnd:
        if not self._keep():
            return WorkEnd(End.PAUSE)
        return OrderWork(
            run_id=self.run.pk,
            order_id=order_id,
            holder=self.holder,
            clock=self.clock,
            pause=self.pause,
            keep=self._keep,
            deadline=self.until + _OVERTIME,
        ).work()

    def _mine(self) -> QuerySet[Batch]:
        """Return the batch as long as no other worker has it and the run has not ended.

        Of one table alone: an update with a join would not look again at a row it had to wait for.
        """
        return Batch.objects.filter(pk=self.batch.pk, holder=self.holder, state=BatchState.RUNNING)

    def _keep(self) -> bool:
        """Keep the lease while the batch moves; False if it is not ours any more."""
        return bool(self._mine().update(leased_until=self.clock() + _lease()))

    def _blocked(self) -> frozenset[Key]:
        """Return the SKUs of orders that this run has left waiting: later orders wait with them."""
        withheld = RunEntry.objects.filter(run=self.run, state=EntryState.OCI_OFFLINE)
        ids = list(withheld.values_list("order_id", flat=True))
        return frozenset(key for demand in scopes.demands_of(ids) for key in demand.units)

    def _give_back(self) -> None:
        """Let the batch be taken up again at once; this start did not fail."""
        self._mine().update(
            state=BatchState.READY, holder="", leased_until=None, starts=F("starts") - 1
        )

    def _close(self, left: list[int]) -> None:
        """End the batch; orders that are left stay waiting for the next cycle."""
        now = self.clock()
        with transaction.atomic():
            if not self._mine().update(state=BatchState.DONE, finished_at=now, leased_until=None):
                return
            for order_id in left:
                lifecycle.finish_entry(
                    run_id=self.run.pk, order_id=order_id, state=EntryState.OCI_OFFLINE, now=now
                )

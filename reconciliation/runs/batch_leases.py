"""Who works on a run: batches are taken under leases, by one worker of a run at a time.

A worker that dies leaves leases that expire; the next worker continues its batches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce

from reconciliation.models import Batch, BatchState, EntryState, Run, RunEntry

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

# A batch that never ends however often it is started is given up for this run.
MOST_STARTS = 10


def lease_time() -> timedelta:
    """Return how long a lease or a claim lasts unless it is renewed."""
    return timedelta(seconds=settings.COC_LEASE_SECONDS)


def others_work_on(run: Run, *, holder: str, now: datetime) -> bool:
    """Return whether a worker other than `holder` has batches of a run under a lease."""
    running = run.batches.filter(state=BatchState.RUNNING, leased_until__gt=now)
    return running.exclude(holder=holder).exists()


def claim_batches(run: Run, *, holder: str, now: datetime, most: int) -> list[Batch]:
    """Take the next `most` batches of a run, in order of capture; none while another worker has it.

    Starts are counted before the work, so that a batch that kills its workers is noticed: one that
    was started before is taken alone, and nothing behind it until it is done.
    """
    with transaction.atomic():
        # The row of the run decides between two workers that take different batches.
        if not Run.objects.select_for_update().filter(pk=run.pk, is_active=True).exists():
            return []
        if others_work_on(run, holder=holder, now=now):
            return []
        unfinished = run.batches.exclude(state=BatchState.DONE)
        mine = unfinished.filter(state=BatchState.RUNNING, holder=holder)
        if mine.filter(starts__gt=1).exists():
            return []
        next_ones = unfinished.exclude(pk__in=mine.values("pk")).order_by("lane", "sequence")
        found = list(next_ones[:most])
        started = [index for index, batch in enumerate(found) if batch.starts > 0]
        if started:
            alone = 0 if started[0] or mine.exists() else 1
            found = found[: started[0] + alone]
        ids = [batch.pk for batch in found]
        Batch.objects.filter(pk__in=ids).update(
            state=BatchState.RUNNING,
            holder=holder,
            leased_until=now + lease_time(),
            starts=F("starts") + 1,
            started_at=Coalesce("started_at", Value(now)),
        )
        for batch in found:
            batch.starts += 1
        return found


class BatchLeases:
    """The batches of one run that one worker has."""

    def __init__(self, run: Run, *, holder: str, clock: Clock) -> None:
        self.run, self.holder, self.clock = run, holder, clock
        # How often each was started.
        self._held: dict[int, int] = {}

    def __len__(self) -> int:
        """Return how many batches this worker has and has not ended."""
        return len(self._held)

    @property
    def is_alone(self) -> bool:
        """Whether this worker has a batch that killed another worker: it takes no other batch."""
        return any(starts > 1 for starts in self._held.values())

    def claim(self, most: int) -> list[Batch]:
        """Take the next batches; those that have killed too many workers are ended instead."""
        while True:
            found = claim_batches(self.run, holder=self.holder, now=self.clock(), most=most)
            self._held.update((batch.pk, batch.starts) for batch in found)
            if not found or found[0].starts <= MOST_STARTS:
                return found
            logger.error("%s was started %s times without an end.", found[0], MOST_STARTS)
            self.close([found[0].pk])

    def keep(self) -> bool:
        """Renew the leases; False if a batch is another's by now or the run has ended."""
        with transaction.atomic():
            mine = self._lock(self._held)
            Batch.objects.filter(pk__in=mine).update(leased_until=self.clock() + lease_time())
        return len(mine) == len(self._held)

    def are_mine(self) -> bool:
        """Whether no batch is another's by now, and the run has not ended; one query."""
        return self._mine(self._held).count() == len(self._held)

    def give_back(self) -> None:
        """Release the batches for another worker at once; this start did not fail."""
        with transaction.atomic():
            Batch.objects.filter(pk__in=self._lock(self._held)).update(
                state=BatchState.READY, holder="", leased_until=None, starts=F("starts") - 1
            )
        self._held.clear()

    def close(self, batch_ids: Collection[int]) -> None:
        """End batches; their orders that are still pending stay waiting for the next cycle."""
        if not batch_ids:
            return
        now = self.clock()
        with transaction.atomic():
            mine = self._lock(batch_ids)
            Batch.objects.filter(pk__in=mine).update(
                state=BatchState.DONE, finished_at=now, leased_until=None
            )
            RunEntry.objects.filter(batch__in=mine, state=EntryState.PENDING).update(
                state=EntryState.OCI_OFFLINE, finished_at=now
            )
        for batch_id in batch_ids:
            self._held.pop(batch_id, None)

    def _lock(self, batch_ids: Collection[int]) -> list[int]:
        """Lock those of the batches that no other worker has taken, while the run has not ended.

        Of one table alone: a condition with a join would not look again at a row it waited for.
        """
        mine = self._mine(batch_ids).order_by("pk").select_for_update()
        return list(mine.values_list("pk", flat=True))

    def _mine(self, batch_ids: Collection[int]) -> QuerySet[Batch]:
        return Batch.objects.filter(
            pk__in=list(batch_ids), holder=self.holder, state=BatchState.RUNNING
        )

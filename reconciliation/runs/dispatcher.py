"""The dispatcher of a run: sends ready orders, counts answers, in sets.

One worker dispatches a run at a time (`batch_leases`). It prepares the documents of ready orders
together, commits them, and only then lets threads send them (`calls`). An answer makes the orders
ready that waited for it; answers are counted together. What is not plain goes through `OrderWork`,
one order at a time, in the same threads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial

from django.conf import settings
from django.db import transaction

from orders import outcome_sets
from orders.actors import job
from reconciliation import connection
from reconciliation.models import Run, RunState
from reconciliation.oci.client import PutAnswer
from reconciliation.oci.errors import OciError, OciThrottled
from reconciliation.reservation import sets
from reconciliation.reservation.sets import Answered, Prepared
from reconciliation.runs import lifecycle, order_worker
from reconciliation.runs.batch_leases import BatchLeases, lease_time
from reconciliation.runs.calls import Calls, CallsHere, CallsInThreads
from reconciliation.runs.frontier import Frontier
from reconciliation.runs.order_worker import MOST_PATIENCE, End, OrderWork, Sent, WorkEnd
from reconciliation.runs.speed import Speed

Clock = Callable[[], datetime]
Pause = Callable[[float], None]

# How long work on an order may go on waiting when the worker's time is over.
_OVERTIME = timedelta(seconds=15)
# Prepared documents for each call that may be under way; more while the last ones were sent fast:
# an order in a large set costs less, and none of them waits long.
_ROOM, _ROOM_WHEN_FAST = 4, 8
_FAST = timedelta(seconds=1)
# The largest set, in batches.
_BATCHES_IN_SET = 4
# How often the leases are renewed, at most.
_KEEP_EVERY = timedelta(seconds=1)
# How long an answer may wait to be counted together with others.
_MOST_AGE = timedelta(seconds=0.25)
# How old the state of the connection may be that is gone by, and how long results are waited for.
_LOOK_EVERY = timedelta(seconds=0.1)
_COLLECT_FOR = 0.05


class Ending(Enum):
    """How a dispatcher's work on a run ended."""

    NOT_MINE = "another worker has the run"
    PAUSED = "the worker stopped; the run goes on"
    RUN_OVER = "the run must end now"
    FINISHED = "nothing is left to do"


@dataclass(frozen=True, slots=True)
class _Stale:
    """A prepared document that was not sent: its claim might have been another's by then."""

    order_id: int


@dataclass(frozen=True, slots=True)
class _Worked:
    """How `OrderWork` ended for an order."""

    order_id: int
    end: WorkEnd


@dataclass(frozen=True, slots=True)
class _Counted:
    """Answers that were counted together, but for those of orders that have moved on."""

    answers: Sequence[Answered]
    order_ids: frozenset[int]


_Result = Sent | _Stale | _Worked | _Counted


class Dispatcher:
    """One worker's work on one run, until `until` or a little longer."""

    def __init__(
        self, run: Run, *, holder: str, clock: Clock, pause: Pause, until: datetime
    ) -> None:
        self.run, self.holder = run, holder
        self.clock, self.pause, self.until = clock, pause, until
        # In which state the run must end, with RUN_OVER.
        self.run_state: RunState | None = None
        self._leases = BatchLeases(run, holder=holder, clock=clock)
        self._kept_at = self._looked_at = self._oldest_answer = self._filled_at = clock()
        self._frontier = Frontier(run, leases=self._leases)
        self._one_by_one = settings.COC_OCI_CONCURRENCY == 1
        self._calls: Calls[_Result] = (
            CallsHere() if self._one_by_one else CallsInThreads(most=settings.COC_OCI_CONCURRENCY)
        )
        self._answers: list[Answered] = []
        self._claimed: set[int] = set()
        self._speed = Speed(most=settings.COC_OCI_CONCURRENCY)
        self._wait = 0.0
        self._stopped = self._is_counting = False
        self._must_look = True
        self._is_fast = False

    def work(self) -> Ending:
        """Work on the run as long as there is something to do and time left."""
        try:
            self._extend()
            if not len(self._leases) and self._stopped:
                return Ending.NOT_MINE
            while self._step():
                pass
        finally:
            self._calls.close()
        if self._claimed:
            outcome_sets.drop_claims(self._claimed, holder=self.holder)
        if self.run_state is not None:
            return Ending.RUN_OVER
        if not self._stopped:
            return Ending.FINISHED
        self._leases.give_back()
        return Ending.PAUSED

    def _step(self) -> bool:
        """Prepare, collect and count available work; False when none is left."""
        if self._must_look or self.clock() - self._looked_at >= _LOOK_EVERY:
            self._look()
        if self._stopped:
            self._calls.drop()
        elif self._calls.waiting() <= self._room // 2:
            self._fill()
        if self._calls.is_idle():
            if self._answers:
                self._count()
                return True
            if self._stopped or not len(self._frontier):
                return False
            if self._wait:
                self.pause(self._wait)
                self._must_look = True
            return True
        for result in self._calls.collect(_COLLECT_FOR):
            self._take(result)
        if self._count_is_due():
            self._count()
        return True

    @property
    def _room(self) -> int:
        """How many prepared documents may wait to be sent: enough for while a set is written."""
        room = _ROOM_WHEN_FAST if self._is_fast else _ROOM
        most: int = room * min(self._speed.limit, settings.COC_BATCH_SIZE)
        return most

    @property
    def _largest_set(self) -> int:
        most: int = _BATCHES_IN_SET * settings.COC_BATCH_SIZE
        return most

    def _count_is_due(self) -> bool:
        if self._is_counting or not self._answers:
            return False
        if self._one_by_one or len(self._answers) >= self._largest_set:
            return True
        return self.clock() - self._oldest_answer >= _MOST_AGE or self._calls.is_idle()

    def _look(self) -> None:
        """Check the connection and the clock: whether to continue, and how fast."""
        state = connection.current()
        now = self._looked_at = self.clock()
        # One call at a time leaves time to look before each.
        self._must_look = self._one_by_one
        away = order_worker.away_state(state)
        pace = connection.pace(now, of=state)
        self._wait = pace.wait_seconds
        self._calls.set_limit(self._speed.seen(pace.concurrency, now=now))
        self._calls.hold(self._wait > 0)
        if away is not None:
            self._end_run(away)
        elif now >= self.until or self._wait > MOST_PATIENCE or not self._keep():
            self._stopped = True

    def _keep(self) -> bool:
        """Keep the leases while the run moves; False if it is another's by now or has ended."""
        now = self.clock()
        if now - self._kept_at < _KEEP_EVERY:
            return self._leases.are_mine()
        self._kept_at = now
        return self._leases.keep()

    def _end_run(self, state: RunState) -> None:
        self.run_state = self.run_state or state
        self._stopped = True

    # What comes next

    def _extend(self) -> None:
        if not self._frontier.extend():
            self._stopped = True

    def _fill(self) -> None:
        """Claim ready orders and write their documents down; once committed they may be sent."""
        self._extend()
        most = min(self._largest_set, self._room - self._calls.waiting())
        order_ids = self._frontier.take(most)
        if not order_ids:
            return
        if not self._keep():
            self._stopped = True
            return
        now = self.clock()
        self._is_fast, self._filled_at = now - self._filled_at < _FAST, now
        # No longer than the leases, so a worker that takes over never waits for dead claims.
        until = self._kept_at + lease_time()
        with transaction.atomic():
            claimed = outcome_sets.claim_waiting(
                order_ids, holder=self.holder, until=until, now=now
            )
            prepared = sets.prepare(claimed, now=now)
        self._claimed.update(order.pk for order in claimed)
        # A document that has waited too long to be sent might be another worker's by now.
        send_until = now + lease_time() / 2
        self._calls.add([partial(self._send, one, send_until) for one in prepared])
        plain = {one.order.pk for one in prepared}
        for order_id in order_ids:
            if order_id not in plain:
                self._calls.add_first(partial(self._work_on, order_id))

    # In threads

    def _send(self, prepared: Prepared, until: datetime) -> _Result:
        if self.clock() >= until:
            return _Stale(prepared.order.pk)
        sent = order_worker.send(prepared)
        if isinstance(sent.answer, OciThrottled):
            # Nothing more is sent until it is known how long to wait.
            self._calls.hold(True)
        return sent

    def _work_on(self, order_id: int, sent: Sent | None = None) -> _Result:
        work = OrderWork(
            run_id=self.run.pk,
            order_id=order_id,
            holder=self.holder,
            clock=self.clock,
            pause=self.pause,
            keep=self._leases.keep,
            deadline=self.until + _OVERTIME,
        )
        return _Worked(order_id, work.work(sent))

    # What came of it

    def _take(self, result: _Result) -> None:
        match result:
            case Sent(prepared, OciError()):
                self._must_look = True
                self._speed.trouble()
                self._calls.add_first(partial(self._work_on, prepared.order.pk, result))
            case Sent(prepared, PutAnswer() as answer):
                self._take_answer(Answered(prepared, answer))
            case _Stale(order_id):
                self._calls.add_first(partial(self._work_on, order_id))
            case _Counted():
                self._take_counted(result)
            case _Worked(order_id, end):
                self._claimed.discard(order_id)
                self._take_end(order_id, end)

    def _take_answer(self, answered: Answered) -> None:
        """Let the orders go on that waited for this one: OCI has decided about it."""
        if not self._answers:
            self._oldest_answer = self.clock()
        self._answers.append(answered)
        if self._speed.good():
            self._calls.set_limit(self._speed.limit)
        self._frontier.note_answer(
            answered.prepared.order.pk, is_short=not answered.answer.judgement.complete
        )

    def _take_end(self, order_id: int, end: WorkEnd) -> None:
        if end.end == End.RUN_OVER:
            self._end_run(end.run_state or RunState.OCI_OFFLINE)
        elif end.end == End.PAUSE:
            self._stopped = True
        else:
            self._frontier.note_end(order_id, settled=end.end == End.SETTLED)

    def _count(self) -> None:
        """Count the answers that have come, together, while others are on their way."""
        answers, self._answers = self._answers, []
        self._is_counting = True
        self._calls.add_apart(partial(self._count_together, answers))

    def _count_together(self, answers: Sequence[Answered]) -> _Counted:
        now = self.clock()
        with transaction.atomic():
            settled = sets.count(
                answers,
                holder=self.holder,
                actor=job(f"reconciliation run {self.run.pk}"),
                now=now,
                run_id=self.run.pk,
            )
            by_state: dict[str, list[int]] = defaultdict(list)
            for one in settled:
                by_state[one.state].append(one.order.pk)
            for state, order_ids in sorted(by_state.items()):
                lifecycle.finish_entries(
                    run_id=self.run.pk, order_ids=order_ids, state=state, now=now
                )
        return _Counted(answers, frozenset(one.order.pk for one in settled))

    def _take_counted(self, counted: _Counted) -> None:
        self._is_counting = False
        self._claimed -= counted.order_ids
        self._frontier.end_orders(counted.order_ids)
        for answered in counted.answers:
            prepared = answered.prepared
            if prepared.order.pk not in counted.order_ids:
                sent = Sent(prepared, answered.answer)
                self._calls.add_first(partial(self._work_on, prepared.order.pk, sent))

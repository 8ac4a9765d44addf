"""One order in one run: asked for, counted, or left for the next cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.db import transaction

from orders import lifecycle as order_lifecycle
from orders import outcomes
from orders.actors import Actor, job
from orders.lifecycle import Action
from orders.models import Order
from reconciliation import connection, reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import Connection, EntryState, OfflineCause, Purpose, RunState
from reconciliation.oci.client import PutAnswer
from reconciliation.oci.errors import OciError
from reconciliation.reservation import Asked, Verdict
from reconciliation.reservation.sets import Prepared
from reconciliation.runs import lifecycle

# One layer of retries, within one run; after it comes the next cycle.
_PAUSES = {
    Verdict.OFFLINE: (0.4, 1.0, 2.0),
    Verdict.LATER: (0.25, 0.5, 1.0, 2.0, 4.0),
    Verdict.THROTTLED: (0.5, 1.0, 2.0, 4.0, 8.0),
}
_PAUSES_FOR_CLAIM = (0.2, 0.5, 1.0, 2.0)
# A worker waits no longer than this for anything; the run goes on in another task.
MOST_PATIENCE = 10.0


class End(Enum):
    """How work on an order ended."""

    SETTLED = "settled"  # the run is through with it
    WITHHELD = "withheld"  # it stays waiting for the next cycle, and later ones behind it
    PAUSE = "pause"  # the worker must stop for now; the run goes on with this order later
    RUN_OVER = "run over"


@dataclass(frozen=True, slots=True)
class WorkEnd:
    """How work on an order ended; with RUN_OVER, the state that the run ends in."""

    end: End
    run_state: RunState | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A prepared document that was sent, and what came back."""

    prepared: Prepared
    answer: PutAnswer | OciError


def send(prepared: Prepared) -> Sent:
    """Send a prepared document; writes nothing."""
    document = prepared.document
    try:
        answer = shared_client().put_reservation(
            reservation_id=document.reservation_id, body=document.body
        )
    except OciError as error:
        return Sent(prepared, error)
    return Sent(prepared, answer)


@dataclass(frozen=True, slots=True)
class OrderWork:
    """A worker's attempt to settle one order, with all its cases.

    `keep` renews the lease of the batch and says whether it is still this worker's. Nothing is
    waited for beyond `deadline`.
    """

    run_id: int
    order_id: int
    holder: str
    clock: Callable[[], datetime]
    pause: Callable[[float], None]
    keep: Callable[[], bool]
    deadline: datetime

    @property
    def _actor(self) -> Actor:
        return job(f"reconciliation run {self.run_id}")

    def work(self, sent: Sent | None = None) -> WorkEnd:
        """Ask OCI until the order is settled or must wait; `sent` is a call that was made for it.

        The one who made that call had the claim for this holder.
        """
        if sent is not None:
            return self._ask(Purpose.ORDER, first=lambda: self._after(sent))
        away = away_state()
        if away is not None:
            return WorkEnd(End.RUN_OVER, away)
        purpose = self._claim()
        if isinstance(purpose, WorkEnd):
            return purpose
        return self._ask(purpose)

    def _ask(
        self, purpose: Purpose, *, first: Callable[[], Asked | None] = lambda: None
    ) -> WorkEnd:
        tried = 0
        asked = first()
        while True:
            if asked is None:
                throttled = connection.pace(self.clock()).wait_seconds
                if throttled and not self._wait(throttled):
                    return self._leave(End.PAUSE)
                asked = self._ask_once(purpose)
            if asked.verdict == Verdict.ANSWERED:
                return self._count(purpose)
            if asked.verdict == Verdict.REVIEW:
                return self._review(asked)
            away = away_state()
            if away is not None or asked.verdict == Verdict.CONFIGURATION:
                return self._leave(End.RUN_OVER, away or RunState.CONFIGURATION_FAULT)
            pauses = _pauses(asked.verdict)
            if tried >= len(pauses) or not self._wait(pauses[tried]):
                # OCI that asks us to slow down is there, and the order is not at fault.
                throttled_out = asked.verdict == Verdict.THROTTLED
                return self._leave(End.PAUSE) if throttled_out else self._let_go()
            tried += 1
            asked = None

    def _ask_once(self, purpose: Purpose) -> Asked:
        return reservation.ask(
            order_id=self.order_id,
            holder=self.holder,
            purpose=purpose,
            client=shared_client(),
            clock=self.clock,
            actor=self._actor,
            run_id=self.run_id,
        )

    def _after(self, sent: Sent) -> Asked | None:
        """Record a call's outcome; None if OCI must be asked again at once."""
        asked = reservation.note_answer(
            sent.prepared.document,
            sent.answer,
            client=shared_client(),
            clock=self.clock,
            actor=self._actor,
            run_id=self.run_id,
        )
        is_answer = not isinstance(sent.answer, OciError)
        return Asked(Verdict.ANSWERED) if is_answer else asked

    def _claim(self) -> Purpose | WorkEnd:
        """Take the order's claim; a WorkEnd if it is not to be worked on (now)."""
        for wait in (*_PAUSES_FOR_CLAIM, None):
            if self._take_claim():
                purpose = self._purpose()
                if purpose is None:
                    outcomes.drop_claim(order_id=self.order_id, holder=self.holder)
                    return self._skip()
                return purpose
            if _purpose(Order.objects.get(pk=self.order_id)) is None:
                return self._skip()
            if wait is not None:
                self.pause(wait)
        return WorkEnd(End.WITHHELD)

    def _take_claim(self) -> bool:
        now = self.clock()
        # Same length as the lease, so a worker that takes over never waits for a dead claim.
        until = now + timedelta(seconds=settings.COC_LEASE_SECONDS)
        return outcomes.take_claim(order_id=self.order_id, holder=self.holder, until=until, now=now)

    def _purpose(self) -> Purpose | None:
        """Return what to ask for, read under the claim: another worker may have done it."""
        if not lifecycle.is_pending(run_id=self.run_id, order_id=self.order_id):
            return None
        return _purpose(Order.objects.get(pk=self.order_id))

    def _wait(self, seconds: float) -> bool:
        """Wait, and keep lease and claim; False if it takes too long or they are another's."""
        until = self.clock() + timedelta(seconds=seconds)
        if seconds > MOST_PATIENCE or until > self.deadline:
            return False
        self.pause(seconds)
        return self.keep() and self._take_claim()

    def _count(self, purpose: Purpose) -> WorkEnd:
        with transaction.atomic():
            order = reservation.count(
                order_id=self.order_id,
                holder=self.holder,
                purpose=purpose,
                actor=self._actor,
                now=self.clock(),
            )
            if order is not None:
                self._finish(order.reservation_state)
                return WorkEnd(End.SETTLED)
        return self._let_go()

    def _review(self, asked: Asked) -> WorkEnd:
        with transaction.atomic():
            if outcomes.put_to_review(
                order_id=self.order_id,
                holder=self.holder,
                actor=self._actor,
                reason=asked.reason,
                now=self.clock(),
            ):
                self._finish(EntryState.NEEDS_REVIEW)
                return WorkEnd(End.SETTLED)
        return self._let_go()

    def _let_go(self) -> WorkEnd:
        """Leave an order to the next cycle or to the process that has it; skip a cancelled one."""
        outcomes.drop_claim(order_id=self.order_id, holder=self.holder)
        if _purpose(Order.objects.get(pk=self.order_id)) is None:
            return self._skip()
        return WorkEnd(End.WITHHELD)

    def _skip(self) -> WorkEnd:
        # The settlement was noted in its own transaction; this then changes nothing.
        self._finish(EntryState.SKIPPED)
        return WorkEnd(End.SETTLED)

    def _leave(self, end: End, run_state: RunState | None = None) -> WorkEnd:
        outcomes.drop_claim(order_id=self.order_id, holder=self.holder)
        return WorkEnd(end, run_state)

    def _finish(self, state: str) -> None:
        lifecycle.finish_entry(
            run_id=self.run_id, order_id=self.order_id, state=state, now=self.clock()
        )


def _pauses(verdict: Verdict) -> tuple[float, ...]:
    pauses = _PAUSES[verdict]
    if verdict == Verdict.OFFLINE:
        # A single order that OCI never answers must not take the connection away from the
        # others: one failure fewer, and the next order shows whether OCI is there.
        return pauses[: max(0, settings.COC_FAILURES_TO_OFFLINE - 2)]
    return pauses


def away_state(state: Connection | None = None) -> RunState | None:
    """Return how a run ends because OCI is not to be called, or None while it may be."""
    state = state or connection.current()
    if connection.may_call(state):
        return None
    fault = state.cause == OfflineCause.CONFIGURATION
    return RunState.CONFIGURATION_FAULT if fault else RunState.OCI_OFFLINE


def _purpose(order: Order) -> Purpose | None:
    """Return the purpose of the next call, or None if the order needs no more work."""
    if order_lifecycle.check(order, Action.RESERVE) is None:
        return Purpose.ORDER
    # An open replacement or adjustment ends first.
    return Purpose.SHORTFALL if order_lifecycle.check(order, Action.RESERVE_AGAIN) is None else None

"""One order in one run: asked for, counted, or left for the next cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from orders import outcomes
from orders.actors import Actor, job
from orders.models import Order, OrderStatus, ReservationState, Resolution
from reconciliation import connection, reservation, runs
from reconciliation.models import EntryState, Purpose, RunState
from reconciliation.oci_client import client as shared_client
from reconciliation.reservation import Asked, Verdict

# One layer of retries, within one run; after it comes the next cycle.
_PAUSES = {
    Verdict.OFFLINE: (0.1, 0.4, 1.0, 2.0),
    Verdict.LATER: (0.25, 0.5, 1.0, 2.0, 4.0),
    Verdict.THROTTLED: (0.5, 1.0, 2.0, 4.0, 8.0),
}
_MOST_PATIENCE = 10.0
_CLAIM = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class WorkEnd:
    """How work on an order ended: whether it is settled, and whether the run must end with it."""

    settled: bool
    run_state: RunState | None = None


@dataclass(frozen=True, slots=True)
class OrderWork:
    """A worker's attempt to settle one order."""

    run_id: int
    order_id: int
    holder: str
    clock: Callable[[], datetime]
    pause: Callable[[float], None]

    @property
    def _actor(self) -> Actor:
        return job(f"reconciliation run {self.run_id}")

    def work(self) -> WorkEnd:
        """Ask OCI until the order is settled or must wait for the next cycle."""
        purpose = self._claim()
        if isinstance(purpose, WorkEnd):
            return purpose
        tried = 0
        while True:
            asked = reservation.ask(
                order_id=self.order_id,
                purpose=purpose,
                client=shared_client(),
                clock=self.clock,
                actor=self._actor,
                run_id=self.run_id,
            )
            if asked.verdict == Verdict.ANSWERED:
                return self._count(purpose)
            if asked.verdict == Verdict.REVIEW:
                return self._review(asked)
            if asked.verdict == Verdict.CONFIGURATION:
                return self._leave(RunState.CONFIGURATION_FAULT)
            pauses = _PAUSES[asked.verdict]
            if tried >= len(pauses) or not self._wait(asked.verdict, pauses[tried]):
                offline = asked.verdict == Verdict.OFFLINE
                return self._leave(RunState.OCI_OFFLINE if offline else None)
            tried += 1

    def _claim(self) -> Purpose | WorkEnd:
        """Take the order's claim; a WorkEnd if it is not to be worked on (now)."""
        for wait in (0.2, 0.5, 1.0, 2.0, 0.0):
            now = self.clock()
            order = Order.objects.get(pk=self.order_id)
            purpose = _purpose(order)
            if purpose is None:
                self._finish(EntryState.SKIPPED)
                return WorkEnd(settled=True)
            if outcomes.take_claim(
                order_id=self.order_id, holder=self.holder, until=now + _CLAIM, now=now
            ):
                # Read again under the claim: it may have been settled in between.
                if _purpose(Order.objects.get(pk=self.order_id)) == purpose:
                    return purpose
                outcomes.drop_claim(order_id=self.order_id, holder=self.holder)
            elif wait:
                self.pause(wait)
        return WorkEnd(settled=False)

    def _wait(self, verdict: Verdict, seconds: float) -> bool:
        """Wait before asking again; False if there is no point in asking again in this run."""
        if not connection.may_call(connection.current()):
            return False
        if verdict == Verdict.THROTTLED:
            seconds = max(seconds, connection.pace().wait_seconds)
        if seconds > _MOST_PATIENCE:
            return False
        self.pause(seconds)
        now = self.clock()
        return outcomes.take_claim(
            order_id=self.order_id, holder=self.holder, until=now + _CLAIM, now=now
        )

    def _count(self, purpose: Purpose) -> WorkEnd:
        with transaction.atomic():
            order = reservation.count(
                order_id=self.order_id,
                holder=self.holder,
                purpose=purpose,
                actor=self._actor,
                now=self.clock(),
            )
            self._finish(order.reservation_state if order else EntryState.SKIPPED)
        if order is None:
            outcomes.drop_claim(order_id=self.order_id, holder=self.holder)
        return WorkEnd(settled=True)

    def _review(self, asked: Asked) -> WorkEnd:
        with transaction.atomic():
            outcomes.put_to_review(
                order_id=self.order_id,
                holder=self.holder,
                actor=self._actor,
                reason=asked.reason,
                now=self.clock(),
            )
            self._finish(EntryState.NEEDS_REVIEW)
        return WorkEnd(settled=True)

    def _leave(self, run_state: RunState | None) -> WorkEnd:
        outcomes.drop_claim(order_id=self.order_id, holder=self.holder)
        return WorkEnd(settled=False, run_state=run_state)

    def _finish(self, state: str) -> None:
        runs.finish_entry(run_id=self.run_id, order_id=self.order_id, state=state, now=self.clock())


def _purpose(order: Order) -> Purpose | None:
    """Return what is to be asked for, or None if the order is not to be worked on any more."""
    if order.status != OrderStatus.NEW or order.needs_review_since is not None:
        return None
    if order.reservation_state == ReservationState.MISSING:
        return Purpose.ORDER
    short = order.reservation_state in (ReservationState.PARTIAL, ReservationState.NOTHING)
    return Purpose.SHORTFALL if short and order.resolution == Resolution.NONE else None

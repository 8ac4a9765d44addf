"""Group commit: orders that arrive together in one process share a transaction.

The first thread to arrive leads: it captures the queue, its own order first, and passes the lead to
the next in the queue. Meanwhile others gather, so groups grow with the load and a single order
never waits. Each caller gets its result after the commit. A failed group is captured again one by
one, so only the order at fault gets an error.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection

from orders.actors import Actor
from orders.capture.asks import Ask, Captured, Claim
from orders.capture.core import Answer, capture_orders
from orders.models import Site
from orders.payload import PlacedOrder

# Orders per group; records stay locked meanwhile.
MOST_TOGETHER = 64
# Orders that may queue in one process.
ROOM = 256
# Statement timeouts are much shorter; this only ends the wait for a leader that hangs.
_WAIT_SECONDS = 60.0
# On PostgreSQL another group may proceed while one waits for a lock.
_PATIENCE_SECONDS = 0.05

CaptureMany = Callable[[Sequence[Ask]], list[Answer]]


class CaptureBusy(Exception):
    """Too many orders are queued in this process; this one was not processed."""


class _Seat:
    """One order in the queue."""

    __slots__ = ("answer", "ask", "is_taken", "leads", "turn")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.turn = threading.Event()
        self.leads = False
        self.is_taken = False
        self.answer: Answer | Exception | None = None


class Group:
    """The orders that one process captures together."""

    def __init__(
        self,
        capture: CaptureMany = capture_orders,
        *,
        most: int = MOST_TOGETHER,
        room: int = ROOM,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        self._capture = capture
        self._most = most
        self._room = room
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._queue: deque[_Seat] = deque()
        self._leaders = 0

    def capture(self, ask: Ask, *, patience: float | None) -> Captured:
        """Capture one order, together with others waiting; returns after the commit.

        An order still untouched after `patience` seconds leads its own group. Raises the refusal or
        error of `capture_orders` for this order, and CaptureBusy.
        """
        seat = _Seat(ask)
        with self._lock:
            if not self._leaders:
                self._leaders, seat.leads = 1, True
            elif len(self._queue) >= self._room:
                raise CaptureBusy
            else:
                self._queue.append(seat)
        if not seat.leads:
            self._wait(seat, patience)
        if seat.leads:
            self._lead(seat)
        answer = seat.answer
        if answer is None:
            raise OperationalError("It is not known in time whether the order was captured.")
        if isinstance(answer, Captured):
            return answer
        raise answer

    def _wait(self, seat: _Seat, patience: float | None) -> None:
        """Wait until the seat has a result or leads. Raises CaptureBusy after too long a wait."""
        until = time.monotonic() + self._wait_seconds
        if patience is not None and not seat.turn.wait(patience):
            with self._lock:
                if not seat.is_taken and not seat.leads:
                    self._queue.remove(seat)
                    self._leaders += 1
                    seat.leads = True
                    return
        if seat.turn.wait(max(0.0, until - time.monotonic())):
            return
        with self._lock:
            if not seat.is_taken and not seat.leads:
                self._queue.remove(seat)
                raise CaptureBusy

    def _lead(self, leader: _Seat) -> None:
        with self._lock:
            others = min(self._most - 1, len(self._queue))
            group = [leader, *(self._queue.popleft() for _ in range(others))]
            for seat in group:
                seat.is_taken = True
        answers: list[Answer | Exception] = []
        try:
            answers = self._answers([seat.ask for seat in group])
        finally:
            # However this thread ends, it must leave no thread waiting.
            for place, seat in enumerate(group):
                seat.answer = answers[place] if answers else _given_up()
                seat.turn.set()
            self._hand_over()

    def _hand_over(self) -> None:
        with self._lock:
            if not self._queue:
                self._leaders -= 1
                return
            following = self._queue.popleft()
            following.leads = True
        following.turn.set()

    def _answers(self, asks: list[Ask]) -> list[Answer | Exception]:
        try:
            return list(self._capture(asks))
        except Exception as error:
            if len(asks) == 1:
                return [error]
            if _is_gone(error):
                return [OperationalError(*error.args) for _ in asks]
        return [self._alone(ask) for ask in asks]

    def _alone(self, ask: Ask) -> Answer | Exception:
        try:
            return self._capture([ask])[0]
        except Exception as error:
            return error


def _given_up() -> Exception:
    return OperationalError("The capture of the order was broken off.")


def _is_gone(error: Exception) -> bool:
    """Whether the connection failed, so that retrying one by one would also fail."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return connection.connection is None or not connection.is_usable()


_group = Group()


def capture_order(
    *,
    placed: PlacedOrder,
    site: Site,
    offline_since: datetime | None,
    offline_reason: str,
    claim: Claim | None,
    actor: Actor,
    now: datetime,
) -> Captured:
    """Store an order and take its stock, or refuse it and store nothing; returns after the commit.

    Shares a transaction with orders that arrive in this process at the same time; inside a caller's
    transaction it is captured there. See `Ask` for the arguments. Raises ShortOnAto, UnknownSku,
    OrderNoTaken or OfflineCapExceeded, and CaptureBusy.
    """
    ask = Ask(
        placed=placed,
        site=site,
        offline_since=offline_since,
        offline_reason=offline_reason,
        claim=claim,
        actor=actor,
        now=now,
    )
    if connection.in_atomic_block:
        answer = capture_orders([ask])[0]
        if isinstance(answer, Captured):
            return answer
        raise answer
    return _group.capture(
        ask, patience=None if connection.vendor == "sqlite" else _PATIENCE_SECONDS
    )

"""The saga of replacing and adjusting: reserve the new in full, move the order, release the old.

`begin` stores the swap and its reservation document, with its units off ATO, before the first call.
`finish` calls OCI. If all of it is reserved, one transaction makes the order count on the new
document and marks the old one, if any, to be cancelled. If less is reserved, the new document is
cancelled and the order is as before. Without a trustworthy answer the swap stays *being reserved*,
and `finish_all` repeats the call with the same id and bytes, even after a process died.
`replace.SWAP` and `adjust.SWAP` define the differences; `orders.swaps` is the order's side and
defines the states.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Generic, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.functional import Promise

from orders import ledger, outcomes, swaps
from orders.actors import Actor
from orders.errors import CannotRemedy, Shortfall, ShortOnAto
from orders.fields import ZERO
from orders.ledger import Figure, Key, LedgerChanged
from orders.swaps import S, SwapKind, SwapState
from reconciliation import connection, reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.queue import enqueue
from reconciliation.remedies.preconditions import check_documents
from reconciliation.reservation import Asked, Verdict, release, stock_refresh
from reconciliation.reservation.release_rows import held_by

Clock = Callable[[], datetime]

CLAIM = timedelta(seconds=60)
_LATELY = timedelta(seconds=60)
_TRIES = 5
# OCI did not answer, or not clearly: the same document is sent again later.
_ASK_AGAIN = (Verdict.OFFLINE, Verdict.CONFIGURATION, Verdict.THROTTLED, Verdict.LATER)
_CHANGED = Asked(Verdict.LATER, "The order was just changed by another person or process.")


@dataclass(frozen=True, slots=True)
class Swap(Generic[S]):
    """The differences between swaps: a purpose, words, and a document to release, or none."""

    kind: SwapKind[S]
    purpose: Purpose
    holder: str  # prefix of its claim holders
    actor: Actor  # the job that finishes it
    complete: Complete[S]
    old_id: Callable[[S], int | None]  # the document to release
    too_few: Callable[[Sequence[Shortfall]], str]  # the refusal if OCI has less
    short: Callable[[str, Sequence[Shortfall]], CannotRemedy]  # the error with these figures
    shortfalls: Callable[[S], Sequence[Shortfall]]  # the shortage at OCI
    cancelled: Promise  # it ended with its order

    def new_holder(self) -> str:
        """Return a new name for a worker that claims an order."""
        return f"{self.holder}:{uuid.uuid4().hex}"

    def open_rows(self) -> QuerySet[S]:
        """Return the swaps that have not ended."""
        return self.kind.model._default_manager.filter(swaps.OPEN)


class Complete(Protocol[S]):
    """Moves the order, in the caller's transaction; None if `holder` has lost it."""

    def __call__(
        self, mine: S, old: ReservationDocument | None, *, holder: str, now: datetime
    ) -> S | None: ...


def begin(swap: Swap[S], take: Callable[[], S], write: Callable[[S], object]) -> S:
    """Take the units off ATO (`take`) and store the document (`write`), both or neither.

    Raises the kind's error, with figures if ATO is short; LedgerChanged if other processes keep
    changing the stock.
    """
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                mine = take()
                check_documents(mine.order_id, swap.kind.error)
                write(mine)
                return mine
        except LedgerChanged:
            if attempt == _TRIES - 1:
                raise
        except ShortOnAto as error:
            raise swap.short("", error.shortfalls) from None
    raise AssertionError("unreachable")


def finish_now(swap: Swap[S], mine: S, *, holder: str, client: OciClient, clock: Clock) -> S:
    """Finish a swap while a person waits, within the time of a live order.

    Returns it `done`, or `reserving` while OCI has not answered clearly. Raises the kind's error if
    OCI has refused it, or the order was cancelled meanwhile.
    """
    timeout = settings.COC_OCI_LIVE_TIMEOUT
    finish(swap, mine.pk, holder=holder, client=client, clock=clock, read_timeout=timeout)
    # If the order is being cancelled, the process that does so need not wait for the claim to end.
    outcomes.drop_claim(order_id=mine.order_id, holder=holder)
    mine.refresh_from_db()
    if mine.state == SwapState.CANCELLED:
        raise swap.kind.error(str(swap.cancelled))
    if mine.state in (SwapState.REFUSED, SwapState.GIVING_BACK):
        shortfalls = swap.shortfalls(mine)
        if not shortfalls:
            raise swap.kind.error(mine.refusal)
        raise swap.short(mine.refusal, shortfalls)
    return mine


def finish_all(
    swap: Swap[S], *, clock: Clock, budget: timedelta | None = None, limit: int = 200
) -> int:
    """Resume abandoned swaps, at most `limit`, oldest first; return how many ended.

    Swaps sent to OCI within the last minute come after the others. Each runs under the claim of its
    order, so any number of workers may do this at once. None begins after `budget` is over. Calls
    OCI only while the connection is usable; ends early if OCI stops answering.
    """
    ended = 0
    began = clock()
    until = None if budget is None else began + budget
    # Otherwise many swaps that OCI postpones would block those behind them for ever.
    lately = ReservationDocument.objects.filter(
        order=OuterRef("order"), state=DocumentState.PREPARED, sent_at__gt=began - _LATELY
    )
    in_turn = swap.open_rows().annotate(asked_lately=Exists(lately)).order_by("asked_lately", "id")
    for pk, order_id in list(in_turn.values_list("pk", "order_id")[:limit]):
        now = clock()
        if until is not None and now >= until:
            break
        if not connection.is_usable(connection.current(), now=now):
            break
        holder = swap.new_holder()
        if not outcomes.take_claim(order_id=order_id, holder=holder, until=now + CLAIM, now=now):
            continue
        asked = _try(swap, pk, holder, clock)
        outcomes.drop_claim(order_id=order_id, holder=holder)
        if asked is None:
            ended += 1
        elif asked.verdict != Verdict.LATER:
            break
    return ended


def _try(swap: Swap[S], pk: int, holder: str, clock: Clock) -> Asked | None:
    # Another worker may have ended it since the list was read.
    if not swap.open_rows().filter(pk=pk).exists():
        return _CHANGED
    try:
        return finish(swap, pk, holder=holder, client=shared_client(), clock=clock)
    except LedgerChanged:
        # One failing order must not block the others.
        return _CHANGED


def finish(
    swap: Swap[S],
    swap_id: int,
    *,
    holder: str,
    client: OciClient,
    clock: Clock,
    read_timeout: float | None = None,
) -> Asked | None:
    """Advance a swap as far as OCI answers; None if it has ended, else why not yet.

    `holder` has the claim on its order; `read_timeout`, in seconds, replaces the client's. Can be
    repeated at any time.
    """
    mine = swap.open_rows().filter(pk=swap_id).first()
    if mine is None:
        return None  # another worker has ended it
    caller = _Caller(client, clock, swap.actor, read_timeout)
    if mine.state == SwapState.RESERVING:
        asked = reservation.ask(
            order_id=mine.order_id,
            holder=holder,
            purpose=swap.purpose,
            client=client,
            clock=clock,
            actor=swap.actor,
            read_timeout=read_timeout,
        )
        if asked.verdict in _ASK_AGAIN:
            return asked
        refusal = asked.reason
        shortfalls = [] if refusal else _shortfalls(swap, mine)
        if not refusal and not shortfalls:
            try:
                if not _complete(swap, mine, holder=holder, now=clock()):
                    return _CHANGED
            except CannotRemedy as changed:
                refusal = changed.detail
            else:
                _let_go(swap, mine, caller)
                return None
        _give_back(swap, mine, holder=holder, refusal=refusal, shortfalls=shortfalls)
    figures: list[Figure] = []
    taken_at = clock()
    if _undo(swap, mine, caller):
        keys = sorted(swap.kind.wanted(mine))
        figures = stock_refresh.fetch(keys, client=client, read_timeout=read_timeout)
    _refuse(swap, mine, holder=holder, figures=figures, taken_at=taken_at, now=clock())
    return None


@dataclass(frozen=True, slots=True)
class _Caller:
    client: OciClient
    clock: Clock
    actor: Actor
    read_timeout: float | None

    def cancel(self, document: ReservationDocument) -> bool:
        """Cancel a document at OCI now; False if that is left to the sweep."""
        stopped = reservation.cancel_document(
            document,
            client=self.client,
            clock=self.clock,
            actor=self.actor,
            read_timeout=self.read_timeout,
        )
        return stopped is None


def _documents(swap: Swap[S], mine: S, state: DocumentState) -> list[ReservationDocument]:
    """Return the documents of this swap; the one it releases may have the same purpose."""
    documents = ReservationDocument.objects.filter(
        order=mine.order_id, purpose=swap.purpose, state=state
    )
    old_id = swap.old_id(mine)
    if old_id is not None:
        documents = documents.exclude(pk=old_id)
    return list(documents.order_by("generation"))


def _old(swap: Swap[S], mine: S) -> ReservationDocument | None:
    old_id = swap.old_id(mine)
    return None if old_id is None else ReservationDocument.objects.filter(pk=old_id).first()


def _shortfalls(swap: Swap[S], mine: S) -> list[Shortfall]:
    """Return the units missing in OCI's answer."""
    held: dict[Key, Decimal] = {}
    for document in _documents(swap, mine, DocumentState.ANSWERED):
        held |= held_by(document)
    wanted = swap.kind.wanted(mine)
    return ledger.beyond(wanted, dict.fromkeys(wanted, ZERO) | held)


def _complete(swap: Swap[S], mine: S, *, holder: str, now: datetime) -> bool:
    """Move the order to the new document and mark the old one, both or neither.

    False if the order is not ours any more. Raises CannotRemedy if the order has changed.
    """
    old = _old(swap, mine)
    with transaction.atomic():
        if swap.complete(mine, old, holder=holder, now=now) is None:
            return False
        if old is not None:
            rows = ReservationDocument.objects.filter(pk=old.pk, state=DocumentState.COUNTED)
            if not rows.update(state=DocumentState.CANCELLING):
                raise swap.kind.error("The old reservation document is not counted any more.")
        new = [document.pk for document in _documents(swap, mine, DocumentState.ANSWERED)]
        ReservationDocument.objects.filter(pk__in=new).update(state=DocumentState.COUNTED)
    if old is not None:
        release.wake_for(mine.order_id)
    return True


def _let_go(swap: Swap[S], mine: S, caller: _Caller) -> None:
    """Cancel the old document at OCI now; the sweep does the rest later."""
    old = _old(swap, mine)
    if old is None:
        return
    was: dict[Key, Decimal] = held_by(old)
    if not caller.cancel(old):
        return
    keys = sorted({*swap.kind.wanted(mine), *was})
    stock_refresh.try_refresh(
        keys=keys, client=caller.client, read_timeout=caller.read_timeout, clock=caller.clock
    )


def _give_back(
    swap: Swap[S], mine: S, *, holder: str, refusal: str, shortfalls: Sequence[Shortfall]
) -> None:
    why = refusal or swap.too_few(shortfalls)
    with transaction.atomic():
        if swaps.give_back(swap.kind, mine.pk, holder=holder, refusal=why, shortfalls=shortfalls):
            release.mark_for_cancelling(mine.order_id, states=release.UNCOUNTED)


def _undo(swap: Swap[S], mine: S, caller: _Caller) -> bool:
    """Cancel its reservation at OCI; False if some is left for the sweep."""
    for document in _documents(swap, mine, DocumentState.CANCELLING):
        if not caller.cancel(document):
            enqueue.soon("finish_cancellations")
            return False
    return True


def _refuse(
    swap: Swap[S],
    mine: S,
    *,
    holder: str,
    figures: Sequence[Figure],
    taken_at: datetime,
    now: datetime,
) -> None:
    """End the swap and count OCI's figures of `taken_at`, in one transaction."""
    with transaction.atomic():
        if swaps.refuse(swap.kind, mine.pk, holder=holder, now=now) is not None and figures:
            ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=timedelta(seconds=settings.COC_OCI_READ_LAG),
                now=now,
            )

"""Bringing an adjustment to its end, as far as OCI answers; safe to call again after anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from orders import adjustments
from orders.actors import job
from orders.adjustment_lines import kept_of
from orders.errors import CannotAdjust, Shortfall
from orders.fields import ZERO
from orders.ledger import Figure, Key
from orders.models import Adjustment, AdjustmentState
from orders.models.adjustments import OPEN_ADJUSTMENT
from reconciliation import reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.oci.errors import OciError
from reconciliation.reasons import Reason, join, say
from reconciliation.remedies.adjust_preview import held_by, instead
from reconciliation.remedies.resume import (
    ASK_AGAIN,
    CHANGED,
    Clock,
    end_with_figures,
    finish_each,
    undo,
)
from reconciliation.reservation import Asked, release, stock_refresh

ADJUSTMENTS = job("adjustments")


def has_open_adjustments() -> bool:
    """Whether an adjustment waits to be finished."""
    return Adjustment.objects.filter(OPEN_ADJUSTMENT).exists()


def finish_adjustments(*, clock: Clock, budget: timedelta | None = None, limit: int = 200) -> int:
    """Carry on with adjustments that nobody works on, oldest first; return how many have ended.

    None is begun when `budget` is over. Calls OCI only while the connection is usable; ends early
    when OCI stops answering. Any number of workers may do this at once.
    """
    return finish_each(
        Adjustment.objects.filter(OPEN_ADJUSTMENT),
        lambda pk, holder: finish(pk, holder=holder, client=shared_client(), clock=clock),
        prefix="adjust",
        clock=clock,
        limit=limit,
        budget=budget,
    )


def finish(
    adjustment_id: int,
    *,
    holder: str,
    client: OciClient,
    clock: Clock,
    read_timeout: float | None = None,
) -> Asked | None:
    """Bring an adjustment as far as OCI answers; None when it has ended, else why not yet.

    `holder` has the claim on its order; `read_timeout`, in seconds, replaces the client's.
    """
    mine = Adjustment.objects.filter(OPEN_ADJUSTMENT, pk=adjustment_id).first()
    if mine is None:
        return None  # another worker has ended it
    if mine.state == AdjustmentState.RESERVING:
        asked = reservation.ask(
            order_id=mine.order_id,
            holder=holder,
            purpose=Purpose.ADJUSTMENT,
            client=client,
            clock=clock,
            actor=ADJUSTMENTS,
            read_timeout=read_timeout,
        )
        if asked.verdict in ASK_AGAIN:
            return asked
        refusal = asked.reason
        shortfalls = [] if refusal else _shortfalls(mine)
        if not refusal and not shortfalls:
            try:
                if not _complete(mine, holder=holder, now=clock()):
                    return CHANGED
            except CannotAdjust as changed:
                refusal = changed.detail
            else:
                _let_go(mine, client=client, clock=clock, read_timeout=read_timeout)
                return None
        _give_back(mine, holder=holder, refusal=refusal, shortfalls=shortfalls)
    figures: list[Figure] = []
    taken_at = clock()
    if _undo(mine, client=client, clock=clock, read_timeout=read_timeout):
        figures = stock_refresh.fetch(_keys(mine), client=client, read_timeout=read_timeout)
    _refuse(mine, holder=holder, figures=figures, taken_at=taken_at, now=clock())
    return None


def _keys(mine: Adjustment) -> list[Key]:
    return sorted(kept_of(adjustments.keeps_of(mine)))


def _documents(mine: Adjustment, state: DocumentState) -> list[ReservationDocument]:
    documents = ReservationDocument.objects.filter(
        order=mine.order_id, purpose=Purpose.ADJUSTMENT, state=state
    )
    return list(documents.exclude(pk=mine.document).order_by("generation"))


def _shortfalls(mine: Adjustment) -> list[Shortfall]:
    """Return of what OCI holds less than is to be kept, by its answer."""
    held: dict[Key, Decimal] = {}
    for document in _documents(mine, DocumentState.ANSWERED):
        held |= held_by(document)
    return [
        Shortfall(key[1], key[0], requested=units, available=held.get(key, ZERO))
        for key, units in sorted(kept_of(adjustments.keeps_of(mine)).items())
        if held.get(key, ZERO) < units
    ]


def _complete(mine: Adjustment, *, holder: str, now: datetime) -> bool:
    """Let the order count on the new document and mark the old one, both or neither.

    False if the order is not ours any more. Raises CannotAdjust if it does not fit any more.
    """
    old = ReservationDocument.objects.get(pk=mine.document)
    with transaction.atomic():
        done = adjustments.complete(
            adjustment_id=mine.pk,
            holder=holder,
            replacements_first=old.purpose == Purpose.REPLACEMENT,
            now=now,
        )
        if done is None:
            return False
        rows = ReservationDocument.objects.filter(pk=old.pk, state=DocumentState.COUNTED)
        if not rows.update(state=DocumentState.CANCELLING):
            raise CannotAdjust("The old reservation document is not counted any more.")
        new = [document.pk for document in _documents(mine, DocumentState.ANSWERED)]
        ReservationDocument.objects.filter(pk__in=new).update(state=DocumentState.COUNTED)
    release.wake_for(mine.order_id)
    return True


def _let_go(
    mine: Adjustment, *, client: OciClient, clock: Clock, read_timeout: float | None
) -> None:
    """Cancel the old document at OCI now; what does not work is done later, by the sweep."""
    old = ReservationDocument.objects.get(pk=mine.document)
    stopped = reservation.cancel_document(
        old, client=client, clock=clock, actor=ADJUSTMENTS, read_timeout=read_timeout
    )
    if stopped is not None:
        return
    keys = sorted({*_keys(mine), *held_by(old)})
    try:
        stock_refresh.refresh(keys=keys, client=client, read_timeout=read_timeout, clock=clock)
    except OciError:
        # The figures follow with the next snapshot.
        return


def _too_few(one: Shortfall) -> Reason:
    return say(
        "had_too_few",
        held=f"{one.available.normalize():f}",
        sku=f"{one.sku} in {one.inventory_list_id}",
        needed=f"{one.requested.normalize():f}",
    )


def _give_back(
    mine: Adjustment, *, holder: str, refusal: str, shortfalls: Sequence[Shortfall]
) -> None:
    if not refusal:
        refusal = join(*(_too_few(one) for one in shortfalls[:5]), instead())
    with transaction.atomic():
        given = adjustments.give_back(
            adjustment_id=mine.pk, holder=holder, refusal=refusal, shortfalls=shortfalls
        )
        if given:
            release.mark_for_cancelling(mine.order_id, states=release.UNCOUNTED)


def _undo(mine: Adjustment, *, client: OciClient, clock: Clock, read_timeout: float | None) -> bool:
    """Undo at OCI what was reserved of it."""
    return undo(
        _documents(mine, DocumentState.CANCELLING),
        actor=ADJUSTMENTS,
        client=client,
        clock=clock,
        read_timeout=read_timeout,
    )


def _refuse(
    mine: Adjustment,
    *,
    holder: str,
    figures: Sequence[Figure],
    taken_at: datetime,
    now: datetime,
) -> None:
    end_with_figures(
        lambda: adjustments.refuse(adjustment_id=mine.pk, holder=holder, now=now),
        figures=figures,
        taken_at=taken_at,
        now=now,
    )

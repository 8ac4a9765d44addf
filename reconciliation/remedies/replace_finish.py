"""Bringing replacements that are under way to their end, as far as OCI answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from orders import replacements
from orders.actors import job
from orders.fields import ZERO
from orders.ledger import Figure
from orders.models import Replacement, ReplacementState
from orders.models.replacements import OPEN_REPLACEMENT
from reconciliation import reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.reasons import say
from reconciliation.remedies.resume import (
    ASK_AGAIN,
    CHANGED,
    Clock,
    end_with_figures,
    finish_each,
    undo,
)
from reconciliation.reservation import Asked, Verdict, release, stock_refresh

REPLACEMENTS = job("replacements")


def has_open_replacements() -> bool:
    """Whether a replacement waits to be finished."""
    return Replacement.objects.filter(OPEN_REPLACEMENT).exists()


def finish_replacements(*, clock: Clock, budget: timedelta | None = None, limit: int = 200) -> int:
    """Carry on with replacements that nobody works on, oldest first; return how many have ended.

    None is begun when `budget` is over. Calls OCI only while the connection is usable; ends early
    when OCI stops answering. Any number of workers may do this at once.
    """
    return finish_each(
        Replacement.objects.filter(OPEN_REPLACEMENT),
        lambda pk, holder: finish(pk, holder=holder, client=shared_client(), clock=clock),
        prefix="replace",
        clock=clock,
        limit=limit,
        budget=budget,
    )


def finish(
    replacement_id: int,
    *,
    holder: str,
    client: OciClient,
    clock: Clock,
    read_timeout: float | None = None,
) -> Asked | None:
    """Bring a replacement as far as OCI answers; None when it has ended, else why not yet."""
    replacement = Replacement.objects.get(pk=replacement_id)
    order_id = replacement.order_id
    if replacement.state == ReplacementState.RESERVING:
        asked = reservation.ask(
            order_id=order_id,
            holder=holder,
            purpose=Purpose.REPLACEMENT,
            client=client,
            clock=clock,
            actor=REPLACEMENTS,
            read_timeout=read_timeout,
        )
        if asked.verdict in ASK_AGAIN:
            return asked
        offered = _answered(order_id)
        if asked.verdict == Verdict.ANSWERED and offered >= replacement.quantity:
            return _complete(replacement, holder=holder, now=clock())
        _give_back(replacement, holder=holder, asked=asked, offered=offered)
    cancelled = _cancel(order_id, client=client, clock=clock, read_timeout=read_timeout)
    figures: list[Figure] = []
    taken_at = clock()
    if cancelled:
        key = (replacement.inventory_list_id, replacement.sku)
        figures = stock_refresh.fetch([key], client=client, read_timeout=read_timeout)
    _refuse(replacement_id, holder=holder, figures=figures, taken_at=taken_at, now=clock())
    return None


def _documents(order_id: int, *states: DocumentState) -> list[ReservationDocument]:
    documents = ReservationDocument.objects.filter(
        order=order_id, purpose=Purpose.REPLACEMENT, state__in=states
    )
    return list(documents.order_by("generation"))


def _answered(order_id: int) -> Decimal:
    """Return what OCI holds for the replacement under way, by its answer."""
    lines = [
        line for document in _documents(order_id, DocumentState.ANSWERED) for line in document.held
    ]
    return sum((Decimal(str(line["quantity"])) for line in lines), ZERO)


def _complete(replacement: Replacement, *, holder: str, now: datetime) -> Asked | None:
    with transaction.atomic():
        done = replacements.complete(replacement_id=replacement.pk, holder=holder, now=now)
        if done is None:
            return CHANGED
        ReservationDocument.objects.filter(
            order=replacement.order_id,
            purpose=Purpose.REPLACEMENT,
            state=DocumentState.ANSWERED,
        ).update(state=DocumentState.COUNTED)
    return None


def _give_back(replacement: Replacement, *, holder: str, asked: Asked, offered: Decimal) -> None:
    refusal = asked.reason or say(
        "had_too_few",
        held=f"{offered.normalize():f}",
        sku=replacement.sku,
        needed=f"{replacement.quantity.normalize():f}",
    )
    with transaction.atomic():
        mine = replacements.give_back(
            replacement_id=replacement.pk,
            holder=holder,
            offered=None if asked.reason else offered,
            refusal=refusal,
        )
        if mine:
            release.mark_for_cancelling(replacement.order_id, states=release.UNCOUNTED)


def _cancel(order_id: int, *, client: OciClient, clock: Clock, read_timeout: float | None) -> bool:
    """Undo at OCI what was reserved of it."""
    return undo(
        _documents(order_id, DocumentState.CANCELLING),
        actor=REPLACEMENTS,
        client=client,
        clock=clock,
        read_timeout=read_timeout,
    )


def _refuse(
    replacement_id: int,
    *,
    holder: str,
    figures: list[Figure],
    taken_at: datetime,
    now: datetime,
) -> None:
    end_with_figures(
        lambda: replacements.refuse(replacement_id=replacement_id, holder=holder, now=now),
        figures=figures,
        taken_at=taken_at,
        now=now,
    )

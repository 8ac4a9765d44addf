"""Bringing replacements that are under way to their end, as far as OCI answers.

Each is worked on under the claim of its order and read anew under it, so that workers share what
there is and none asks OCI for what another has just ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from orders import ledger, outcomes, replacing
from orders.actors import job
from orders.fields import ZERO
from orders.ledger import Figure
from orders.models import Replacement, ReplacementState
from orders.models.replacements import UNDER_WAY
from reconciliation import connection, releases, reservation, snapshots, wake
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.oci_client import client as shared_client
from reconciliation.reservation import Asked, Verdict

Clock = Callable[[], datetime]

REPLACEMENTS = job("replacements")
CLAIM = timedelta(seconds=60)
# OCI was not heard, or not clearly: the same document is sent again later.
_ASK_AGAIN = (Verdict.OFFLINE, Verdict.CONFIGURATION, Verdict.THROTTLED, Verdict.LATER)


def something_under_way() -> bool:
    """Whether a replacement waits to be finished."""
    return Replacement.objects.filter(UNDER_WAY).exists()


def finish_replacements(*, clock: Clock, budget: timedelta | None = None, limit: int = 200) -> int:
    """Carry on with replacements that nobody works on, oldest first; return how many have ended.

    None is begun when `budget` is over. Calls OCI only while the connection is usable; ends early
    when OCI stops answering. Any number of workers may do this at once.
    """
    ended = 0
    until = None if budget is None else clock() + budget
    under_way = Replacement.objects.filter(UNDER_WAY).order_by("id")
    for pk, order_id in list(under_way.values_list("pk", "order_id")[:limit]):
        now = clock()
        if until is not None and now >= until:
            break
        if not connection.is_usable(connection.current(), now=now):
            break
        holder = f"replace:{uuid.uuid4().hex}"
        if not outcomes.take_claim(order_id=order_id, holder=holder, until=now + CLAIM, now=now):
            continue
        # Another worker may have ended it since the list was read.
        if under_way.filter(pk=pk).exists():
            asked = _try_to_finish(pk, holder=holder, clock=clock)
            ended += asked is None
            stopped = asked is not None and asked.verdict != Verdict.LATER
        else:
            stopped = False
        outcomes.drop_claim(order_id=order_id, holder=holder)
        if stopped:
            break
    return ended


def _try_to_finish(replacement_id: int, *, holder: str, clock: Clock) -> Asked | None:
    try:
        return finish(replacement_id, holder=holder, client=shared_client(), clock=clock)
    except ledger.LedgerChanged:
        # One order that resists must not keep the others waiting.
        return Asked(Verdict.LATER, "The order has just been changed by someone else.")


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
        if asked.verdict in _ASK_AGAIN:
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
        figures = snapshots.fetch([key], client=client, read_timeout=read_timeout)
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
        done = replacing.complete(replacement_id=replacement.pk, holder=holder, now=now)
        if done is None:
            return Asked(Verdict.LATER, "The order has just been changed by someone else.")
        ReservationDocument.objects.filter(
            order=replacement.order_id,
            purpose=Purpose.REPLACEMENT,
            state=DocumentState.ANSWERED,
        ).update(state=DocumentState.COUNTED)
    return None


def _give_back(replacement: Replacement, *, holder: str, asked: Asked, offered: Decimal) -> None:
    refusal = asked.reason or (
        f"OCI had {offered.normalize():f} of {replacement.sku};"
        f" {replacement.quantity.normalize():f} are needed."
    )
    with transaction.atomic():
        mine = replacing.give_back(
            replacement_id=replacement.pk,
            holder=holder,
            offered=None if asked.reason else offered,
            refusal=refusal,
        )
        if mine:
            releases.mark_for_undoing(replacement.order_id, states=releases.UNCOUNTED)


def _cancel(order_id: int, *, client: OciClient, clock: Clock, read_timeout: float | None) -> bool:
    """Undo at OCI what was reserved of it; what does not work now is done later, by the sweep."""
    for document in _documents(order_id, DocumentState.CANCELLING):
        stopped = reservation.cancel_document(
            document, client=client, clock=clock, actor=REPLACEMENTS, read_timeout=read_timeout
        )
        if stopped is not None:
            wake.soon("finish_cancellations")
            return False
    return True


def _refuse(
    replacement_id: int,
    *,
    holder: str,
    figures: list[Figure],
    taken_at: datetime,
    now: datetime,
) -> None:
    with transaction.atomic():
        ended = replacing.refuse(replacement_id=replacement_id, holder=holder, now=now)
        if ended is not None and figures:
            ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=timedelta(seconds=settings.COC_OCI_READ_LAG),
                now=now,
            )

"""What bringing a replacement and an adjustment to their end have in common.

Each is worked on under the claim of its order and read anew under it, so that any number of workers
share what there is and none asks OCI for what another has just ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from orders import ledger, outcomes
from orders.actors import Actor
from orders.ledger import Figure
from reconciliation import connection, reservation
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.queue import enqueue
from reconciliation.reservation import Asked, Verdict

Clock = Callable[[], datetime]
# Takes a primary key and the holder of the claim; None when it has ended, else why not yet.
Finish = Callable[[int, str], Asked | None]

CLAIM = timedelta(seconds=60)
_LATELY = timedelta(seconds=60)
# OCI was not heard, or not clearly: the same document is sent again later.
ASK_AGAIN = (Verdict.OFFLINE, Verdict.CONFIGURATION, Verdict.THROTTLED, Verdict.LATER)
CHANGED = Asked(Verdict.LATER, "The order has just been changed by someone else.")


def finish_each(
    under_way: QuerySet[Any],
    finish: Finish,
    *,
    prefix: str,
    clock: Clock,
    limit: int,
    budget: timedelta | None = None,
) -> int:
    """Carry on with the rows of `under_way`, at most `limit`, oldest first; return how many ended.

    Those that OCI was asked for within the last minute come after the others. Each has an order,
    whose claim is taken under a name that begins with `prefix`. None is begun when `budget` is
    over. Calls OCI only while the connection is usable; ends early when OCI stops answering.
    """
    ended = 0
    began = clock()
    until = None if budget is None else began + budget
    # Or many that OCI puts off would keep those behind them waiting for ever.
    lately = ReservationDocument.objects.filter(
        order=OuterRef("order"), state=DocumentState.PREPARED, sent_at__gt=began - _LATELY
    )
    in_turn = under_way.annotate(asked_lately=Exists(lately)).order_by("asked_lately", "id")
    for pk, order_id in list(in_turn.values_list("pk", "order_id")[:limit]):
        now = clock()
        if until is not None and now >= until:
            break
        if not connection.is_usable(connection.current(), now=now):
            break
        holder = f"{prefix}:{uuid.uuid4().hex}"
        if not outcomes.take_claim(order_id=order_id, holder=holder, until=now + CLAIM, now=now):
            continue
        asked: Asked | None = CHANGED
        # Another worker may have ended it since the list was read.
        if under_way.filter(pk=pk).exists():
            asked = _try(finish, pk, holder)
        outcomes.drop_claim(order_id=order_id, holder=holder)
        if asked is None:
            ended += 1
        elif asked.verdict != Verdict.LATER:
            break
    return ended


def _try(finish: Finish, pk: int, holder: str) -> Asked | None:
    try:
        return finish(pk, holder)
    except ledger.LedgerChanged:
        # One order that resists must not keep the others waiting.
        return CHANGED


def undo(
    documents: Sequence[ReservationDocument],
    *,
    actor: Actor,
    client: OciClient,
    clock: Clock,
    read_timeout: float | None,
) -> bool:
    """Cancel documents at OCI; False if one is left, which the sweep does later."""
    for document in documents:
        stopped = reservation.cancel_document(
            document, client=client, clock=clock, actor=actor, read_timeout=read_timeout
        )
        if stopped is not None:
            enqueue.soon("finish_cancellations")
            return False
    return True


def end_with_figures(
    refuse: Callable[[], object | None],
    *,
    figures: Sequence[Figure],
    taken_at: datetime,
    now: datetime,
) -> None:
    """End a remedy by `refuse`, and let the figures count that OCI gave at `taken_at`.

    In one transaction; nothing counts if there was nothing to end any more (None).
    """
    with transaction.atomic():
        if refuse() is not None and figures:
            ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=timedelta(seconds=settings.COC_OCI_READ_LAG),
                now=now,
            )

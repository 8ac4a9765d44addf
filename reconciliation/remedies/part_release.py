"""Release a part of a reservation document, and keep the rest where it is.

This is for units that can't be reserved again because none are free: `POST /releases` takes units
off the counts of a place (OCI contract 1.6). The releases are stored, and the order stops counting
the units, before the first call; the calls repeat with the same ids until OCI has released them.
From then on the document is given back only by releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from orders import give_back, outcomes
from orders.actors import Actor, job
from orders.adjustment_lines import Keep
from orders.errors import CannotAdjust
from orders.fields import json_number
from orders.ledger import Key
from orders.models import Order
from orders.refusals import moved_on
from reconciliation.models import (
    Attempt,
    DocumentState,
    Purpose,
    Release,
    ReleaseState,
    ReservationDocument,
)
from reconciliation.models.releases import OPEN_RELEASE
from reconciliation.queue import enqueue
from reconciliation.remedies.adjust_preview import lines_of_document_refusal
from reconciliation.remedies.preconditions import client_if_reachable
from reconciliation.remedies.swap import Clock
from reconciliation.reservation import Verdict, release, release_rows, stock_refresh
from reconciliation.reservation.release_calls import Releasing


@dataclass(frozen=True, slots=True)
class PartReleased:
    """The changed order, and whether OCI has released the units; if not, the call is retried.

    `calls` are the release calls to OCI for the document and its answers, oldest first.
    """

    order: Order
    released: bool
    calls: tuple[Attempt, ...]


def release_part(
    *,
    document_id: int,
    keeps: Sequence[Keep],
    actor: Actor,
    reason: str,
    clock: Clock = timezone.now,
) -> PartReleased:
    """Release the units of a document that `keeps` omits; the order is short of them at once.

    `keeps` names every line that the document holds, as it was shown, none in another list.
    Idempotent. Raises CannotAdjust; then nothing has changed.
    """
    document = ReservationDocument.objects.select_related("order").get(pk=document_id)
    if not _was_asked(document, keeps):
        if refusal := _refusal(document, keeps):
            raise CannotAdjust(refusal)
        _write_down(document, keeps, actor=actor, reason=reason, now=clock())
        _call(document, clock=clock)
    calls = Attempt.objects.filter(document=document, operation="release").order_by("id")
    return PartReleased(
        order=Order.objects.get(pk=document.order_id),
        released=not Release.objects.filter(OPEN_RELEASE, document=document).exists(),
        calls=tuple(calls[:10]),
    )


def _refusal(document: ReservationDocument, keeps: Sequence[Keep]) -> str:
    if any(one.moves for one in keeps):
        return _(
            "Units that move to another list are reserved there first. They cannot just be"
            " released."
        )
    return lines_of_document_refusal(document, keeps)


def _less(keeps: Sequence[Keep]) -> dict[Key, Decimal]:
    return {one.key: one.held - one.units for one in keeps if one.units < one.held}


def _was_asked(document: ReservationDocument, keeps: Sequence[Keep]) -> bool:
    """Whether exactly this was the document's last release, so this is a second click."""
    rows = Release.objects.filter(document=document).exclude(state=ReleaseState.REPEATED)
    last = rows.order_by("number").last()
    if last is None:
        return False
    shown = {one.key: one.held for one in keeps}
    units = {
        (row.list_id, row.sku): (row.held, row.quantity) for row in rows.filter(number=last.number)
    }
    return units == {key: (shown[key], left) for key, left in _less(keeps).items()}


def _write_down(
    document: ReservationDocument,
    keeps: Sequence[Keep],
    *,
    actor: Actor,
    reason: str,
    now: datetime,
) -> None:
    """Subtract the units and store their release, both or neither."""
    less = _less(keeps)
    with transaction.atomic():
        give_back.take_back(
            order_id=document.order_id,
            held=less,
            replacements_first=document.purpose == Purpose.REPLACEMENT,
            actor=actor,
            reason=reason,
            data={"partOf": document.pk, "lines": _lines(less)},
            now=now,
        )
        counted = ReservationDocument.objects.select_for_update().filter(
            pk=document.pk, state=DocumentState.COUNTED
        )
        # The order is locked, so the document's units can't change after this read.
        if counted.first() is None or release_rows.still_held(document) != {
            one.key: one.held for one in keeps
        }:
            raise CannotAdjust(moved_on())
        release_rows.write(document, less, now=now)
        # A rerun with an uncounted answer asked for fewer units than are short now.
        release.mark_for_cancelling(document.order_id, states=release.UNCOUNTED)
    enqueue.soon("finish_cancellations")


def _lines(less: Mapping[Key, Decimal]) -> list[dict[str, object]]:
    return [
        {"inventoryListId": list_id, "sku": sku, "released": json_number(units)}
        for (list_id, sku), units in sorted(less.items())
    ]


def _call(document: ReservationDocument, *, clock: Clock) -> None:
    """Call OCI now, if possible; otherwise the sweep does it later."""
    client = client_if_reachable()
    if client is None:
        return
    timeout = settings.COC_OCI_LIVE_TIMEOUT
    stopped = Releasing(client, clock, read_timeout=timeout).send(document)
    if stopped is not None:
        if stopped.verdict == Verdict.REVIEW:
            outcomes.put_to_review(
                order_id=document.order_id,
                holder=None,
                actor=job("releases"),
                reason=stopped.reason,
                now=clock(),
            )
        return
    keys = sorted(release_rows.held_by(document))
    stock_refresh.try_refresh(keys=keys, client=client, read_timeout=timeout, clock=clock)

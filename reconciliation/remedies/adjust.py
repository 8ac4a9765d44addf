"""Keep a part of a reservation document, or move it: reserve again before releasing the old one.

`releases` and `transfers` act on the counts of a place and know no document (OCI contract 1.6), so
the kept units become a document of their own, by a swap (`reconciliation.remedies.swap`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders import adjustments
from orders.actors import Actor, job
from orders.adjustment_lines import Keep, kept_of
from orders.errors import AdjustmentShort, CannotAdjust, Shortfall
from orders.models import Adjustment, AdjustmentState
from orders.refusals import moved_on
from reconciliation import reservation
from reconciliation.models import Attempt, DocumentState, Purpose, ReservationDocument
from reconciliation.reasons import Reason, join, say
from reconciliation.remedies import swap
from reconciliation.remedies.adjust_preview import (
    adjust_refusal,
    instead,
    scarce_words,
    waited_for,
)
from reconciliation.remedies.preconditions import client_or
from reconciliation.remedies.swap import Clock, Swap


@dataclass(frozen=True, slots=True)
class AdjustmentResult:
    """The outcome: `done`, or `reserving` while OCI has not answered clearly.

    `released`: OCI has already cancelled the old document; `calls` are the calls to OCI and its
    answers, oldest first.
    """

    adjustment: Adjustment
    released: bool
    calls: tuple[Attempt, ...]

    @property
    def done(self) -> bool:
        """Whether the order counts on the new document."""
        return self.adjustment.state == AdjustmentState.DONE


def adjust_reservation(
    *,
    document_id: int,
    keeps: Sequence[Keep],
    actor: Actor,
    reason: str,
    clock: Clock = timezone.now,
) -> AdjustmentResult:
    """Keep the units `keeps` of a document's lines, each in its list; release the rest.

    `keeps` names every line that the document holds, as it was shown. Repeating the call returns
    the same result. Raises AdjustmentShort with the figures, or CannotAdjust; then the order and
    its units at OCI are unchanged.
    """
    document = ReservationDocument.objects.select_related("order").get(pk=document_id)
    same = adjustments.find_same(order_id=document.order_id, document_id=document.pk, keeps=keeps)
    if same is not None:
        return _result(same)
    client = client_or(
        CannotAdjust,
        away=_(
            "OCI cannot be called at the moment, and nothing is released before the units to"
            " keep are reserved."
        ),
    )
    if refusal := adjust_refusal(document, keeps):
        raise CannotAdjust(refusal)
    holder = SWAP.new_holder()
    adjustment = _begin(document, keeps, holder=holder, actor=actor, reason=reason, now=clock())
    return _result(swap.finish_now(SWAP, adjustment, holder=holder, client=client, clock=clock))


def _begin(
    document: ReservationDocument,
    keeps: Sequence[Keep],
    *,
    holder: str,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Adjustment:
    """Take the kept units off ATO and store their document, both or neither."""

    def take() -> Adjustment:
        return adjustments.begin(
            order_id=document.order_id,
            document_id=document.pk,
            keeps=keeps,
            holder=holder,
            until=now + swap.CLAIM,
            actor=actor,
            reason=reason,
            now=now,
        )

    def write(adjustment: Adjustment) -> None:
        counted = ReservationDocument.objects.filter(pk=document.pk, state=DocumentState.COUNTED)
        if not counted.exists():
            raise CannotAdjust(moved_on())
        # Checked again: an order may have begun to wait meanwhile.
        if waiting := waited_for(kept_of(keeps)):
            raise CannotAdjust(waiting)
        reservation.write_kept(document.order_id, kept_of(keeps))

    return swap.begin(SWAP, take, write)


def has_open_adjustments() -> bool:
    """Whether an adjustment waits to be finished."""
    return SWAP.open_rows().exists()


def finish_adjustments(*, clock: Clock, budget: timedelta | None = None, limit: int = 200) -> int:
    """Finish abandoned adjustments; see `swap.finish_all`."""
    return swap.finish_all(SWAP, clock=clock, budget=budget, limit=limit)


def _complete(
    mine: Adjustment, old: ReservationDocument | None, *, holder: str, now: datetime
) -> Adjustment | None:
    return adjustments.complete(
        adjustment_id=mine.pk,
        holder=holder,
        replacements_first=old is not None and old.purpose == Purpose.REPLACEMENT,
        now=now,
    )


def _too_few(shortfalls: Sequence[Shortfall]) -> Reason:
    return join(
        *(
            say(
                "had_too_few",
                held=f"{one.available.normalize():f}",
                sku=f"{one.sku} in {one.inventory_list_id}",
                needed=f"{one.requested.normalize():f}",
            )
            for one in shortfalls[:5]
        ),
        instead(),
    )


def _short(detail: str, shortfalls: Sequence[Shortfall]) -> AdjustmentShort:
    return AdjustmentShort(detail or scarce_words(shortfalls), shortfalls=shortfalls)


SWAP = Swap(
    kind=adjustments.KIND,
    purpose=Purpose.ADJUSTMENT,
    holder="adjust",
    actor=job("adjustments"),
    complete=_complete,
    old_id=lambda mine: mine.document_id,
    too_few=_too_few,
    short=_short,
    shortfalls=adjustments.shortfalls_of,
    cancelled=gettext_lazy("The order was cancelled in the meantime, and the adjustment with it."),
)


def _result(adjustment: Adjustment) -> AdjustmentResult:
    old = ReservationDocument.objects.get(pk=adjustment.document_id)
    calls = Attempt.objects.filter(order=adjustment.order_id, at__gte=adjustment.asked_at)
    return AdjustmentResult(
        adjustment=adjustment,
        released=old.state == DocumentState.CANCELLED,
        calls=tuple(calls.order_by("id")[:10]),
    )

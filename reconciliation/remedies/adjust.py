"""Keeping a part of a reservation document, or moving it: reserved anew before the old one goes.

`releases` and `transfers` act on the counts of a place and know no document (OCI contract 1.6), so
what is kept becomes a document of its own. It is written down, with its units off ATO, before the
first call; when OCI holds all of it, one transaction lets the order count on it and marks the old
document to be cancelled. Without an answer that can be trusted it stays *being reserved*, and
`finish_adjustments` asks again with the same id and bytes, whoever died meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from orders import adjustments, outcomes
from orders.actors import Actor
from orders.adjustment_lines import Keep, kept_of
from orders.errors import AdjustmentShort, CannotAdjust, ShortOnAto
from orders.ledger import LedgerChanged
from orders.models import Adjustment, AdjustmentState
from orders.refusals import moved_on
from reconciliation import reservation
from reconciliation.models import Attempt, DocumentState, ReservationDocument
from reconciliation.remedies.adjust_finish import finish
from reconciliation.remedies.adjust_preview import adjust_refusal, scarce_words, waited_for
from reconciliation.remedies.preconditions import check_documents, client_or
from reconciliation.remedies.resume import CLAIM, Clock

_TRIES = 5


@dataclass(frozen=True, slots=True)
class AdjustmentResult:
    """What came of it: `done`, or `reserving` while OCI has not answered clearly.

    `released` says whether OCI has cancelled the old document already; `calls` is what it was asked
    and what it said, oldest first.
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
    """Keep of a document's lines what `keeps` says, each in its list; release the rest.

    `keeps` names every line that the document holds, as it was shown. The same again returns the
    same. Raises AdjustmentShort with the figures, or CannotAdjust; the order and what OCI holds for
    it are as they were then.
    """
    document = ReservationDocument.objects.select_related("order").get(pk=document_id)
    same = adjustments.find_same(order_id=document.order_id, document=document.pk, keeps=keeps)
    if same is not None:
        return _result(same)
    client = client_or(
        CannotAdjust,
        away=_("OCI cannot be asked just now, and nothing is let go before the rest is reserved."),
    )
    if refusal := adjust_refusal(document, keeps):
        raise CannotAdjust(refusal)
    holder = f"adjust:{uuid.uuid4().hex}"
    adjustment = _begin(document, keeps, holder=holder, actor=actor, reason=reason, now=clock())
    timeout = settings.COC_OCI_LIVE_TIMEOUT
    finish(adjustment.pk, holder=holder, client=client, clock=clock, read_timeout=timeout)
    # Cancelled meanwhile, perhaps: whoever undoes it need not wait for the claim to end.
    outcomes.drop_claim(order_id=document.order_id, holder=holder)
    adjustment.refresh_from_db()
    _raise_if_refused(adjustment)
    return _result(adjustment)


def _begin(
    document: ReservationDocument,
    keeps: Sequence[Keep],
    *,
    holder: str,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Adjustment:
    """Take what is kept off ATO and write its document down, both or neither."""
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                adjustment = adjustments.begin(
                    order_id=document.order_id,
                    document=document.pk,
                    keeps=keeps,
                    holder=holder,
                    until=now + CLAIM,
                    actor=actor,
                    reason=reason,
                    now=now,
                )
                check_documents(document.order_id, CannotAdjust)
                counted = ReservationDocument.objects.filter(
                    pk=document.pk, state=DocumentState.COUNTED
                )
                if not counted.exists():
                    raise CannotAdjust(moved_on())
                # Once more: an order may wait since that was looked at.
                if waiting := waited_for(kept_of(keeps)):
                    raise CannotAdjust(waiting)
                reservation.write_kept(document.order_id, kept_of(keeps))
                return adjustment
        except LedgerChanged:
            if attempt == _TRIES - 1:
                raise
        except ShortOnAto as short:
            raise AdjustmentShort(
                scarce_words(short.shortfalls), shortfalls=short.shortfalls
            ) from None
    raise AssertionError("unreachable")


def _raise_if_refused(adjustment: Adjustment) -> None:
    if adjustment.state == AdjustmentState.CANCELLED:
        raise CannotAdjust(_("The order was cancelled meanwhile, and the adjustment with it."))
    if adjustment.state in (AdjustmentState.REFUSED, AdjustmentState.GIVING_BACK):
        shortfalls = adjustments.shortfalls_of(adjustment)
        if not shortfalls:
            raise CannotAdjust(adjustment.refusal)
        raise AdjustmentShort(adjustment.refusal, shortfalls=shortfalls)


def _result(adjustment: Adjustment) -> AdjustmentResult:
    old = ReservationDocument.objects.get(pk=adjustment.document)
    calls = Attempt.objects.filter(order=adjustment.order_id, at__gte=adjustment.asked_at)
    return AdjustmentResult(
        adjustment=adjustment,
        released=old.state == DocumentState.CANCELLED,
        calls=tuple(calls.order_by("id")[:10]),
    )

"""The effect of keeping a part of a document, or moving it; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from orders import ledger, lifecycle
from orders.adjustment_lines import Keep, kept_of, lines_refusal
from orders.adjustments import move_refusal
from orders.errors import Shortfall
from orders.fields import ZERO
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import OrderItem
from orders.refusals import answer_not_counted, not_enough, not_in_list
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.remedies.preconditions import uncounted_documents
from reconciliation.reservation import fence
from reconciliation.reservation.release_rows import still_held


@dataclass(frozen=True, slots=True)
class KeepPreview:
    """The effect; `refusal` is empty if it is allowed.

    `available` is ATO by list and SKU of the units to reserve again, None if stock is not counted;
    OCI decides. `by_release`: the kept units can't be reserved again and stay in place; the rest is
    released from the document, which from then on is given back only by releases.
    """

    document: ReservationDocument
    keeps: Sequence[Keep]
    available: Mapping[Key, Decimal | None]
    refusal: str
    by_release: bool = False

    @property
    def released(self) -> Decimal:
        """Units that would be released."""
        return sum((one.held - one.units for one in self.keeps), ZERO)

    @property
    def moves(self) -> bool:
        """Whether any units would move to another list."""
        return any(one.moves for one in self.keeps)


def preview_adjustment(document: ReservationDocument, keeps: Sequence[Keep]) -> KeepPreview:
    """Return the effect of keeping `keeps` of `document` (with `order` loaded)."""
    kept = kept_of(keeps)
    records = ledger.records_of(kept)
    refusal = lines_of_document_refusal(document, keeps)
    scarce = "" if refusal else waited_for(kept)
    left = {key: record.ato for key, record in records.items() if record.is_tracked}
    short = ledger.beyond(kept, left)
    if not refusal and not scarce and short:
        scarce = scarce_words(short)
    by_release = bool(scarce) and not any(one.moves for one in keeps)
    return KeepPreview(
        document=document,
        keeps=keeps,
        available={key: one.ato if one.is_tracked else None for key, one in records.items()},
        refusal=refusal or ("" if by_release else scarce),
        by_release=by_release,
    )


def document_refusal(document: ReservationDocument, action: Action = Action.ADJUST) -> str:
    """Return why a document (of `order`) may not be changed, or None."""
    if refusal := lifecycle.check(document.order, action):
        return refusal.sentence
    if document.state != DocumentState.COUNTED:
        return _("Nothing is counted under this document.")
    return "" if document.held else _("OCI holds nothing under this document.")


def adjust_refusal(document: ReservationDocument, keeps: Sequence[Keep]) -> str:
    """Return why exactly this can't be done, given the order and waiting orders."""
    return lines_of_document_refusal(document, keeps) or waited_for(kept_of(keeps))


def lines_of_document_refusal(document: ReservationDocument, keeps: Sequence[Keep]) -> str:
    """Return why a document can't be changed this way, whatever the stock, or None."""
    if closed := document_refusal(document):
        return closed
    shown = {one.key: one.held for one in keeps}
    if shown != still_held(document) or len(shown) != len(keeps):
        return _("The document has changed since it was shown. Look at it again.")
    if uncounted_documents([document.order_id]).exists():
        return answer_not_counted()
    items = list(OrderItem.objects.filter(order=document.order_id).order_by("position"))
    if closed := lines_refusal(items, keeps) or move_refusal(document.order, keeps):
        return closed
    kept = kept_of(keeps)
    known = ledger.records_of(kept)
    unknown = next((key for key in sorted(kept) if key not in known), None)
    return not_in_list(*unknown) if unknown else ""


def waited_for(kept: Iterable[Key]) -> str:
    """Name the SKUs with waiting orders that come first; None if there are none."""
    for key in sorted(kept):
        if fence.is_waited_for([key]):
            words = _("Orders wait for %(sku)s in %(list)s. They are served first.")
            return words % {"sku": key[1], "list": key[0]}
    return ""


def scarce_words(shortfalls: Sequence[Shortfall]) -> str:
    """Describe the missing units, why they are needed twice, and the alternative."""
    figures = " ".join(
        not_enough(
            f"{one.sku} ({one.inventory_list_id})",
            available=one.available,
            needed=one.requested,
        )
        for one in shortfalls[:5]
    )
    return " ".join((figures, instead()))


def instead() -> str:
    """Describe the alternative when stock is too low for a moment."""
    return _(
        "The units to keep are reserved again before the old reservation is released, so OCI"
        " must have them free a second time for a moment. Alternatively, give the whole document"
        " back and reserve the order again. Other channels may get the units in between."
    )

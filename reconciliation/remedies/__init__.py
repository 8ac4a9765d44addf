"""Remedies of short orders that involve OCI: actions, and their previews.

Each action is idempotent, and raises a subclass of orders.errors.OrderRefused, with nothing
changed, if the order has moved on. Previews take many orders at once.
"""

from __future__ import annotations

from reconciliation.remedies.adjust import (
    AdjustmentResult,
    adjust_reservation,
    finish_adjustments,
    has_open_adjustments,
)
from reconciliation.remedies.adjust_preview import (
    KeepPreview,
    document_refusal,
    preview_adjustment,
)
from reconciliation.remedies.cancel_short_items import cancel_short
from reconciliation.remedies.give_back_document import (
    Adjusted,
    AdjustPreview,
    give_back,
    preview_give_back,
)
from reconciliation.remedies.part_release import PartReleased, release_part
from reconciliation.remedies.previews import (
    CancelShortPreview,
    ReplacePreview,
    hindrances,
    preview_cancel_short,
    preview_replace,
)
from reconciliation.remedies.replace import (
    OciAway,
    begin_replacement,
    finish_replacements,
    has_open_replacements,
    replace_short,
    why_oci_is_away,
)
from reconciliation.remedies.suggestions import Suggestion, search, suggest, usual_price
from reconciliation.reservation.release_rows import still_held

__all__ = [
    "AdjustPreview",
    "Adjusted",
    "AdjustmentResult",
    "CancelShortPreview",
    "KeepPreview",
    "OciAway",
    "PartReleased",
    "ReplacePreview",
    "Suggestion",
    "adjust_reservation",
    "begin_replacement",
    "cancel_short",
    "document_refusal",
    "finish_adjustments",
    "finish_replacements",
    "give_back",
    "has_open_adjustments",
    "has_open_replacements",
    "hindrances",
    "preview_adjustment",
    "preview_cancel_short",
    "preview_give_back",
    "preview_replace",
    "release_part",
    "replace_short",
    "search",
    "still_held",
    "suggest",
    "usual_price",
    "why_oci_is_away",
]

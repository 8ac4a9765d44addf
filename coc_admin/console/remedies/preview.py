"""The effect of a remedy on its orders, for the page of one order and for that of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from coc_admin.console.forms import ReasonForm, SettleForm
from coc_admin.console.remedies.forms import CancelItemsForm
from orders.models import OrderItem
from reconciliation import remedies
from reconciliation.models import BulkKind
from reconciliation.remedies.bulk.plans import Planned, sums_of


def preview_context(kind: BulkKind, planned: Sequence[Planned]) -> dict[str, Any]:
    """Return the context of a preview: changed orders, omitted orders, and their sums."""
    to_do = [one for one in planned if not one.closed]
    return {
        "kind": kind,
        "planned": planned,
        "to_do": to_do,
        "left_out": [one for one in planned if one.closed],
        "documents": sum(one.documents > 0 for one in to_do),
        "sums": sums_of(to_do),
        "sites": sorted({one.order.site_id for one in to_do}),
    }


def form_class(kind: BulkKind, *, is_one: bool) -> type[ReasonForm]:
    """Return the form of a remedy; for one order (`is_one`) single items can be cancelled."""
    if kind == BulkKind.SETTLE_OUTSIDE:
        return SettleForm
    return CancelItemsForm if is_one and kind == BulkKind.CANCEL_SHORT else ReasonForm


def replacements_context(
    item: OrderItem,
    text: str,
    *,
    units: Decimal | None = None,
    served_by: Callable[[Decimal], int] = lambda ato: 1,
) -> dict[str, Any]:
    """Return possible replacements for `units` (default: open) of an item, and matches of `text`.

    Each comes with the number of orders that its ATO would cover.
    """
    found = {"suggestions": remedies.suggest(item=item, units=units)}
    if text:
        found["matches"] = remedies.search(item=item, text=text, units=units)
    return {
        name: [(one, served_by(one.ato)) for one in suggestions]
        for name, suggestions in found.items()
    }

"""Whether the column `Order.open_remedy` says what the rows of remedies say, and correcting it.

Every step of a swap writes both in one transaction (`orders.swaps`). A process of the version
before, which does not know the column, or somebody with a database shell may leave them apart: then
nothing waits for an open remedy, or an order waits for one that has ended.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from orders.models import Adjustment, OpenRemedy, Order, Replacement
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.replacements import OPEN_REPLACEMENT


def mismatched(order_ids: Collection[int] | None = None) -> dict[int, OpenRemedy | None]:
    """Return what the rows say of orders whose column says something else; three queries.

    Of `order_ids`, or of all. Others write between the queries: believe it of a locked order.
    """
    replaced = Replacement.objects.filter(OPEN_REPLACEMENT)
    adjusted = Adjustment.objects.filter(OPEN_ADJUSTMENT)
    marked = Order.objects.filter(open_remedy__isnull=False).order_by()
    if order_ids is not None:
        replaced = replaced.filter(order__in=order_ids)
        adjusted = adjusted.filter(order__in=order_ids)
        marked = marked.filter(pk__in=order_ids)
    by_rows = dict.fromkeys(adjusted.values_list("order_id", flat=True), OpenRemedy.ADJUSTMENT)
    by_rows |= dict.fromkeys(replaced.values_list("order_id", flat=True), OpenRemedy.REPLACEMENT)
    by_column = dict(marked.values_list("pk", "open_remedy"))
    return {
        pk: by_rows.get(pk)
        for pk in sorted(by_rows.keys() | by_column.keys())
        if by_rows.get(pk) != by_column.get(pk)
    }


def correct() -> int:
    """Let the columns say what the rows say; return how many were wrong."""
    return sum(_correct(order_id) for order_id in mismatched())


def _correct(order_id: int) -> bool:
    with transaction.atomic():
        # Opening or ending a remedy writes the order's row first.
        order = Order.objects.select_for_update().get(pk=order_id)
        found = mismatched([order_id])
        if order_id not in found:
            return False
        row = Order.objects.filter(pk=order_id, open_remedy=order.open_remedy)
        return bool(row.update(open_remedy=found[order_id]))

"""What is being done to an order between two calls to OCI; nothing else is begun meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from orders.errors import OrderRefused
from orders.models import Adjustment, Order, Replacement
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.replacements import OPEN_REPLACEMENT
from orders.refusals import being_adjusted, being_replaced

_REPLACED = Exists(Replacement.objects.filter(OPEN_REPLACEMENT, order=OuterRef("pk")))
_ADJUSTED = Exists(Adjustment.objects.filter(OPEN_ADJUSTMENT, order=OuterRef("pk")))


def what_is_under_way(order_ids: Iterable[int]) -> dict[int, str]:
    """Return what is under way for each of these orders that has something, in words; one query."""
    found = Order.objects.filter(pk__in=set(order_ids)).order_by()
    busy = found.filter(_REPLACED | _ADJUSTED).annotate(is_replaced=_REPLACED)
    return {
        pk: being_replaced() if is_replaced else being_adjusted()
        for pk, is_replaced in busy.values_list("pk", "is_replaced")
    }


def is_busy(order: Order) -> bool:
    """Return whether something is under way for the order."""
    return bool(what_is_under_way([order.pk]))


def check_nothing_under_way(order: Order, error: type[OrderRefused]) -> None:
    """Raise `error` while something is being replaced or adjusted for the order."""
    if busy := what_is_under_way([order.pk]):
        raise error(busy[order.pk])

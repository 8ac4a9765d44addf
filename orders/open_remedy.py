"""What is being done to an order between two calls to OCI; nothing else is begun meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from orders.errors import OrderRefused
from orders.models import Order, Rearrangement, Replacement
from orders.models.rearrangements import UNDER_WAY as REARRANGED
from orders.models.replacements import UNDER_WAY as REPLACED
from orders.refusals import being_rearranged, being_replaced

_REPLACED = Exists(Replacement.objects.filter(REPLACED, order=OuterRef("pk")))
_REARRANGED = Exists(Rearrangement.objects.filter(REARRANGED, order=OuterRef("pk")))


def what_is_under_way(order_ids: Iterable[int]) -> dict[int, str]:
    """Return what is under way for each of these orders that has something, in words; one query."""
    found = Order.objects.filter(pk__in=set(order_ids)).order_by()
    busy = found.filter(_REPLACED | _REARRANGED).annotate(is_replaced=_REPLACED)
    return {
        pk: being_replaced() if is_replaced else being_rearranged()
        for pk, is_replaced in busy.values_list("pk", "is_replaced")
    }


def is_busy(order: Order) -> bool:
    """Return whether something is under way for the order."""
    return bool(what_is_under_way([order.pk]))


def check_nothing_under_way(order: Order, error: type[OrderRefused]) -> None:
    """Raise `error` while something is being replaced or rearranged for the order."""
    if busy := what_is_under_way([order.pk]):
        raise error(busy[order.pk])

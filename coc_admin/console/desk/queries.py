"""The pages of the oversold desk: short orders by their place in the list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from coc_admin.console.queries import PAGE
from coc_admin.pager import Column, Keyset, Page
from orders.desk.shortages import value_of_order, with_value
from orders.models import Order

_OLDEST = Keyset(Column("captured_at", datetime), Column("id"))
_HIGHEST = Keyset(Column("short_value", float, True), Column("id", descending=True))

# Tone and word for what stock says of an order.
STOCK_WORDS: dict[str, tuple[str, Any]] = {
    "enough": ("ok", _("Enough")),
    "part": ("warn", _("A part")),
    "none": ("bad", _("None")),
    "unknown": ("quiet", _("Unknown")),
}


def page_of_short_orders(orders: QuerySet[Order], *, cursor: str, sort: str) -> Page[Order]:
    """Return the page at `cursor`, by `oldest` or `highest`; what is no cursor is the start.

    Each order comes with its desk entry and that one's assignee.
    """
    if sort == "oldest":
        return _OLDEST.page(_with_entries(orders), cursor, size=PAGE)
    valued = with_value(orders)
    return _HIGHEST.page(valued, cursor, size=PAGE, read=_highest)


def sorted_short_orders(orders: QuerySet[Order], sort: str) -> QuerySet[Order]:
    """Return orders by `oldest` or `highest`, each with its desk entry and that one's assignee."""
    if sort == "oldest":
        return _with_entries(orders).order_by("captured_at", "id")
    found: QuerySet[Any] = _with_entries(orders).annotate(short_value=value_of_order())
    return found.order_by("-short_value", "-id")


def _with_entries(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.select_related("desk_entry__assignee", "site")


def _highest(turn: QuerySet[Any]) -> list[Order]:
    """Return the orders of `turn`, the part of a list by value that a page shows.

    Such a sort reads the key of every open order from an index. Only the orders
    that are shown are read.
    """
    places = list(turn.values_list("pk", "short_value"))
    found = _with_entries(Order.objects.all()).in_bulk([pk for pk, value in places])
    for pk, value in places:
        found[pk].short_value = value  # type: ignore[attr-defined]
    return [found[pk] for pk, value in places]


@dataclass(frozen=True, slots=True)
class Next:
    """The order after another one in a list; none (`pk` is None) if that was the only one.

    After the last one comes the first one again (`is_first`).
    """

    pk: int | None
    is_first: bool


def next_short_order(orders: QuerySet[Order], order: Order, *, sort: str) -> Next:
    """Return the order after `order` in a list by `oldest` or `highest`; three queries at most."""
    others: QuerySet[Any] = orders.exclude(pk=order.pk)
    if sort == "oldest":
        later = Q(captured_at=order.captured_at, pk__gt=order.pk)
        after = others.filter(later | Q(captured_at__gt=order.captured_at))
        place = ("captured_at", "id")
    else:
        own = Order.objects.filter(pk=order.pk).annotate(short_value=value_of_order())
        value = own.values_list("short_value", flat=True).get()
        others = others.annotate(short_value=value_of_order())
        after = others.filter(Q(short_value=value, pk__lt=order.pk) | Q(short_value__lt=value))
        place = ("-short_value", "-id")
    found = after.order_by(*place).values_list("pk", flat=True).first()
    if found is not None:
        return Next(found, is_first=False)
    return Next(others.order_by(*place).values_list("pk", flat=True).first(), is_first=True)

"""The pages of the oversold desk: short orders by their place in the list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
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

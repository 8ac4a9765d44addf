"""The pages of the oversold desk: short orders sorted by the chosen column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from coc_admin.console.queries import PAGE
from coc_admin.pager import Column, Keyset, Page, Place
from orders.desk.shortages import with_value
from orders.models import Order

# By the value in the URL; an index serves each (`docs/performance.md`).
_SORTS = {
    "oldest": Keyset(Column("captured_at", datetime), Column("id")),
    "newest": Keyset(Column("captured_at", datetime, True), Column("id", descending=True)),
    "highest": Keyset(Column("short_value", float, True), Column("id", descending=True)),
    "lowest": Keyset(Column("short_value", float), Column("id")),
}
_BY_VALUE = ("highest", "lowest")

# Tone and word for the effect of stock on an order.
STOCK_WORDS: dict[str, tuple[str, Any]] = {
    "enough": ("ok", _("Enough")),
    "part": ("warn", _("A part")),
    "none": ("bad", _("None")),
    "unknown": ("quiet", _("Unknown")),
}


def page_of_short_orders(orders: QuerySet[Order], *, cursor: str, sort: str) -> Page[Order]:
    """Return the page at `cursor`, by one of _SORTS; an invalid cursor means the start.

    Each order comes with its desk entry and assignee.
    """
    if sort in _BY_VALUE:
        return _SORTS[sort].page(with_value(orders), cursor, size=PAGE, read=_valued)
    return _SORTS[sort].page(_with_entries(orders), cursor, size=PAGE)


def sorted_short_orders(orders: QuerySet[Order], sort: str) -> QuerySet[Order]:
    """Return orders by one of _SORTS, each with its desk entry and assignee."""
    return _SORTS[sort].sorted(_placed(_with_entries(orders), sort))


def _placed(orders: QuerySet[Order], sort: str) -> QuerySet[Any]:
    """Return whole orders with what `sort` compares."""
    return with_value(orders) if sort in _BY_VALUE else orders


def _with_entries(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.select_related("desk_entry__assignee", "site")


def _valued(turn: QuerySet[Any]) -> list[Order]:
    """Return the orders of `turn`, the shown part of a list by value.

    Their keys and values come from an index. Only the orders that are shown are read.
    """
    places = list(turn.values_list("pk", "short_value"))
    found = _with_entries(Order.objects.all()).in_bulk([pk for pk, value in places])
    for pk, value in places:
        found[pk].short_value = value  # type: ignore[attr-defined]
    return [found[pk] for pk, value in places]


@dataclass(frozen=True, slots=True)
class Next:
    """The order after another one in a list; `pk` is None if that was the only one.

    After the last order comes the first one again (`is_first`).
    """

    pk: int | None
    is_first: bool


def next_short_order(orders: QuerySet[Order], order: Order, *, sort: str) -> Next:
    """Return the order after `order` in a list by one of _SORTS; three queries at most."""
    keyset = _SORTS[sort]
    names = [column.name for column in keyset.columns]
    own = _placed(Order.objects.filter(pk=order.pk), sort).values_list(*names).get()
    others = keyset.sorted(_placed(orders.exclude(pk=order.pk), sort))
    after = others.filter(keyset.beyond(Place(own)))
    found = after.values_list("pk", flat=True).first()
    if found is not None:
        return Next(found, is_first=False)
    return Next(others.values_list("pk", flat=True).first(), is_first=True)

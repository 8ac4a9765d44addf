"""The pages of the oversold desk: short orders by their place in the list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from coc_admin.console.queries import PAGE, Page
from orders.desk.shortages import value_of_order
from orders.models import Order

# Tone and word for what stock says of an order.
STOCK_WORDS: dict[str, tuple[str, Any]] = {
    "enough": ("ok", _("Enough")),
    "part": ("warn", _("A part")),
    "none": ("bad", _("None")),
    "unknown": ("quiet", _("Not known")),
}


def page_of_short_orders(orders: QuerySet[Order], *, cursor: str, sort: str) -> Page[Order]:
    """Return the page after `cursor`, by `oldest` or `highest`; a cursor that is none is the start.

    Each order comes with its desk entry and that one's assignee.
    """
    column, sign = ("captured_at", "") if sort == "oldest" else ("short_value", "-")
    if sort != "oldest":
        orders = orders.annotate(short_value=value_of_order())
    after = _read_cursor(cursor, column)
    if after:
        value, pk = after
        side = "lt" if sign else "gt"
        further = Q((f"{column}__{side}", value)) | Q((f"pk__{side}", pk))
        orders = orders.filter(Q((f"{column}__{side}e", value)) & further)
    turn = orders.order_by(f"{sign}{column}", f"{sign}id")
    rows = list(_with_entries(turn)[: PAGE + 1]) if sort == "oldest" else _highest(turn)
    more, rows = len(rows) > PAGE, rows[:PAGE]
    next_cursor = f"{place_text(getattr(rows[-1], column))}~{rows[-1].pk}" if more else ""
    return Page(rows, next_cursor, is_first=after is None)


def _with_entries(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.select_related("desk_entry__assignee", "site")


def _highest(turn: Any) -> list[Order]:
    """Return the first orders of `turn`, which is sorted by value, and one more than a page.

    Such a sort looks at every open order: at its key alone, which an index holds. Only the orders
    that are shown are read.
    """
    places = list(turn.values_list("pk", "short_value")[: PAGE + 1])
    found = _with_entries(Order.objects.all()).in_bulk([pk for pk, value in places])
    for pk, value in places:
        found[pk].short_value = value  # type: ignore[attr-defined]
    return [found[pk] for pk, value in places]


def place_text(value: Any) -> str:
    """Return the place of a row in a list (a time or a value) as a cursor tells it."""
    return value.isoformat() if isinstance(value, datetime) else repr(float(value))


def _read_cursor(text: str, column: str) -> tuple[datetime | float, int] | None:
    place, _, number = text.partition("~")
    value = read_place(place, column)
    is_key = number.isascii() and number.isdecimal() and 0 < len(number) < 19
    return (value, int(number)) if value is not None and is_key else None


def read_place(text: str, column: str) -> datetime | float | None:
    """Return the place that a cursor tells, of the sort by `column`; None for what is none."""
    try:
        if column == "captured_at":
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo and 2000 <= moment.year <= 2200 else None
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e30 else None

"""The pager of every list, in the console and in the API: pages by key, never by number.

A `Keyset` names the columns that sort a list. The last one is unique, so the order is total. A
cursor names the row after which (or before which) a page begins, and a query finds that place by an
index: page 1,000 costs what page 1 costs, and rows that come or go meanwhile neither repeat nor
hide others.

A cursor is opaque to the caller and checked like any other input. The API refuses a cursor that it
did not make; a page of the console shows its first rows instead.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from orders.fields import MoneyField
from orders.texts import is_storable

T = TypeVar("T")

# No page has more rows, and no list is asked for more.
MOST_ROWS = 200
LONGEST_CURSOR = 2_500
_LARGEST_KEY = 2**63 - 1
_LARGEST_FLOAT = 1e30
_BACKWARDS = "-"


class BadCursor(ValueError):
    """The text is no cursor of this list."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column (or annotation) that sorts a list; `kind` is one of those in _READERS.

    `attribute` is what a row calls its value, where that is another name.
    """

    name: str
    kind: type = int
    descending: bool = False
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The row at which a page begins: after it, or, backwards, before it."""

    values: tuple[Any, ...]
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of a list, and the cursors of the pages beside it; empty where there is none.

    `is_first` is also false of a page whose rows are gone: it has neither cursor.
    """

    rows: list[T]
    next_cursor: str = ""
    previous_cursor: str = ""
    is_first: bool = True


# Returns up to so many rows from a place on, in the direction of the place; None is the start.
Fetch = Callable[[Place | None, int], list[T]]


class Keyset:
    """The order of a list. Its methods run no query unless they say so."""

    def __init__(self, *columns: Column) -> None:
        self.columns = columns

    def cursor(self, values: Sequence[Any]) -> str:
        """Return the cursor of the page after the row with these values."""
        plain = [value if isinstance(value, (int, float)) else _written(value) for value in values]
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def cursor_at(self, row: Any) -> str:
        """Return the cursor of the page after `row`, an object or a mapping."""
        return self.cursor([_value(row, one.attribute or one.name) for one in self.columns])

    def place(self, cursor: str) -> Place | None:
        """Return the place that `cursor` names; None for an empty one. Raises BadCursor."""
        if not cursor:
            return None
        text = cursor.removeprefix(_BACKWARDS)
        try:
            if len(text) > LONGEST_CURSOR:
                raise ValueError
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if not isinstance(found, list) or len(found) != len(self.columns):
                raise ValueError
            pairs = zip(found, self.columns, strict=True)
            values = tuple(_READERS[column.kind](value) for value, column in pairs)
        except (ValueError, TypeError, RecursionError, ValidationError, binascii.Error):
            raise BadCursor from None
        return Place(values, cursor.startswith(_BACKWARDS))

    def place_or_start(self, cursor: str) -> Place | None:
        """Return the place that `cursor` names, or None, the start, for what is no cursor."""
        try:
            return self.place(cursor)
        except BadCursor:
            return None

    def beyond(self, place: Place) -> Q:
        """Return the condition of the rows on the far side of `place`, as an index answers it."""
        condition = Q()
        pairs = list(zip(self.columns, place.values, strict=True))
        for column, value in reversed(pairs):
            side = "lt" if column.descending != place.backwards else "gt"
            further = Q((f"{column.name}__{side}", value))
            if condition:
                further = Q((f"{column.name}__{side}e", value)) & (further | condition)
            condition = further
        return condition

    def sorted(self, rows: QuerySet[Any], *, backwards: bool = False) -> QuerySet[Any]:
        """Return `rows` in the order of the list, or in the opposite one."""
        return rows.order_by(
            *(f"{'-' if one.descending != backwards else ''}{one.name}" for one in self.columns)
        )

    def page(
        self,
        rows: QuerySet[Any],
        cursor: str,
        *,
        size: int,
        strict: bool = False,
        read: Callable[[QuerySet[Any]], list[Any]] = list,
    ) -> Page[Any]:
        """Return the page of `rows` at `cursor`; one query.

        `read` gets the rows of the page, and one more, from the query set. `strict` raises
        BadCursor for a cursor that is none or goes backwards; otherwise it shows the start.
        """

        def fetch(place: Place | None, most: int) -> list[Any]:
            found = rows if place is None else rows.filter(self.beyond(place))
            backwards = place is not None and place.backwards
            return read(self.sorted(found, backwards=backwards)[:most])

        return self.page_from(fetch, cursor, size=size, strict=strict)

    def page_from(
        self, fetch: Fetch[T], cursor: str, *, size: int, strict: bool = False
    ) -> Page[T]:
        """Return the page at `cursor` of the rows that `fetch` gets, such as those of two tables.

        The first page reached backwards is read again from the start, so that it is full.
        """
        if not 1 <= size <= MOST_ROWS:
            raise ValueError(f"a page has 1 to {MOST_ROWS} rows, not {size}")
        place = self.place(cursor) if strict else self.place_or_start(cursor)
        if strict and place is not None and place.backwards:
            raise BadCursor
        rows = fetch(place, size + 1)
        more, rows = len(rows) > size, rows[:size]
        if place is not None and place.backwards:
            if not more:
                return self.page_from(fetch, "", size=size)
            rows.reverse()
            return Page(rows, self.cursor_at(rows[-1]), self._before(rows[0]), is_first=False)
        return Page(
            rows,
            self.cursor_at(rows[-1]) if more else "",
            self._before(rows[0]) if place and rows else "",
            is_first=place is None,
        )

    def _before(self, row: Any) -> str:
        return _BACKWARDS + self.cursor_at(row)


NEWEST_FIRST = Keyset(Column("pk", descending=True))
OLDEST_FIRST = Keyset(Column("pk"))


def _value(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, Mapping) else getattr(row, name)


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _read_key(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST_KEY:
        raise ValueError
    return value


def _read_float(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < _LARGEST_FLOAT:
        raise ValueError
    return float(value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise ValueError
    return value


def _read_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or not 2000 <= moment.year <= 2200:
        raise ValueError
    return moment


def _read_money(value: Any) -> Decimal:
    amount: Decimal | None = MoneyField().to_python(_read_text(value))
    if amount is None:
        raise ValueError
    return amount


_READERS: Mapping[type, Callable[[Any], Any]] = {
    int: _read_key,
    float: _read_float,
    str: _read_text,
    date: date.fromisoformat,
    datetime: _read_moment,
    Decimal: _read_money,
}

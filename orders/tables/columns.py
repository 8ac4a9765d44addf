"""Columns of a table; the kind of a column decides how every format shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise

from orders.fields import json_number
from orders.serializers import iso

# ISO 4217: currencies with a smallest unit other than a hundredth.
_WITHOUT_DECIMALS = re.compile(
    r"\A(BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|VND|VUV|XAF|XOF|XPF)\Z"
)
_OF_THREE_DECIMALS = re.compile(r"\A(BHD|IQD|JOD|KWD|LYD|OMR|TND)\Z")

Value = str | bool | int | float | Decimal | datetime | None


class Kind(StrEnum):
    """The kind of a column's values."""

    TEXT = "text"  # also order numbers and SKUs: leading zeros stay
    CHOICE = "choice"  # a code, shown by its label
    YES_NO = "yes_no"
    NUMBER = "number"
    QUANTITY = "quantity"  # units, up to three decimals
    MONEY = "money"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `currency` names the column that holds the currency of a MONEY column."""

    name: str
    label: str | Promise
    kind: Kind = Kind.TEXT
    currency: str = ""
    choices: Mapping[str, str | Promise] = field(default_factory=dict)


def heading(column: Column, zone: tzinfo) -> str:
    """Return the heading of a column in the active language; times name the reader's zone."""
    return f"{column.label} ({zone})" if column.kind == Kind.MOMENT else str(column.label)


def decimals_of(currency: str) -> int:
    """Return the minimum number of decimals of an amount in `currency`."""
    if _WITHOUT_DECIMALS.match(currency):
        return 0
    return 3 if _OF_THREE_DECIMALS.match(currency) else 2


def currency_places(columns: Sequence[Column]) -> list[int | None]:
    """Return for each column the place of its currency column, or None."""
    places = {column.name: place for place, column in enumerate(columns)}
    return [places.get(column.currency) if column.currency else None for column in columns]


def moment_of(value: Any) -> datetime | None:
    """Return a datetime, also from ISO 8601 text; None for other values."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def plain_value(value: Any) -> str | int | float | None:
    """Return a value in the form for programs."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Decimal):
        return json_number(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)

"""The values of an order that comes from outside: what each member may be, and what becomes of it.

What decides is checked strictly; what only describes is cleaned and never refuses an order.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from orders.payload_items import MAX_QUANTITY
from orders.payload_reasons import join, say
from orders.strict_json import OddNumber
from orders.texts import SKU_RULE, cleaned, first_unprintable, is_plain, is_sku

MAX_AMOUNT = Decimal(1_000_000_000)

_CURRENCY = re.compile(r"\A[A-Z]{3}\Z")
_PLAIN_NUMBER = re.compile(r"\A[+-]?[0-9]{1,12}(\.[0-9]{1,20})?\Z")
# Statuses of B2C Commerce whose orders hold no stock any more.
NOT_STANDING = frozenset(
    {"cancelled", "canceled", "failed", "failed_with_reopen", "replaced", "refunded", "voided"}
)


def _text(value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, OddNumber):
        raise ValueError(say("use_text"))
    if not is_plain(value):
        raise ValueError(join(say("controls"), first_unprintable(value)))
    return value


def _identifier(value: Any) -> str:
    text = _text(value)
    if text != text.strip():
        raise ValueError(say("no_outer_space"))
    return text


def _sku(value: Any) -> str:
    text = _text(value)
    if not is_sku(text):
        raise ValueError(say("use_sku"))
    return text


def _number(value: Any) -> Decimal:
    if isinstance(value, OddNumber):
        raise ValueError(say("number_out_of_range", text=value[:40]))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(say("use_number"))
    return Decimal(value)


def _quantity(value: Any) -> Decimal:
    number = _number(value)
    if number <= 0:
        raise ValueError(say("more_than_zero"))
    if number > MAX_QUANTITY:
        raise ValueError(say("at_most", number=int(MAX_QUANTITY)))
    if number != round(number, 3):
        raise ValueError(say("three_decimals"))
    return round(number, 3)


def _total(value: Any) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError(say("not_negative"))
    if number > MAX_AMOUNT:
        raise ValueError(say("at_most", number=int(MAX_AMOUNT)))
    return round(number, 4)


def _price(value: Any) -> Decimal | None:
    """Return a descriptive price, or None if it can't be shown."""
    if isinstance(value, OddNumber):
        return None
    if isinstance(value, str) and _PLAIN_NUMBER.match(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return round(number, 4) if 0 <= number <= MAX_AMOUNT else None


def _described(longest: int) -> Any:
    """Return a validator of text that only describes: cleaned, cut to `longest`, never refused."""

    def clean(value: Any) -> str:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = f"{Decimal(value):f}"
        return cleaned(value, longest) if isinstance(value, str) else ""

    return BeforeValidator(clean)


def _currency(value: Any) -> str:
    text = _text(value)
    if not _CURRENCY.match(text):
        raise ValueError(say("use_currency"))
    return text


def _date_time(value: Any) -> str:
    """Return an ISO 8601 date and time as sent, or "" for any other value."""
    if not isinstance(value, str) or len(value) > 64 or not is_plain(value):
        return ""
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return ""
    return value


def _status(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def object_or_nothing(value: Any) -> Any:
    """Return an object of what only describes; for any other value an empty one."""
    return value if isinstance(value, dict) else {}


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[
    str,
    _described(500),
    WithJsonSchema({"type": ["string", "null"], "description": "Shown up to 500 characters."}),
]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Sku = Annotated[
    str,
    BeforeValidator(_sku),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 250, "description": SKU_RULE}),
]
Currency = Annotated[
    str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]
DateTime = Annotated[
    str,
    BeforeValidator(_date_time),
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "description": "ISO 8601. Not part of what makes two orders the same.",
        }
    ),
]
Status = Annotated[
    str,
    BeforeValidator(_status),
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "description": "As in B2C Commerce; cancelled, failed and replaced orders are refused.",
        }
    ),
]
Quantity = Annotated[
    Decimal,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": int(MAX_QUANTITY),
            "description": "At most 3 decimals.",
        }
    ),
]
Total = Annotated[
    Decimal,
    BeforeValidator(_total),
    WithJsonSchema(
        {
            "type": "number",
            "minimum": 0,
            "maximum": int(MAX_AMOUNT),
            "description": "Rounded to 4 decimals.",
        }
    ),
]
Price = Annotated[
    Decimal | None,
    BeforeValidator(_price),
    WithJsonSchema(
        {
            "type": ["number", "null"],
            "description": "Describes only: rounded to 4 decimals; left out if it is no price.",
        }
    ),
]
ListId = Annotated[
    Annotated[Identifier, Field(min_length=2, max_length=128)] | None,
    BeforeValidator(_none_if_empty),
]
_SHOWN = WithJsonSchema({"type": ["string", "null"], "description": "Cleaned to be shown."})
CustomerId = Annotated[str, _described(100), _SHOWN]
CustomerName = Annotated[str, _described(256), _SHOWN]
Email = Annotated[str, _described(320), _SHOWN]
Locale = Annotated[
    str,
    _described(64),
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "description": "Such as de or de_AT: messages to the customer are written in it, if it"
            " is English or German. Not part of what makes two orders the same.",
        }
    ),
]

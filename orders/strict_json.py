"""JSON from outside that means one thing: UTF-8, no member twice, exact numbers, no NaN."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from orders.payload_reasons import say

MOST_LEVELS = 64
_MOST_DIGITS = 31
# Objects and lists: what a parser makes is exactly that.
_HOLDERS = (dict, list)
_TOO_DEEP = say("body_too_deep", levels=MOST_LEVELS)


class NotStrictJson(ValueError):
    """The text is not such JSON; the message is a sentence about why."""


class OddNumber(str):
    """A number that nothing can be computed with, as it is written: 1e400."""

    __slots__ = ()


def loads(raw: bytes, *, is_bounded: bool = True, keeps_odd_numbers: bool = False) -> Any:
    """Return the value that `raw` holds, numbers with a fraction as Decimals.

    Nesting is bounded, so that code that walks through the value has enough stack; `is_bounded` is
    false for what was taken in before. A number out of range is refused, or with
    `keeps_odd_numbers` becomes an OddNumber. Raises NotStrictJson.
    """
    try:
        value = json.loads(
            raw.decode("utf-8-sig"),  # some clients put a byte order mark before it
            parse_float=_finite_or_odd if keeps_odd_numbers else _finite,
            parse_int=_int_or_odd if keeps_odd_numbers else int,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_members,
        )
    except RecursionError:
        raise NotStrictJson(_TOO_DEEP) from None
    except UnicodeDecodeError:
        raise NotStrictJson(say("body_no_utf8")) from None
    except NotStrictJson:
        raise
    except ValueError as error:
        fault = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise NotStrictJson(say("body_no_json", fault=fault[:200])) from None
    if is_bounded and _is_deep(value):
        raise NotStrictJson(_TOO_DEEP)
    return value


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than MOST_LEVELS. Needs no deep stack itself."""
    holders = [value] if type(value) in _HOLDERS else []
    for _ in range(MOST_LEVELS):
        holders = [
            one
            for holder in holders
            for one in (holder.values() if type(holder) is dict else holder)
            if type(one) in _HOLDERS
        ]
        if not holders:
            return False
    return True


def _finite(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        raise NotStrictJson(say("body_number_range", text=text[:40])) from None
    # Arithmetic on a huge exponent writes out all its digits.
    if number and not -30 <= number.adjusted() <= 30:
        raise NotStrictJson(say("body_number_range", text=text[:40]))
    return number


def _finite_or_odd(text: str) -> Decimal | OddNumber:
    try:
        return _finite(text)
    except ValueError:
        return OddNumber(text)


def _int_or_odd(text: str) -> int | OddNumber:
    return int(text) if len(text) <= _MOST_DIGITS else OddNumber(text)


def _no_constant(text: str) -> Any:
    raise NotStrictJson(say("body_no_number", text=text))


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotStrictJson(say("body_member_twice", name=ascii(name[:60])))
            seen.add(name)
    return members

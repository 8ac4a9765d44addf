"""JSON from outside that means one thing: UTF-8, no member twice, exact numbers, no NaN."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any


class NotStrictJson(ValueError):
    """The text is not such JSON; the message is a sentence about why."""


def loads(raw: bytes) -> Any:
    """Return the value that `raw` holds, numbers with a fraction as Decimals.

    Raises NotStrictJson.
    """
    try:
        return json.loads(
            raw.decode("utf-8"),
            parse_float=_finite,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_members,
        )
    except RecursionError:
        raise NotStrictJson("The JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise NotStrictJson("The body is not UTF-8.") from None
    except ValueError as error:
        message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise NotStrictJson(f"The body is not JSON: {message[:200]}.") from None


def _finite(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        raise ValueError(f"the number {text[:40]} is out of range") from None
    # Arithmetic on a huge exponent writes out all its digits.
    if number and not -30 <= number.adjusted() <= 30:
        raise ValueError(f"the number {text[:40]} is out of range")
    return number


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the member {name[:60]!a} is given twice")
            seen.add(name)
    return members

"""JSON with exact decimals, both ways (OCI contract 1.9), and checks of what came from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NoReturn

from reconciliation.oci.errors import MalformedAnswer
from reconciliation.reasons import say

STEP = Decimal("0.001")
# Far above any stock, and small enough for exact sums in Python's default precision.
_MOST_DIGITS = 15


def read_json(raw: bytes | str) -> Any:
    """Parse JSON; numbers with a point or exponent become Decimals. Raises MalformedAnswer."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        raise MalformedAnswer(say("not_json")) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def write_json(value: Any) -> str:
    """Write compact ASCII JSON, the same text for the same value; Decimals as plain numbers."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_whole)
    except _NotPlain:
        return _written(value)


class _NotPlain(Exception):
    """The standard library cannot write a value as it must be written here."""


def _whole(value: Any) -> int:
    is_plain = isinstance(value, Decimal) and value.is_finite() and not value.is_signed()
    if is_plain and value == value.to_integral_value():
        return int(value)
    raise _NotPlain


def _written(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Mapping):
        members = (f"{json.dumps(str(k))}:{_written(v)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(_written(item) for item in value) + "]"
    return json.dumps(value, allow_nan=False)


def as_object(value: object, what: str) -> Mapping[str, Any]:
    """Return a JSON object, or raise MalformedAnswer."""
    if not isinstance(value, Mapping):
        raise MalformedAnswer(say("not_an_object", what=what))
    return value


def as_objects(value: object, what: str) -> list[Mapping[str, Any]]:
    """Return a list of JSON objects, empty for null; raises MalformedAnswer."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedAnswer(say("not_a_list", what=what))
    return [as_object(item, f"An entry of {what}") for item in value]


def as_text(value: object, what: str) -> str:
    """Return a string that is not empty, or raise MalformedAnswer."""
    if not isinstance(value, str) or not value:
        raise MalformedAnswer(say("not_a_text", what=what))
    return value


def as_quantity(value: object, what: str, *, rounded: bool = False) -> Decimal:
    """Return a quantity: a number from 0 up, with at most three places, or raise MalformedAnswer.

    With `rounded` more places are rounded away, for figures that were added up as floats elsewhere.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise MalformedAnswer(say("not_a_number", what=what))
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or number < 0 or (number and number.adjusted() >= _MOST_DIGITS):
        raise MalformedAnswer(say("not_a_quantity", what=what))
    exact = number.quantize(STEP, rounding=ROUND_HALF_EVEN)
    if exact != number and not rounded:
        raise MalformedAnswer(say("too_many_places", what=what))
    return exact


def clean_text(value: object, *, limit: int, secrets: Sequence[str] = ()) -> str:
    """Return text from outside, fit to be stored and shown: one line, bounded, without secrets."""
    if not isinstance(value, str):
        return ""
    for secret in secrets:
        if secret:
            value = value.replace(secret, "***")
    shown = "".join(c if c.isprintable() else " " for c in value[: limit * 4])
    return " ".join(shown.split())[:limit]

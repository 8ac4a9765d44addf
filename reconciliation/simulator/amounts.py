"""Quantities in whole thousandths, times in seconds since the epoch."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MAX_UNITS = 1_000_000_000
_STEP = Decimal("0.001")
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class NotAnAmount(ValueError):
    """A value that is not a quantity in steps of 0.001 within the limits."""


def thousandths(value: object, *, least: int = 0) -> int:
    """Convert a JSON number to whole thousandths, exactly.

    ``least`` is in thousandths. Numbers with more than three places, text, true, false and anything
    above a thousand million units raise NotAnAmount.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NotAnAmount("must be a number")
    number = Decimal(value)
    if not number.is_finite() or abs(number) > MAX_UNITS:
        raise NotAnAmount("is out of range")
    if number != number.quantize(_STEP):
        raise NotAnAmount("may have three decimal places at most")
    whole = int(number.quantize(_STEP) * 1000)
    if whole < least:
        raise NotAnAmount(f"must be {number_of(least)} or more")
    return whole


def number_of(amount: int) -> int | float:
    """Convert thousandths to a JSON number that prints exactly like the decimal."""
    return amount // 1000 if amount % 1000 == 0 else amount / 1000


def read_json(raw: bytes) -> Any:
    """Parse strict JSON with exact decimals; raises ValueError for anything else.

    Half of a surrogate pair (``\\ud800``) is refused as well: it can't be sent back as UTF-8.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def iso(moment: float) -> str:
    """Format seconds since the epoch as an RFC 3339 time in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def epoch(text: object) -> float:
    """Parse an RFC 3339 time with its zone; raises ValueError otherwise."""
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("must be a date and time with its zone, as 2026-02-02T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("is no date and time that exists") from None

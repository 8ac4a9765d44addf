"""Numbers, money and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

_STEPS = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (48 * 3600, 3600, "hour"),
    (float("inf"), 86_400, "day"),
)


def format_quantity(value: Decimal | int | None) -> str:
    """Return a quantity without needless zeros: `1,200`, `2.5`; a dash for none."""
    if value is None:
        return "–"
    exact = Decimal(value)
    text = f"{exact:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_change(value: Decimal) -> str:
    """Return a quantity with its sign: `+5`, `−2`; a dash for no change."""
    return f"{'+' if value > 0 else '−'}{format_quantity(abs(value))}" if value else "–"


def format_money(value: Decimal | None, currency: str) -> str:
    """Return an amount with two decimals (more only if it has them) and its currency code."""
    if value is None:
        return "–"
    cents = round(value, 2)
    return f"{cents if cents == value else value.normalize():,f} {currency}"


def format_time(value: datetime, *, seconds: bool = False) -> str:
    """Return a time in UTC to the minute, or to the second."""
    moment = value.astimezone(UTC)
    return f"{moment:%-d %b %Y, %H:%M:%S} UTC" if seconds else f"{moment:%-d %b %Y, %H:%M} UTC"


def format_exact(value: datetime) -> str:
    """Return a time in UTC to the millisecond."""
    moment = value.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def format_span(seconds: float) -> str:
    """Return a duration in its two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 1 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def format_ago(value: datetime, *, now: datetime) -> str:
    """Return how long ago `value` was: `just now`, `5 minutes ago`, `in 2 hours`."""
    seconds = (now - value).total_seconds()
    distance = abs(seconds)
    if distance < 5:
        return "just now"
    for limit, size, unit in _STEPS:
        if distance < limit:
            number = int(distance // size)
            words = f"{number} {unit}{'' if number == 1 else 's'}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    raise AssertionError("unreachable")

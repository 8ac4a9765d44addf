"""Dates in CSV files, read in a known order and zone and never guessed."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from orders.imports.reasons import say
from orders.texts import is_plain

_ISO = re.compile(
    r"\A(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?))?"
    r"(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d))?\Z",
    re.ASCII,
)
# Kept as written, because other programs read this form too.
_WRITTEN_OUT = re.compile(
    r"\A\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?\Z", re.ASCII
)
_PARTS = re.compile(
    r"\A(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)"
    r"(?:,? +(\d{1,2}):(\d\d)(?::(\d\d))?(?: ?([AaPp])\.?[Mm]\.?)?)?\Z",
    re.ASCII,
)
_YEAR_FIRST = re.compile(r"\A(\d{4})([/.])(\d{1,2})\2(\d{1,2})(?=\Z|[ T])", re.ASCII)
_SERIAL = re.compile(r"\A\d{5}([.,]\d+)?\Z", re.ASCII)


def iso_date(text: str, *, zone: tzinfo | None, month_first: bool | None) -> str:
    """Return a date and time in ISO 8601; raises ValueError with the fault.

    `zone` applies to a time that names none; without it the time stays as written. `month_first`
    decides what 12/1/2010 means; dates with dots start with the day.
    """
    if not is_plain(text) or len(text) > 64:
        raise ValueError(say("no_date"))
    moment = _iso(_with_dashes(text)) or _of_parts(text, month_first)
    if moment is None:
        if _SERIAL.match(text):
            raise ValueError(say("date_serial"))
        raise ValueError(say("date_unreadable"))
    if moment.tzinfo is None and zone is not None:
        return moment.replace(tzinfo=zone).isoformat()
    return text if _WRITTEN_OUT.match(text) else moment.isoformat()


def _with_dashes(text: str) -> str:
    """Return 2024/1/25, which means the same date in every country, as 2024-01-25."""
    return _YEAR_FIRST.sub(lambda found: f"{found[1]}-{found[3]:0>2}-{found[4]:0>2}", text)


def _iso(text: str) -> datetime | None:
    found = _ISO.match(text)
    try:
        if found is None:
            # Other forms of ISO 8601; a bare number would otherwise pass as one.
            return None if text.isdigit() else datetime.fromisoformat(text)
        day, time, offset = found.groups()
        offset = {"UTC": "+00:00", "GMT": "+00:00", "Z": "+00:00"}.get(offset or "", offset or "")
        return datetime.fromisoformat(f"{day}T{time or '00:00'}{offset}")
    except ValueError:
        return None


def _of_parts(text: str, month_first: bool | None) -> datetime | None:
    found = _PARTS.match(text)
    if found is None:
        return None
    first, mark, second, year, hour, minute, seconds, half = found.groups()
    if mark == ".":
        month_first = False
    if month_first is None:
        raise ValueError(say("date_either"))
    month, day = (first, second) if month_first else (second, first)
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(say("no_date"))
        hours = hours % 12 + (12 if half in "pP" else 0)
    try:
        return datetime.fromisoformat(
            f"{year if len(year) == 4 else '20' + year}-{month:0>2}-{day:0>2}"
            f"T{hours:02}:{minute or '00'}:{seconds or '00'}"
        )
    except ValueError:
        raise ValueError(say("no_date")) from None

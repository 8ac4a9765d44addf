"""Numbers, money and times in the form for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, ngettext, ngettext_lazy, pgettext
from django.utils.translation import gettext as _

_STEPS = (
    (
        (60, 1),
        ngettext_lazy("%(number)d second ago", "%(number)d seconds ago", "number"),
        ngettext_lazy("in %(number)d second", "in %(number)d seconds", "number"),
    ),
    (
        (3600, 60),
        ngettext_lazy("%(number)d minute ago", "%(number)d minutes ago", "number"),
        ngettext_lazy("in %(number)d minute", "in %(number)d minutes", "number"),
    ),
    (
        (48 * 3600, 3600),
        ngettext_lazy("%(number)d hour ago", "%(number)d hours ago", "number"),
        ngettext_lazy("in %(number)d hour", "in %(number)d hours", "number"),
    ),
    (
        (float("inf"), 86_400),
        ngettext_lazy("%(number)d day ago", "%(number)d days ago", "number"),
        ngettext_lazy("in %(number)d day", "in %(number)d days", "number"),
    ),
)


def format_quantity(value: Decimal | int | None) -> str:
    """Return a quantity without trailing zeros: `1,200`, `2.5`; a dash for none."""
    if value is None:
        return "–"
    exact = f"{Decimal(value):f}"
    if "." in exact:
        exact = exact.rstrip("0").rstrip(".")
    return _grouped(exact, get_language())


@lru_cache(maxsize=4096)
def _grouped(exact: str, language: str | None) -> str:
    """Return digits with the language's grouping; cached, because a list repeats a few hundred."""
    return str(number_format(Decimal(exact), use_l10n=True, force_grouping=True))


def format_change(value: Decimal) -> str:
    """Return a quantity with its sign: `+5`, `−2`; a dash for no change."""
    return f"{'+' if value > 0 else '−'}{format_quantity(abs(value))}" if value else "–"


def format_money(value: Decimal | None, currency: str) -> str:
    """Return an amount with two decimals (more only if it has them) and its currency code."""
    return "–" if value is None else f"{_amount(value, get_language())} {currency}"


def format_amounts(value: Mapping[str, Decimal]) -> str:
    """Return amounts by currency, without zeros; a dash for none: `5.00 EUR, 3.00 USD`."""
    amounts = [format_money(amount, code) for code, amount in value.items() if amount > 0]
    return ", ".join(amounts) or "–"


def format_cost(orders: int, units: Decimal, value: Mapping[str, Decimal]) -> str:
    """Return a number of orders with their units and money: `2 orders · 3 units · 5.00 EUR`."""
    many = ngettext("%(number)s order", "%(number)s orders", orders)
    words = [many % {"number": format_quantity(orders)}]
    # Units are unknown for orders that an earlier version settled and that were rescued since.
    if units > 0:
        lots = ngettext("%(units)s unit", "%(units)s units", 1 if units == 1 else 2)
        words.append(lots % {"units": format_quantity(units)})
    if any(amount > 0 for amount in value.values()):
        words.append(format_amounts(value))
    return " · ".join(words)


def format_units(units: Decimal, value: Mapping[str, Decimal]) -> str:
    """Return units with their money: `3 units · 5.00 EUR`."""
    lots = ngettext("%(units)s unit", "%(units)s units", 1 if units == 1 else 2)
    words = [lots % {"units": format_quantity(units)}]
    if any(amount > 0 for amount in value.values()):
        words.append(format_amounts(value))
    return " · ".join(words)


@lru_cache(maxsize=4096)
def _amount(value: Decimal, language: str | None) -> str:
    return str(number_format(value, _decimals(value), use_l10n=True, force_grouping=True))


def price_to_type(value: Decimal | None) -> str:
    """Return a price as a field accepts it: two decimals (more only if needed), nothing else."""
    return "" if value is None else f"{value:.{_decimals(value)}f}"


def _decimals(value: Decimal) -> int:
    return max(2, len(f"{value.normalize():f}".partition(".")[2]))


def format_time(value: datetime, *, seconds: bool = False) -> str:
    """Return a time in the reader's zone to the minute, or to the second."""
    moment = timezone.localtime(value)
    clock = f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"
    return f"{format_day(moment)}, {clock} {format_zone(moment)}"


def format_day(value: date) -> str:
    """Return a day: `5 Feb 2026`; of a time, the day in its own zone."""
    return _day(date(value.year, value.month, value.day), get_language())


@lru_cache(maxsize=1024)
def _day(value: date, language: str | None) -> str:
    # Translators: Django's letters for dates; German says "j.n.Y".
    return date_format(value, pgettext("format of a day", "j M Y"), use_l10n=False)


def format_zone(moment: datetime) -> str:
    """Return the short name of the zone of `moment`: `UTC`, `CET`; `UTC-03` if it has none."""
    name = moment.tzname() or ""
    return f"UTC{name}" if name[:1] in ("+", "-") else name


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
        return _("just now")
    for step, ((limit, size), *_words) in enumerate(_STEPS):
        if distance < limit:
            return _ago_text(step, seconds < 0, int(distance // size), get_language())
    raise AssertionError("unreachable")


@lru_cache(maxsize=1024)
def _ago_text(step: int, is_coming: bool, number: int, language: str | None) -> str:
    _size, past, coming = _STEPS[step]
    return str((coming if is_coming else past) % {"number": number})

"""Figures, moments and amounts of the alerts: as JSON data, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from orders.desk.shortages import Sums
from reconciliation.models import EntryState
from reconciliation.runs.status import Waiting


def moment(at: datetime) -> str:
    """Return a moment in words, in UTC; the exact values are the alert's own."""
    utc = at.astimezone(UTC)
    day = date_format(utc, pgettext("format of a day", "j M Y"), use_l10n=False)
    return f"{day}, {utc:%H:%M} UTC"


def figure(number: int | Decimal) -> str:
    """Return a number as it is written: `1,234`, `2.5`."""
    exact = Decimal(number).normalize()
    return str(number_format(Decimal(f"{exact:f}"), use_l10n=True, force_grouping=True))


def amounts(value: Mapping[str, Decimal]) -> str:
    """Return amounts by currency as words: `1,183.40 EUR and 576.60 USD`."""
    worth = [
        f"{number_format(round(amount, 2), 2, use_l10n=True, force_grouping=True)} {code}"
        for code, amount in value.items()
    ]
    return str(get_text_list(worth, _("and")))


def at_stake(waiting: Waiting) -> str:
    """Return the waiting orders as a sentence: orders, units, and value by currency."""
    if not waiting.orders:
        return _("No order is waiting.")
    units = ngettext("%(units)s unit", "%(units)s units", 1 if waiting.units == 1 else 2)
    words = ngettext(
        "%(number)s order with %(units)s is waiting (%(value)s).",
        "%(number)s orders with %(units)s are waiting (%(value)s).",
        waiting.orders,
    )
    return words % {
        "number": figure(waiting.orders),
        "units": units % {"units": figure(waiting.units)},
        "value": amounts(waiting.value),
    }


def missing(short: Sums) -> str:
    """Return what orders lack as words: units, and the value short by currency if it is known."""
    words = ngettext("%(units)s unit short", "%(units)s units short", 1 if short.units == 1 else 2)
    units = words % {"units": figure(short.units)}
    value = {code: amount for code, amount in short.value.items() if amount}
    if not value:
        return units
    return _("%(units)s, value short %(value)s") % {"units": units, "value": amounts(value)}


def outcomes(counts: Mapping[EntryState, int]) -> str:
    """Return a run's counts as words, those without an order left out."""
    words = [f"{figure(counts[state])} {state.label}" for state in EntryState if counts.get(state)]
    return ", ".join(words) or _("no orders")


def waiting_data(waiting: Waiting) -> dict[str, Any]:
    """Return the waiting orders as data of an alert."""
    return {
        "orders": waiting.orders,
        "units": str(waiting.units),
        "value": amounts_data(waiting.value),
    }


def waiting_of(data: Mapping[str, Any]) -> Waiting:
    """Return what `waiting_data` has written."""
    return Waiting(
        orders=data["orders"], units=Decimal(data["units"]), value=amounts_of(data["value"])
    )


def amounts_data(value: Mapping[str, Decimal]) -> dict[str, str]:
    """Return amounts by currency as data of an alert."""
    return {code: str(amount) for code, amount in value.items()}


def amounts_of(data: Mapping[str, str]) -> dict[str, Decimal]:
    """Return what `amounts_data` has written."""
    return {code: Decimal(amount) for code, amount in data.items()}
